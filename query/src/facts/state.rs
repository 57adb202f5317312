//! In which state a deployment is at a moment: failures arrive late, so that a young one is not yet known to be well.

use super::deployments::Classified;
use super::failures::Failure;
use super::{Facts, ServiceFacts};
use flowgauge_lake::model::Time;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A failure of it is known.
    Failed,
    /// None is known, and it is old enough.
    Ok,
    /// None is known, and it is younger than `maturity`.
    Pending,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Failed => "failed",
            State::Ok => "ok",
            State::Pending => "pending",
        }
    }
}

/// The state of a deployment whose failures these are; none for what has not changed what runs, and so cannot fail there.
pub fn state<'a>(deployment: &Classified, failures: impl IntoIterator<Item = &'a Failure>, maturity: i64, as_of: Time) -> Option<State> {
    let finished = deployment.finished_at().filter(|at| deployment.took_effect && *at <= as_of)?;
    let is_known = |failure: &Failure| failure.at <= as_of && failure.until.is_none_or(|until| until > as_of);
    Some(if failures.into_iter().any(is_known) {
        State::Failed
    } else if finished.plus_seconds(maturity) > as_of {
        State::Pending
    } else {
        State::Ok
    })
}

impl Facts {
    /// The state of a deployment, by its index among those of its service.
    pub fn state(&self, service: &str, of: &ServiceFacts, index: usize, as_of: Time) -> Option<State> {
        let failures = self.failures.get(service).into_iter().flatten().filter(|failure| failure.index == index);
        state(&of.deployments[index], failures, self.definitions.maturity, as_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::deployments::Tip;
    use flowgauge_lake::model::{Outcome, Source, Tier, row_from_json};

    fn at(hour: i64) -> Time {
        Time::from_seconds(3600 * hour)
    }

    fn deployment(finished: Option<i64>, took_effect: bool) -> Classified {
        let json = serde_json::json!({"deployment_id": "1", "service": "cart", "environment": "prod"});
        let cells = row_from_json(flowgauge_lake::model::Table::Deployment, &json).expect("a row").entity.into_cells();
        let mut row: flowgauge_lake::model::Deployment = crate::facts::entity(&cells);
        (row.finished_at, row.outcome) = (finished.map(at), Some(Outcome::Success));
        Classified::unclassified(row, Source::new("import"), "cart", Tier::Production, took_effect, Tip::NoSourceLink)
    }

    fn failure(from: i64, until: Option<i64>) -> Failure {
        Failure { index: 0, reason: "verdict", at: at(from), incident: None, resolved_at: None, remediation: None, until: until.map(at) }
    }

    #[test]
    fn failed_ok_or_too_young_to_tell() {
        let day = 24 * 3600;
        for (as_of, failures, expected) in [
            // Finished at hour 10; mature from hour 34 on.
            (9, vec![], None),
            (10, vec![], Some(State::Pending)),
            (33, vec![], Some(State::Pending)),
            (34, vec![], Some(State::Ok)),
            // Known from hour 12 on, whatever the age.
            (11, vec![failure(12, None)], Some(State::Pending)),
            (12, vec![failure(12, None)], Some(State::Failed)),
            (90, vec![failure(12, None)], Some(State::Failed)),
            // Taken back at hour 40.
            (39, vec![failure(12, Some(40))], Some(State::Failed)),
            (40, vec![failure(12, Some(40))], Some(State::Ok)),
        ] {
            assert_eq!(state(&deployment(Some(10), true), &failures, day, at(as_of)), expected, "hour {as_of}, {failures:?}");
        }
        assert_eq!(state(&deployment(None, false), &[], day, at(90)), None);
        assert_eq!(state(&deployment(Some(10), false), &[], day, at(90)), None);
    }
}
