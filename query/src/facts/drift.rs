//! Drift of a GitOps application: in which state it was at every moment, and when the cluster differed from what it had been
//! synced to (semantics 1.8, 7.45–7.49).

use flowgauge_lake::model::{GitopsObservation, SyncStatus, Time};
use std::collections::BTreeSet;

/// How long after the controller's last look its word still stands: three times its refresh.
const STALE_AFTER_SECONDS: i64 = 3 * 180;
/// An application out of sync right after a sync is still converging.
const GRACE_SECONDS: i64 = 180;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
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
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Unobserved => "unobserved",
            Class::Synced => "synced",
            Class::Blocked => "blocked",
            Class::Pending => "pending",
            Class::Converging => "converging",
            Class::PrunePending => "prune_pending",
            Class::NonConverging => "non_converging",
            Class::LiveDrift => "live_drift",
        }
    }

    /// The cluster differs from what it was synced to.
    pub const fn is_live(self) -> bool {
        matches!(self, Class::LiveDrift | Class::NonConverging)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    pub class: Class,
    pub from: Time,
    /// `None`: it lasts.
    pub to: Option<Time>,
    revision: Option<Vec<String>>,
    resources: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    pub class: Class,
    pub started_at: Time,
    pub ended_at: Option<Time>,
    pub ended_by: Option<&'static str>,
    /// Seconds within it in which nobody looked; no drift time.
    pub unobserved_seconds: f64,
    pub resolution_seconds: Option<f64>,
    pub resources_max: Option<i64>,
    pub hidden: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppDrift {
    pub stretches: Vec<Stretch>,
    pub episodes: Vec<Episode>,
}

/// The drift of one application from its observations in order of time; those after `as_of` do not exist.
pub fn drift(observations: &[GitopsObservation], as_of: Option<Time>) -> AppDrift {
    let seen = observations.iter().take_while(|observation| as_of.is_none_or(|as_of| observation.observed_at <= as_of));
    let seen: Vec<&GitopsObservation> = seen.collect();
    let mut reader = Reader::default();
    let classes: Vec<Class> = seen.iter().map(|observation| reader.class(observation)).collect();
    let stretches = stretches(&seen, &classes, as_of);
    let mut episodes = episodes(&seen, &stretches);
    episodes.extend(hidden_episodes(&seen, &classes, &episodes));
    episodes.sort_by_key(|episode| (episode.started_at, episode.hidden));
    AppDrift { stretches, episodes }
}

/// One for each source of an application, where they are told.
type Revisions = Option<Vec<String>>;

/// What is remembered from one observation to the next.
#[derive(Default)]
struct Reader {
    /// Revisions of the last full sync seen as succeeded, its start, and the parameters it was first shown with.
    last_success: Option<(Revisions, Option<Time>, Option<String>)>,
    /// The last operation seen as succeeded: for which revisions, when it began and ended.
    last_operation: Option<(Revisions, Option<Time>, Time)>,
    /// Operations after which the same revision was out of sync at once.
    in_vain: (Revisions, BTreeSet<Time>),
}

impl Reader {
    fn class(&mut self, seen: &GitopsObservation) -> Class {
        let wanted = &seen.compared_revisions;
        let succeeded = seen.op_phase.as_deref() == Some("Succeeded");
        if succeeded && seen.op_partial != Some(true) && seen.op_self_heal != Some(true) {
            let revisions = seen.op_revisions.clone().or_else(|| wanted.clone());
            let is_new = self.last_success.as_ref().is_none_or(|(known, started, _)| *started != seen.op_started_at || *known != revisions);
            if is_new {
                self.last_success = Some((revisions, seen.op_started_at, seen.source_hash.clone()));
            }
        }
        if let (true, Some(finished)) = (succeeded, seen.op_finished_at) {
            self.last_operation = Some((seen.op_revisions.clone().or_else(|| wanted.clone()), seen.op_started_at, finished));
        }
        if self.in_vain.0 != *wanted {
            self.in_vain = (wanted.clone(), BTreeSet::new());
        }
        match seen.sync_status {
            Some(SyncStatus::Synced) => return Class::Synced,
            Some(SyncStatus::OutOfSync) => {}
            _ => return Class::Unobserved,
        }
        let synced = seen.synced_revisions.as_ref().or_else(|| self.last_success.as_ref().and_then(|(revisions, _, _)| revisions.as_ref()));
        // What is not said is unchanged.
        let is_other_revision = matches!((synced, wanted), (Some(synced), Some(wanted)) if synced != wanted);
        let for_wanted = seen.op_revisions.is_none() || seen.op_revisions == *wanted;
        let shown = |phases: &[&str]| for_wanted && seen.op_phase.as_deref().is_some_and(|phase| phases.contains(&phase));
        if is_other_revision && shown(&["Failed", "Error"]) {
            return Class::Blocked;
        }
        let parameters_changed = match (&seen.source_hash, self.last_success.as_ref().and_then(|(_, _, hash)| hash.as_ref())) {
            (Some(now), Some(then)) => now != then,
            _ => false,
        };
        if is_other_revision || parameters_changed {
            return Class::Pending;
        }
        if shown(&["Running", "Terminating"]) {
            return Class::Converging;
        }
        if seen.prune_only == Some(true) {
            return Class::PrunePending;
        }
        if let Some((revisions, started, finished)) = &self.last_operation {
            let just_finished = *finished <= seen.observed_at && seen.observed_at <= finished.plus_seconds(GRACE_SECONDS);
            if just_finished && revisions == wanted {
                self.in_vain.1.insert(started.unwrap_or(*finished));
                return if self.in_vain.1.len() >= 2 { Class::NonConverging } else { Class::Converging };
            }
        }
        Class::LiveDrift
    }
}

fn stretches(seen: &[&GitopsObservation], classes: &[Class], as_of: Option<Time>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (i, observation) in seen.iter().enumerate() {
        let next = seen.get(i + 1).map(|next| next.observed_at).or(as_of);
        let from = observation.observed_at;
        let stale = observation.reconciled_at.map(|at| at.plus_seconds(STALE_AFTER_SECONDS).max(from));
        let mut push = |class, from: Time, to: Option<Time>| {
            if to.is_none_or(|to| to > from) {
                stretches.push(Stretch {
                    class,
                    from,
                    to,
                    revision: observation.compared_revisions.clone(),
                    resources: observation.out_of_sync,
                });
            }
        };
        match stale {
            Some(stale) if next.is_none_or(|next| stale < next) => {
                push(classes[i], from, Some(stale));
                push(Class::Unobserved, stale, next);
            }
            _ => push(classes[i], from, next),
        }
    }
    stretches
}

fn episodes(seen: &[&GitopsObservation], stretches: &[Stretch]) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    let mut i = 0;
    while i < stretches.len() {
        let first = &stretches[i];
        if !first.class.is_live() {
            i += 1;
            continue;
        }
        let mut episode = Episode {
            class: first.class,
            started_at: first.from,
            ended_at: first.to,
            ended_by: None,
            unobserved_seconds: 0.0,
            resolution_seconds: seen
                .iter()
                .rev()
                .find(|look| look.observed_at < first.from)
                .map(|look| first.from.seconds_since(look.observed_at)),
            resources_max: first.resources,
            hidden: false,
        };
        let mut last = i;
        let mut j = i + 1;
        while j < stretches.len() {
            let stretch = &stretches[j];
            if stretch.class.is_live() && stretch.revision == first.revision {
                for gap in &stretches[last + 1..j] {
                    episode.unobserved_seconds += gap.to.map_or(0.0, |to| to.seconds_since(gap.from));
                }
                episode.ended_at = stretch.to;
                episode.resources_max = episode.resources_max.max(stretch.resources);
                if stretch.class == Class::NonConverging {
                    episode.class = Class::NonConverging;
                }
                last = j;
            } else if stretch.class != Class::Unobserved {
                break;
            }
            j += 1;
        }
        let after = stretches.get(last + 1);
        episode.ended_by = after.map(|next| match next.class {
            Class::Pending | Class::Blocked | Class::LiveDrift | Class::NonConverging => "overtaken",
            class => class.as_str(),
        });
        if after.is_none() {
            // It lasts: what ends the last stretch is only the moment of the question.
            episode.ended_at = None;
        }
        episodes.push(episode);
        i = last + 1;
    }
    episodes
}

/// Drift that was put back between two looks shows only as the self-heal operation that did it.
fn hidden_episodes(seen: &[&GitopsObservation], classes: &[Class], open: &[Episode]) -> Vec<Episode> {
    let mut hidden: Vec<Episode> = Vec::new();
    let mut previous: Option<Time> = None;
    let mut known = BTreeSet::new();
    for (observation, class) in seen.iter().zip(classes) {
        if let (Some(true), Some(started), Some(look)) = (observation.op_self_heal, observation.op_started_at, previous) {
            let in_episode = open.iter().any(|episode| episode.started_at <= started && episode.ended_at.is_none_or(|end| started < end));
            if started > look && !in_episode && known.insert(started) {
                hidden.push(Episode {
                    class: Class::LiveDrift,
                    started_at: started,
                    ended_at: observation.op_finished_at,
                    ended_by: Some("self_heal"),
                    unobserved_seconds: 0.0,
                    resolution_seconds: Some(started.seconds_since(look)),
                    resources_max: None,
                    hidden: true,
                });
            }
        }
        if *class != Class::Unobserved {
            previous = Some(observation.observed_at);
        }
    }
    hidden
}
