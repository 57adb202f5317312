//! What happens in the shop: the entities, and the log of events that webhooks tell of.

use crate::calendar::Sec;
use crate::history::{CommitIx, Repo};
use crate::people::Person;

/// A push to a branch.
pub struct Push {
    /// To the repository of manifests, not to the service's own.
    pub config: bool,
    pub branch: String,
    pub before: Option<CommitIx>,
    pub after: CommitIx,
    /// Oldest first.
    pub commits: Vec<CommitIx>,
    pub by: &'static Person,
}

/// Why a change is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Feature,
    /// A bot raises a dependency.
    Upkeep,
    /// Repairs what a rollback took out of production, in working hours.
    Repair,
    /// Repairs production at once.
    Hotfix,
    /// Takes a change back at once.
    Revert,
}

impl Purpose {
    pub fn is_urgent(self) -> bool {
        matches!(self, Purpose::Hotfix | Purpose::Revert)
    }
}

/// A merge or pull request.
pub struct Change {
    pub number: i64,
    pub purpose: Purpose,
    pub title: String,
    pub description: String,
    pub author: &'static Person,
    pub reviewer: &'static Person,
    pub labels: Vec<&'static str>,
    pub branch: String,
    /// When each commit of the first push was written, until that push.
    pub authored: Vec<Sec>,
    /// The branch's own commits, oldest first.
    pub commits: Vec<CommitIx>,
    pub base: CommitIx,
    pub draft: bool,
    pub auto_merge: bool,
    pub second_push: bool,
    pub abandoned: bool,
    pub additions: i64,
    pub deletions: i64,
    pub files: i64,
    pub opened_at: Option<Sec>,
    pub ready_at: Option<Sec>,
    pub first_review_at: Option<Sec>,
    pub approved_at: Option<Sec>,
    pub merged_at: Option<Sec>,
    pub closed_at: Option<Sec>,
    /// The last commit that the merge put on main.
    pub landed: Option<CommitIx>,
    /// The version that the merge made: its place in the order of main.
    pub version: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Success,
    Failure,
    Timeout,
    Cancelled,
    Skipped,
}

pub struct Job {
    pub id: i64,
    pub name: &'static str,
    pub stage: &'static str,
    pub created_at: Sec,
    pub queued_at: Sec,
    /// Absent for a job that never ran.
    pub ran: Option<(Sec, Sec)>,
    pub outcome: Outcome,
    pub runner: i64,
}

pub struct Attempt {
    pub started_at: Sec,
    pub finished_at: Sec,
    pub outcome: Outcome,
    pub jobs: Vec<Job>,
    /// The first event of its start has been sent.
    pub started: bool,
    pub finished: bool,
}

/// A pipeline, or a workflow run.
pub struct Run {
    pub id: i64,
    pub number: i64,
    pub commit: CommitIx,
    pub change: Option<usize>,
    /// Of main, not of a change.
    pub on_main: bool,
    pub by: &'static Person,
    pub created_at: Sec,
    pub attempts: Vec<Attempt>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    Promotion,
    Retry,
    Rollback,
    /// The same version once more.
    Again,
    /// Other manifests, the same images.
    Config,
    /// A person syncs what drifted.
    Resync,
}

/// A deployment as GitLab or GitHub keeps it.
pub struct Told {
    pub id: i64,
    pub created_at: Sec,
    pub running_at: Option<Sec>,
    pub finished: Option<(Sec, Outcome)>,
}

/// A deployment as Argo CD does it.
pub struct Sync {
    pub revision: CommitIx,
    pub started_at: Option<Sec>,
    pub finished: Option<(Sec, Outcome)>,
    pub by: Option<&'static Person>,
}

pub struct Deployment {
    pub environment: usize,
    /// The source commit that it brings.
    pub commit: CommitIx,
    pub version: usize,
    pub reason: Reason,
    pub by: &'static Person,
    pub fails: bool,
    pub told: Option<Told>,
    pub sync: Option<Sync>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Running,
    Succeeded,
    Failed,
}

/// The operation that an application shows.
#[derive(Clone)]
pub struct Operation {
    pub phase: Phase,
    pub revision: CommitIx,
    pub started_at: Sec,
    pub finished_at: Option<Sec>,
    pub by: Option<&'static Person>,
    /// A self-heal that touches only what drifted.
    pub heals: bool,
}

/// One line of an application's history.
#[derive(Clone)]
pub struct Synced {
    pub id: i64,
    pub revision: CommitIx,
    pub started_at: Sec,
    pub finished_at: Sec,
    pub by: Option<&'static Person>,
}

/// An Argo CD application as it stands; each notification shows a copy of it.
#[derive(Clone)]
pub struct App {
    pub revision: Option<CommitIx>,
    pub operation: Option<Operation>,
    pub history: Vec<Synced>,
    pub degraded_since: Option<Sec>,
    pub healthy_since: Sec,
    /// The source commit whose images run.
    pub image: Option<CommitIx>,
    /// Places in the list of resources that are not as the manifests say.
    pub out_of_sync: Vec<usize>,
    pub prune_only: bool,
}

pub struct Observation {
    pub environment: usize,
    pub at: Sec,
    pub trigger: &'static str,
    pub app: App,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tracker {
    PagerDuty,
    GitlabIssue,
    GithubIssue,
}

pub struct Incident {
    pub tracker: Tracker,
    pub number: i64,
    pub title: String,
    /// 1 is the worst; `None` has only an urgency.
    pub priority: Option<u8>,
    pub high_urgency: bool,
    pub by: &'static Person,
    pub opened_at: Sec,
    pub acknowledged_at: Option<Sec>,
    pub resolved_at: Option<Sec>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Opened,
    Ready,
    Updated,
    /// A review; the word is GitHub's state.
    Reviewed(&'static str),
    Merged,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    Requested,
    Started,
    Finished,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Created,
    Running,
    Ended,
    Superseded,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Opened,
    Acknowledged,
    Resolved,
    Reopened,
}

/// One event, each of which becomes one delivery. Numbers are places in the lists of the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Push(usize),
    Change { change: usize, act: Act, head: CommitIx },
    Run { run: usize, attempt: usize, moment: Moment },
    Job { run: usize, attempt: usize, job: usize, moment: Moment },
    Deployment { deployment: usize, state: State },
    Observation(usize),
    Incident { incident: usize, step: Step },
}

#[derive(Clone, Copy)]
pub struct Event {
    pub at: Sec,
    /// Place of the service in the catalogue.
    pub service: usize,
    pub what: What,
}

/// Everything that happened around one service.
pub struct World {
    pub repo: Repo,
    pub pushes: Vec<Push>,
    pub changes: Vec<Change>,
    pub runs: Vec<Run>,
    pub deployments: Vec<Deployment>,
    pub observations: Vec<Observation>,
    pub incidents: Vec<Incident>,
}
