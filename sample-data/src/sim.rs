//! Lives through the two years of one service: a queue of what is to be done, worked off in the order of time until the last evening.
//! Whatever is still to be done then never happens, so that nothing needs to be cut off afterwards.

use std::collections::BTreeMap;

use crate::calendar::{self, Calendar, DAY, HOUR, MINUTE, Sec};
use crate::catalogue::{ENVIRONMENTS, PRODUCTION, Provider, SERVICES, Service};
use crate::deploys::Environment;
use crate::draw::Draw;
use crate::history::{CommitIx, Repo, Words};
use crate::model::{Event, Moment, Purpose, Push, Reason, What, World};
use crate::people::{PEOPLE, Person};
use crate::trouble::Trouble;

/// What is to be done at some time.
#[derive(Clone, Copy)]
pub enum Todo {
    /// Plan a day.
    Day,
    Begin(Purpose),
    FirstPush(usize),
    Open(usize),
    Ready(usize),
    Review(usize),
    SecondPush(usize),
    Approve(usize),
    Merge(usize),
    Abandon(usize),
    RunMain(usize),
    JobEnds {
        run: usize,
        attempt: usize,
        job: usize,
    },
    RunEnds(usize),
    RetryRun(usize),
    Promote {
        environment: usize,
        version: usize,
    },
    Deploy {
        environment: usize,
        version: usize,
        reason: Reason,
    },
    SyncPending(usize),
    SyncStarts(usize),
    SyncEnds(usize),
    ToldRuns(usize),
    ToldEnds(usize),
    Superseded(usize),
    IncidentOpens,
    Acknowledge(usize),
    Resolve(usize),
    Reopen(usize),
    Degrades,
    Remedy,
    TroubleOver,
    UnrelatedIncident,
    Drifts(usize),
    HealStarts {
        environment: usize,
        again: u8,
    },
    HealEnds {
        environment: usize,
        again: u8,
    },
    DriftAgain {
        environment: usize,
        again: u8,
    },
    Resync(usize),
    BackInSync(usize),
    LastEvening,
}

/// A state of main: the commit that a merge left there.
pub struct Version {
    pub commit: CommitIx,
    pub change: Option<usize>,
}

pub struct Sim<'a> {
    pub service: &'static Service,
    pub index: usize,
    pub calendar: Calendar,
    pub draw: Draw,
    pub world: World,
    /// The repository of manifests, which all services share.
    pub config: &'a mut Repo,
    pub events: Vec<Event>,
    pub now: Sec,
    pub main: CommitIx,
    pub versions: Vec<Version>,
    pub environments: [Environment; 4],
    pub trouble: Option<Trouble>,
    /// After a rollback: the change that production waits for.
    pub awaited: Option<usize>,
    queue: BTreeMap<(Sec, u64), Todo>,
    queued: u64,
    ids: i64,
}

/// Whether a sync there is told of while it is still running.
pub fn is_watched(environment: usize) -> bool {
    environment >= PRODUCTION - 1
}

/// The history that the repository of manifests begins with, and the first commit on main.
pub fn begin_config(config: &mut Repo, calendar: Calendar) {
    let by = &PEOPLE[15];
    let at = calendar.start - 30 * DAY;
    let root = config.commit_with(
        Vec::new(),
        vec![("README.md", b"What runs where. One branch per application, written by the pipelines.\n".to_vec())],
        Words { author: by, authored_at: at, committed_at: at, message: "Describe the branches".to_owned() },
    );
    config.set_ref("refs/heads/main", root);
}

/// Lives through the life of the service at `index`.
pub fn live(index: usize, seed: u64, calendar: Calendar, config: &mut Repo) -> (World, Vec<Event>) {
    let service = &SERVICES[index];
    let start = calendar.start + service.first_week * calendar::WEEK;
    let mut sim = Sim {
        service,
        index,
        calendar,
        draw: Draw::new(seed, index as u64),
        world: World {
            repo: Repo::new(service.host(), service.path()),
            pushes: Vec::new(),
            changes: Vec::new(),
            runs: Vec::new(),
            deployments: Vec::new(),
            observations: Vec::new(),
            incidents: Vec::new(),
        },
        config,
        events: Vec::new(),
        now: start,
        main: 0,
        versions: Vec::new(),
        environments: std::array::from_fn(|_| Environment::new(start)),
        trouble: None,
        awaited: None,
        queue: BTreeMap::new(),
        queued: 0,
        ids: 0,
    };
    sim.first_day(start);
    sim.at(start, Todo::Day);
    sim.at(calendar.end - 90 * MINUTE, Todo::LastEvening);
    while let Some(((at, _), todo)) = sim.queue.pop_first() {
        if at > calendar.end {
            break;
        }
        sim.now = at;
        sim.work(todo);
    }
    (sim.world, sim.events)
}

impl Sim<'_> {
    pub fn at(&mut self, at: Sec, todo: Todo) {
        self.queued += 1;
        self.queue.insert((at, self.queued), todo);
    }

    /// After so many seconds, whatever the hour.
    pub fn after(&mut self, seconds: Sec, todo: Todo) {
        self.at(self.now + seconds, todo);
    }

    /// After so many seconds of working time around the median, at the pace of the service.
    pub fn after_work(&mut self, median: Sec, todo: Todo) {
        let seconds = self.work_time(median);
        self.at(calendar::add_work(self.now, seconds), todo);
    }

    pub fn work_time(&mut self, median: Sec) -> Sec {
        let pace = self.pace();
        self.draw.spread(median as f64 * pace)
    }

    pub fn tell(&mut self, what: What) {
        self.events.push(Event { at: self.now, service: self.index, what });
    }

    pub fn next_id(&mut self) -> i64 {
        self.ids += 1;
        self.ids
    }

    /// An id that no other service has.
    pub fn wide_id(&mut self) -> i64 {
        let base = match self.service.provider {
            Provider::Gitlab => 0,
            Provider::Github => 17_000_000_000,
        };
        base + (self.index as i64 + 1) * 1_000_000 + self.next_id()
    }

    pub fn week(&self) -> i64 {
        self.calendar.week(self.now)
    }

    pub fn is_bad_week(&self) -> bool {
        self.service.in_bad_weeks(self.week())
    }

    pub fn pace(&self) -> f64 {
        self.service.pace.at(self.week()) * if self.is_bad_week() { 2.6 } else { 1.0 }
    }

    pub fn somebody(&mut self) -> &'static Person {
        let people = self.service.people();
        people[self.draw.below(people.len())]
    }

    pub fn somebody_but(&mut self, other: &Person) -> &'static Person {
        let people: Vec<_> = self.service.people().into_iter().filter(|person| person.id != other.id).collect();
        people[self.draw.below(people.len())]
    }

    fn first_day(&mut self, start: Sec) {
        let author = self.somebody();
        let at = start + 7 * HOUR;
        let message = format!("Begin {}", self.service.name);
        let root = self.world.repo.root(Words { author, authored_at: at, committed_at: at, message });
        self.now = at + 5 * MINUTE;
        self.main = root;
        self.world.repo.set_ref("refs/heads/main", root);
        self.push(Push { config: false, branch: "main".to_owned(), before: None, after: root, commits: vec![root], by: author });
        self.versions.push(Version { commit: root, change: None });
        self.after(20, Todo::RunMain(0));
    }

    pub fn push(&mut self, push: Push) {
        self.world.pushes.push(push);
        self.tell(What::Push(self.world.pushes.len() - 1));
    }

    fn day(&mut self) {
        self.after(DAY, Todo::Day);
        let busyness = self.calendar.busyness(self.now);
        let changes = self.service.changes.at(self.week()) / 5.0 * busyness;
        for _ in 0..self.draw.count(changes) {
            let purpose = if self.draw.chance(0.08) { Purpose::Upkeep } else { Purpose::Feature };
            let at = self.draw.between(7 * HOUR + 40 * MINUTE, 16 * HOUR);
            self.after(at, Todo::Begin(purpose));
        }
        if self.draw.chance(0.006) {
            let at = self.draw.between(0, DAY - 1);
            self.after(at, Todo::UnrelatedIncident);
        }
        for environment in 0..ENVIRONMENTS.len() {
            self.plan_environment(environment, busyness);
        }
    }

    /// Rare things that happen to an environment without a new version.
    fn plan_environment(&mut self, environment: usize, busyness: f64) {
        let at = self.draw.between(8 * HOUR + 30 * MINUTE, 17 * HOUR);
        let Some(version) = self.environments[environment].current else { return };
        if self.service.uses_argo() {
            let drifts = if self.is_bad_week() { 0.05 } else { 0.009 };
            if self.draw.chance(drifts) {
                let at = self.draw.between(0, DAY - 1);
                self.after(at, Todo::Drifts(environment));
            }
            if self.draw.chance(0.008 * busyness) {
                self.after(at, Todo::Deploy { environment, version, reason: Reason::Config });
            }
        } else if self.draw.chance(0.005 * busyness) {
            self.after(at, Todo::Deploy { environment, version, reason: Reason::Again });
        }
    }

    fn work(&mut self, todo: Todo) {
        match todo {
            Todo::Day => self.day(),
            Todo::Begin(purpose) => self.begin(purpose),
            Todo::FirstPush(change) => self.first_push(change),
            Todo::Open(change) => self.open(change),
            Todo::Ready(change) => self.ready(change),
            Todo::Review(change) => self.review(change),
            Todo::SecondPush(change) => self.second_push(change),
            Todo::Approve(change) => self.approve(change),
            Todo::Merge(change) => self.merge(change),
            Todo::Abandon(change) => self.abandon(change),
            Todo::RunMain(version) => {
                let commit = self.versions[version].commit;
                self.start_run(commit, None);
            }
            Todo::JobEnds { run, attempt, job } => self.tell(What::Job { run, attempt, job, moment: Moment::Finished }),
            Todo::RunEnds(run) => self.run_ends(run),
            Todo::RetryRun(run) => self.retry_run(run),
            Todo::Promote { environment, version } => self.promote(environment, version),
            Todo::Deploy { environment, version, reason } => self.deploy(environment, version, reason),
            Todo::SyncPending(deployment) => self.sync_pending(deployment),
            Todo::SyncStarts(deployment) => self.sync_starts(deployment),
            Todo::SyncEnds(deployment) => self.sync_ends(deployment),
            Todo::ToldRuns(deployment) => self.told_runs(deployment),
            Todo::ToldEnds(deployment) => self.told_ends(deployment),
            Todo::Superseded(deployment) => self.superseded(deployment),
            Todo::IncidentOpens => self.incident_opens(),
            Todo::Acknowledge(incident) => self.acknowledge(incident),
            Todo::Resolve(incident) => self.resolve(incident),
            Todo::Reopen(incident) => self.reopen(incident),
            Todo::Degrades => self.degrades(),
            Todo::Remedy => self.remedy(),
            Todo::TroubleOver => self.trouble_over(),
            Todo::UnrelatedIncident => self.unrelated_incident(),
            Todo::Drifts(environment) => self.drifts(environment),
            Todo::HealStarts { environment, again } => self.heal_starts(environment, again),
            Todo::HealEnds { environment, again } => self.heal_ends(environment, again),
            Todo::DriftAgain { environment, again } => self.drift_again(environment, again),
            Todo::Resync(environment) => self.resync(environment),
            Todo::BackInSync(environment) => self.back_in_sync(environment),
            Todo::LastEvening => self.last_evening(),
        }
    }
}
