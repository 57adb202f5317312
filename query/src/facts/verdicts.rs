//! What people said of deployments and incidents. It wins over every rule, from the moment at which it was said until somebody says
//! otherwise or takes it back: a verdict that says nothing takes back what was said before (semantics, 1.3 and docs/api.md).

use super::Facts;
use super::failures::{Failure, Register, Spot};
use flowgauge_lake::model::{DeploymentKind, Incident, Source, Tier, Time, Verdict};
use std::collections::{BTreeMap, HashMap};

/// What was said at which moments; `None`: taken back.
pub type Timeline<T> = Vec<(Time, Option<T>)>;

/// What somebody said an incident was caused by; without a deployment: by none.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    pub deployment: Option<Spot>,
    pub rule: &'static str,
}

/// What was said of each deployment and each incident.
#[derive(Debug, Default)]
pub struct Verdicts {
    failed: BTreeMap<Spot, Timeline<bool>>,
    causes: HashMap<(Source, String), Timeline<Cause>>,
}

/// In the order in which they were given.
pub fn order(verdicts: &mut [(Source, Verdict)]) {
    verdicts.sort_by(|(a_source, a), (b_source, b)| (a.decided_at, &a.verdict_id, a_source).cmp(&(b.decided_at, &b.verdict_id, b_source)));
}

pub fn takes_back(verdict: &Verdict) -> bool {
    verdict.failed.is_none() && verdict.kind.is_none() && verdict.caused_by_deployment.is_none()
}

/// The kind that verdicts about one deployment (in order) leave it with.
pub fn kind<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Option<DeploymentKind> {
    verdicts.fold(None, |kind, verdict| if takes_back(verdict) { None } else { verdict.kind.or(kind) })
}

impl Verdicts {
    /// `verdicts` in order.
    pub fn read(verdicts: &[(Source, Verdict)], incidents: &[(Source, Incident)], register: &Register<'_>) -> Verdicts {
        let mut by_id: HashMap<&str, Vec<&Source>> = HashMap::new();
        for (source, incident) in incidents {
            by_id.entry(&incident.incident_id).or_default().push(source);
        }
        let mut all = Verdicts::default();
        for (source, verdict) in verdicts {
            if let Some(spot) = verdict.deployment_id.as_deref().and_then(|id| register.find(id, source))
                && (takes_back(verdict) || verdict.failed.is_some())
            {
                all.failed.entry(spot.clone()).or_default().push((verdict.decided_at, verdict.failed));
            }
            let Some(id) = &verdict.incident_id else { continue };
            let named = by_id.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            let own = named.iter().find(|known| **known == source);
            let Some(of) = own.or_else(|| named.first().filter(|_| named.len() == 1)) else { continue };
            let cause = match (&verdict.caused_by_deployment, verdict.failed) {
                (Some(deployment), _) => Some(cause(deployment, source, register)),
                (None, Some(false)) => Some(Cause { deployment: None, rule: "verdict: no deployment" }),
                (None, _) if takes_back(verdict) => None,
                _ => continue,
            };
            all.causes.entry(((*of).clone(), id.clone())).or_default().push((verdict.decided_at, cause));
        }
        all
    }

    pub fn cause(&self, source: &Source, incident_id: &str) -> Timeline<Cause> {
        self.causes.get(&(source.clone(), incident_id.to_owned())).cloned().unwrap_or_default()
    }

    /// Puts what was said in the place of what the rules found. `failures` by service.
    pub fn overrule(&self, failures: &mut BTreeMap<String, Vec<Failure>>, register: &Register<'_>) {
        for (spot, said) in &self.failed {
            let list = failures.entry(spot.service.clone()).or_default();
            for (from, until, failed) in stretches(said) {
                match failed {
                    Some(true) => list.push(Failure {
                        index: spot.index,
                        reason: "verdict",
                        at: from,
                        incident: None,
                        resolved_at: None,
                        remediation: register.next_success(spot),
                        until,
                    }),
                    Some(false) => {
                        let found = std::mem::take(list);
                        list.extend(
                            found.into_iter().flat_map(|failure| {
                                if failure.index == spot.index { without(failure, from, until) } else { vec![failure] }
                            }),
                        );
                    }
                    None => {}
                }
            }
        }
    }
}

/// The deployment that may have caused an incident: one that changed production.
fn effective<'a>(deployment_id: &str, source: &Source, register: &'a Register<'_>) -> Option<&'a Spot> {
    register.find(deployment_id, source).filter(|spot| {
        let deployment = register.at(spot);
        deployment.tier == Tier::Production && deployment.took_effect
    })
}

impl Facts {
    /// Whether a verdict of this source that names this deployment as a cause would charge it.
    pub fn may_have_caused(&self, deployment_id: &str, source: &Source) -> bool {
        let deployments = self.deployments();
        effective(deployment_id, source, &Register::new(&deployments)).is_some()
    }
}

fn cause(deployment_id: &str, source: &Source, register: &Register<'_>) -> Cause {
    match effective(deployment_id, source, register) {
        Some(spot) => Cause { deployment: Some(spot.clone()), rule: "verdict" },
        None => Cause { deployment: None, rule: "verdict: unknown deployment" },
    }
}

/// From when until when each word held.
pub fn stretches<T: Clone>(said: &Timeline<T>) -> impl Iterator<Item = (Time, Option<Time>, Option<T>)> + '_ {
    (0..said.len()).filter_map(|i| {
        let (from, until) = (said[i].0, said.get(i + 1).map(|(at, _)| *at));
        (until != Some(from)).then(|| (from, until, said[i].1.clone()))
    })
}

/// What is left of a failure outside a stretch of time.
fn without(failure: Failure, from: Time, until: Option<Time>) -> Vec<Failure> {
    let ends = |end: Time| failure.until.map_or(end, |known| known.min(end));
    let before = (failure.at < from).then(|| Failure { until: Some(ends(from)), ..failure.clone() });
    let after = until
        .filter(|until| failure.until.is_none_or(|end| end > *until))
        .map(|until| Failure { at: failure.at.max(until), ..failure.clone() });
    before.into_iter().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Time {
        Time::from_seconds(3600 * hour)
    }

    fn failure(from: i64, until: Option<i64>) -> Failure {
        Failure { index: 0, reason: "outcome", at: at(from), incident: None, resolved_at: None, remediation: None, until: until.map(at) }
    }

    fn spans(failures: &[Failure]) -> Vec<(Time, Option<Time>)> {
        failures.iter().map(|failure| (failure.at, failure.until)).collect()
    }

    #[test]
    fn a_stretch_is_cut_out() {
        for (given, from, until, left) in [
            // Known from hour 2 on; denied from 5 to 8.
            (failure(2, None), 5, Some(8), vec![(at(2), Some(at(5))), (at(8), None)]),
            // Denied for good.
            (failure(2, None), 5, None, vec![(at(2), Some(at(5)))]),
            // Denied before it was found: nothing shows until the denial ends.
            (failure(6, None), 5, Some(8), vec![(at(8), None)]),
            (failure(6, None), 5, None, vec![]),
            // Over before it was denied.
            (failure(1, Some(3)), 5, Some(8), vec![(at(1), Some(at(3)))]),
            (failure(1, Some(6)), 5, Some(8), vec![(at(1), Some(at(5)))]),
        ] {
            assert_eq!(spans(&without(given, at(from), until.map(at))), left);
        }
    }

    #[test]
    fn a_later_word_ends_an_earlier_one() {
        let said = vec![(at(1), Some(true)), (at(4), Some(false)), (at(4), None), (at(9), Some(true))];
        let found: Vec<_> = stretches(&said).collect();
        assert_eq!(found, [(at(1), Some(at(4)), Some(true)), (at(4), Some(at(9)), None), (at(9), None, Some(true))]);
    }
}
