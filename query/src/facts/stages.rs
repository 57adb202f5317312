//! Where the lead time of a commit went: eight stages that sum exactly to it (semantics 1.2).

use super::deployments::Classified;
use super::graph::RepoChange;
use flowgauge_lake::model::Time;

/// The stages in their order.
pub const STAGES: [&str; 8] = ["coding", "pickup", "review", "merge_wait", "build", "promote_wait", "sync_wait", "deploy"];

/// Seconds of each stage; `None` where nothing tells its end, and its time is part of the next.
pub type Stages = [Option<f64>; 8];

/// What a change tells of the way of its commits: when each stage ended that is done before anything is built.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Landing {
    pub ready_at: Option<Time>,
    pub first_review_at: Option<Time>,
    pub approved_at: Option<Time>,
    pub merged_at: Option<Time>,
}

impl Landing {
    pub fn of(change: Option<&RepoChange>) -> Landing {
        change.map_or_else(Landing::default, |change| Landing {
            ready_at: change.ready_at,
            first_review_at: change.first_review_at,
            approved_at: change.approved_at,
            merged_at: change.merged_at,
        })
    }
}

/// The stages of a commit that was begun at `started`. A boundary before the one before it is taken to be at the same moment, one
/// after the end at the end. Where a configuration commit told the cluster what to run, the wait for it ends with that commit and the
/// wait for the sync with the sync's start; else the wait to be promoted ends where the deployment starts.
pub fn stages(started: Time, landing: Landing, deployment: &Classified) -> Option<Stages> {
    let finished = deployment.finished_at()?;
    let (promoted, sync_started) = match deployment.row.config_sha {
        Some(_) => (deployment.configured_at, deployment.row.started_at),
        None => (deployment.row.started_at, None),
    };
    let ends = [
        landing.ready_at,
        landing.first_review_at,
        landing.approved_at,
        landing.merged_at,
        deployment.published_at,
        promoted,
        sync_started,
        Some(finished),
    ];
    let mut before = started;
    Some(ends.map(|end| {
        let end = end?.max(before).min(finished.max(before));
        let seconds = end.seconds_since(before);
        before = end;
        Some(seconds)
    }))
}
