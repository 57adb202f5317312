//! GitOps drift (section 1.8, rules 45 to 49).

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::row::{Row, flag, list, source, text, time};
use crate::time::{Time, seconds};

/// Where something was seen: application, service and environment of the observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub app: String,
    pub service: String,
    pub environment: String,
}

/// A stretch of observed time.
pub struct Stretch {
    pub place: Place,
    pub from: Time,
    pub to: Time,
    pub live: bool,
    pub blocked: bool,
}

pub struct Episode {
    pub place: Place,
    pub start: Time,
    /// Drift time, without the unobserved time within.
    pub drift_seconds: f64,
    /// False where it is open at `as_of`.
    pub ended: bool,
    pub hidden: bool,
    end: Time,
}

#[derive(Default)]
pub struct Drift {
    pub stretches: Vec<Stretch>,
    pub episodes: Vec<Episode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Unobserved,
    Synced,
    Blocked,
    Pending,
    Converging,
    PrunePending,
    NonConverging,
    LiveDrift,
}

impl Class {
    fn is_live(self) -> bool {
        matches!(self, Class::LiveDrift | Class::NonConverging)
    }
}

struct Look<'a> {
    row: &'a Row,
    at: Time,
    class: Class,
    revisions: Option<Vec<String>>,
    /// Until when its word holds; from there to `next` the application is unobserved (rule 45).
    holds_to: Time,
    next: Time,
}

pub fn place(row: &Row) -> Place {
    let get = |c| text(row, c).unwrap_or_default();
    Place { app: get("app"), service: get("service"), environment: get("environment") }
}

pub fn exists(row: &Row, as_of: Time) -> bool {
    time(row, "observed_at").is_some_and(|t| t <= as_of)
}

pub fn derive(rows: &[Row], as_of: Time) -> Drift {
    let mut apps: BTreeMap<(String, String), Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|r| exists(r, as_of)) {
        apps.entry((source(row), text(row, "app").unwrap_or_default())).or_default().push(row);
    }
    let mut drift = Drift::default();
    for mut rows in apps.into_values() {
        rows.sort_by_key(|r| time(r, "observed_at"));
        let looks = looks(&rows, as_of);
        for look in looks.iter().filter(|l| l.class != Class::Unobserved) {
            drift.stretches.push(Stretch {
                place: place(look.row),
                from: look.at,
                to: look.holds_to,
                live: look.class.is_live(),
                blocked: look.class == Class::Blocked,
            });
        }
        let mut episodes = episodes(&looks, as_of);
        let hidden = hidden(&looks, &episodes);
        episodes.extend(hidden);
        drift.episodes.extend(episodes);
    }
    drift
}

fn looks<'a>(rows: &[&'a Row], as_of: Time) -> Vec<Look<'a>> {
    let at = |n: usize| time(rows[n], "observed_at").expect("an observation has a time");
    let classes = classes(rows);
    (0..rows.len())
        .map(|n| {
            let next = if n + 1 < rows.len() { at(n + 1) } else { as_of };
            // Rule 45: with `reconciled_at`, at most until 3 × 180 s after it.
            let limit = time(rows[n], "reconciled_at").map_or(next, |t| t + TimeDelta::seconds(540));
            let holds_to = limit.min(next).max(at(n));
            Look { row: rows[n], at: at(n), class: classes[n], revisions: list(rows[n], "compared_revisions"), holds_to, next }
        })
        .collect()
}

/// Which operation a row shows: its start and its revisions.
type Operation = (Option<Time>, Option<Vec<String>>);

fn operation(row: &Row) -> Operation {
    (time(row, "op_started_at"), list(row, "op_revisions"))
}

/// Rules 46 to 48, looking only back.
fn classes(rows: &[&Row]) -> Vec<Class> {
    let mut last_full: Option<Operation> = None; // the last full operation seen as Succeeded
    let mut hash_then: Option<String> = None; // the source hash in the first observation that showed it
    let mut succeeded: Vec<(Operation, Time)> = Vec::new(); // every operation seen as Succeeded, with its finish
    let mut revision: Option<Vec<String>> = None; // the last known R
    let mut near_syncs: BTreeSet<Operation> = BTreeSet::new(); // operations after which R = L was seen OutOfSync, for this R
    let mut classes = Vec::new();
    for row in rows {
        let phase = text(row, "op_phase").unwrap_or_default();
        let shown = operation(row);
        if phase == "Succeeded" {
            if flag(row, "op_partial") != Some(true) && last_full.as_ref() != Some(&shown) {
                last_full = Some(shown.clone());
                hash_then = text(row, "source_hash");
            }
            if let Some(finished) = time(row, "op_finished_at") {
                succeeded.push((shown.clone(), finished));
            }
        }
        let r = list(row, "compared_revisions");
        if r.is_some() && r != revision {
            near_syncs.clear();
            revision = r.clone();
        }
        // Rule 46; what is unknown is unchanged.
        let l = list(row, "synced_revisions").or_else(|| last_full.clone().and_then(|o| o.1));
        let behind = r.is_some() && l.is_some() && r != l;
        let hash = text(row, "source_hash");
        let changed = hash.is_some() && hash_then.is_some() && hash != hash_then;
        let for_r = |o: &Operation| o.1.is_none() || o.1 == r; // rule 47: one without revisions is for R
        let at = time(row, "observed_at").expect("an observation has a time");
        let running = ["Running", "Terminating"].contains(&phase.as_str());
        let broken = ["Failed", "Error"].contains(&phase.as_str());
        // Rule 48: a Succeeded operation for R that finished at most 180 s ago.
        let near = succeeded.iter().rfind(|(o, end)| for_r(o) && *end <= at && at - *end <= TimeDelta::seconds(180));
        classes.push(match text(row, "sync_status").as_deref() {
            Some("Synced") => Class::Synced,
            Some("OutOfSync") if behind && broken && for_r(&shown) => Class::Blocked,
            Some("OutOfSync") if behind || changed => Class::Pending,
            Some("OutOfSync") if running && for_r(&shown) => Class::Converging,
            Some("OutOfSync") if flag(row, "prune_only") == Some(true) => Class::PrunePending,
            Some("OutOfSync") => match near {
                None => Class::LiveDrift,
                Some((operation, _)) => {
                    near_syncs.insert(operation.clone());
                    if near_syncs.len() > 1 { Class::NonConverging } else { Class::Converging }
                }
            },
            _ => Class::Unobserved,
        });
    }
    classes
}

/// Rule 49: an unobserved stretch between two live observations of the same R neither ends an episode nor adds drift time; anything else
/// ends it.
fn episodes(looks: &[Look], as_of: Time) -> Vec<Episode> {
    let mut all: Vec<Episode> = Vec::new();
    let mut running: Option<Option<Vec<String>>> = None; // R of the episode that may go on
    for look in looks {
        if look.class == Class::Unobserved {
            continue;
        }
        if running.as_ref() != Some(&look.revisions) || !look.class.is_live() {
            // Whatever was open has ended by now, even where this look is at `as_of` itself.
            if let Some(e) = all.last_mut() {
                e.ended = true;
            }
            running = None;
        }
        if !look.class.is_live() {
            continue;
        }
        let drift_seconds = seconds(look.at, look.holds_to);
        let ended = look.holds_to < as_of;
        match all.last_mut() {
            Some(e) if running.as_ref() == Some(&look.revisions) => {
                e.drift_seconds += drift_seconds;
                e.end = look.holds_to;
                e.ended = ended;
            }
            _ => {
                all.push(Episode { place: place(look.row), start: look.at, drift_seconds, ended, hidden: false, end: look.holds_to });
                running = Some(look.revisions.clone());
            }
        }
        debug_assert!(look.holds_to <= look.next);
    }
    all
}

/// Rule 49: a self-heal operation that started after the previous observed look, when no episode was open.
fn hidden(looks: &[Look], episodes: &[Episode]) -> Vec<Episode> {
    let mut all = Vec::new();
    let mut counted: BTreeSet<Time> = BTreeSet::new();
    let mut previous: Option<Time> = None;
    for look in looks {
        if let (Some(true), Some(start), Some(previous)) = (flag(look.row, "op_self_heal"), time(look.row, "op_started_at"), previous) {
            let open = episodes.iter().any(|e| e.start <= start && start < e.end);
            if start > previous && !open && counted.insert(start) {
                all.push(Episode { place: place(look.row), start, drift_seconds: 0.0, ended: true, hidden: true, end: start });
            }
        }
        if look.class != Class::Unobserved {
            previous = Some(look.at);
        }
    }
    all
}
