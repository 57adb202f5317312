//! The rungs of each service's ladder as they stood at a moment: at the question's own, or at the end of each bucket.

use super::{Builder, ScopeRow, Subject};
use crate::facts::rungs::Lag;
use flowgauge_lake::model::Time;

impl<'a> Builder<'a> {
    /// The buckets that have begun, each with the moment that it tells the state of.
    pub(super) fn states(&self) -> Vec<(i64, Time)> {
        let begun = (0..).zip(self.buckets).filter(|(_, bucket)| !bucket.is_empty());
        begun.map(|(number, bucket)| (number, self.question.state_at(bucket))).collect()
    }

    /// `with_commits`: also what the upper rung is behind, which costs a walk through history.
    pub(super) fn rungs(&mut self, with_commits: bool) {
        for (service, of) in self.services() {
            self.connect(service, of);
            let id = self.next_id;
            self.next_id += 1;
            for (bucket, at) in self.states() {
                for pair in of.pairs(at) {
                    let (lower, upper) = (&of.deployments[pair.lower], &of.deployments[pair.upper]);
                    let environment = upper.row.environment.as_str();
                    if !self.shows(of, environment) {
                        continue;
                    }
                    let lag = if with_commits { of.lag(pair) } else { Ok(Lag { commits: Vec::new(), oldest: None }) };
                    let key = self.key(&self.deployment_labels(service, environment));
                    let row = ScopeRow {
                        what: "pair",
                        bucket: Some(bucket),
                        id: Some(id),
                        since: lag.as_ref().ok().and_then(|lag| lag.oldest),
                        reason: lag.as_ref().err().copied(),
                        count: lag.as_ref().ok().filter(|_| with_commits).map(|lag| lag.commits.len() as i64),
                        is_passed: Some(!of.is_skewed(pair)),
                        ..ScopeRow::default()
                    };
                    self.push(&key, row, || vec![Subject::deployment(lower), Subject::deployment(upper)]);
                }
            }
        }
    }
}
