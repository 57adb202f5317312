//! A person's word about a deployment or an incident, which wins over every rule until a later one takes it back (V1 to V6).

use crate::deployments::{Deployment, resolve};
use crate::row::{Row, flag, source, text, time};
use crate::time::Time;

#[derive(Debug, Clone)]
pub struct Verdict {
    pub source: String,
    id: String,
    decided_at: Time,
    deployment_id: Option<String>,
    pub incident_id: Option<String>,
    failed: Option<bool>,
    kind: Option<String>,
    caused_by_deployment: Option<String>,
}

impl Verdict {
    /// V2.
    fn takes_back(&self) -> bool {
        self.failed.is_none() && self.kind.is_none() && self.caused_by_deployment.is_none()
    }
}

/// All verdicts in the order of V1. What has no `decided_at` has no place in it and is none.
pub fn read(rows: &[Row]) -> Vec<Verdict> {
    let verdict = |row: &Row| {
        Some(Verdict {
            source: source(row),
            id: text(row, "verdict_id").unwrap_or_default(),
            decided_at: time(row, "decided_at")?,
            deployment_id: text(row, "deployment_id"),
            incident_id: text(row, "incident_id"),
            failed: flag(row, "failed"),
            kind: text(row, "kind"),
            caused_by_deployment: text(row, "caused_by_deployment"),
        })
    };
    let mut all: Vec<Verdict> = rows.iter().filter_map(verdict).collect();
    all.sort_by(|a, b| (a.decided_at, &a.id, &a.source).cmp(&(b.decided_at, &b.id, &b.source)));
    all
}

/// V3 and V5: those that exist at `as_of`.
pub fn decided(verdicts: &[Verdict], as_of: Time) -> Vec<Verdict> {
    verdicts.iter().filter(|v| v.decided_at <= as_of).cloned().collect()
}

/// V1: those about each deployment, in its place.
pub fn about_deployments<'a>(verdicts: &'a [Verdict], all: &[Deployment]) -> Vec<Vec<&'a Verdict>> {
    let mut said = vec![Vec::new(); all.len()];
    for verdict in verdicts {
        let place = verdict.deployment_id.as_ref().and_then(|id| resolve(all, &verdict.source, id));
        if let Some(i) = place {
            said[i].push(verdict);
        }
    }
    said
}

/// V2: what stands of what was said in one column about one thing.
fn standing<T>(said: &[&Verdict], word: impl Fn(&Verdict) -> Option<T>) -> Option<T> {
    let mut stands = None;
    for verdict in said {
        stands = if verdict.takes_back() { None } else { word(verdict).or(stands) };
    }
    stands
}

/// V3: has the deployment failed? None where nobody says.
pub fn failed(said: &[&Verdict]) -> Option<bool> {
    standing(said, |v| v.failed)
}

/// V4.
pub fn kind(said: &[&Verdict]) -> Option<String> {
    standing(said, |v| v.kind.clone())
}

/// Whose an incident is by a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Of a deployment, by the source of the word and the id in it.
    Deployment(String, String),
    Nobody,
}

/// V5: the later word wins. None where nobody says, so that the rules hold.
pub fn cause(said: &[&Verdict]) -> Option<Cause> {
    let mut stands = None;
    for verdict in said {
        if verdict.takes_back() {
            stands = None;
        }
        match verdict.failed {
            Some(false) => stands = Some(Cause::Nobody),
            Some(true) if stands == Some(Cause::Nobody) => stands = None, // V2: it replaces that it was none
            _ => {}
        }
        if let Some(id) = &verdict.caused_by_deployment {
            stands = Some(Cause::Deployment(verdict.source.clone(), id.clone()));
        }
    }
    stands
}
