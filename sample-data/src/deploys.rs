//! Environments and what is deployed to them: promotions from dev to production, tries again, rollbacks, other manifests.

use crate::calendar::{HOUR, MINUTE, Sec};
use crate::catalogue::{Deploys, ENVIRONMENTS, PRODUCTION, Provider};
use crate::history::{CommitIx, Words};
use crate::model::{App, Deployment, Outcome, Push, Reason, State, Sync, Told, What};
use crate::people;
use crate::sim::{Sim, Todo};

/// Share of versions that go on to this environment, and the median working time until they do. Production's share is the service's own.
const PROMOTIONS: [(f64, Sec); 4] = [(1.0, 0), (0.92, 70 * MINUTE), (0.88, 150 * MINUTE), (1.0, 200 * MINUTE)];

pub struct Environment {
    /// The version that runs.
    pub current: Option<usize>,
    /// The newest version that ever ran.
    pub newest: Option<usize>,
    /// Versions that ran, in the order in which they came.
    pub ran: Vec<usize>,
    /// Older versions are not let in.
    pub least: usize,
    pub busy: bool,
    pub free_at: Sec,
    pub app: App,
    /// The tip of the application's branch, and the version it names.
    config_head: Option<(CommitIx, usize)>,
    /// The deployment that GitHub takes for active.
    active: Option<usize>,
}

impl Environment {
    pub fn new(start: Sec) -> Self {
        Self {
            current: None,
            newest: None,
            ran: Vec::new(),
            least: 0,
            busy: false,
            free_at: start,
            app: App {
                revision: None,
                operation: None,
                history: Vec::new(),
                degraded_since: None,
                healthy_since: start,
                image: None,
                out_of_sync: Vec::new(),
                prune_only: false,
            },
            config_head: None,
            active: None,
        }
    }
}

impl Sim<'_> {
    pub fn is_free(&self, environment: usize) -> bool {
        let environment = &self.environments[environment];
        !environment.busy && self.now >= environment.free_at
    }

    /// Tries once more when the environment is free again.
    pub fn later(&mut self, environment: usize, todo: Todo) {
        let free_at = self.environments[environment].free_at;
        let at = if self.environments[environment].busy { self.now + 4 * MINUTE } else { free_at.max(self.now + 1) };
        self.at(at, todo);
    }

    pub fn promote(&mut self, environment: usize, version: usize) {
        let below = environment.checked_sub(1).and_then(|below| self.environments[below].current);
        let version = below.map_or(version, |below| below.max(version));
        let place = &self.environments[environment];
        let is_old = place.newest.is_some_and(|newest| newest >= version) || version < place.least;
        if is_old || environment == PRODUCTION && self.trouble.is_some() {
            return;
        }
        if self.is_free(environment) {
            self.start(environment, version, Reason::Promotion);
        } else {
            self.later(environment, Todo::Promote { environment, version });
        }
    }

    /// Everything but a promotion.
    pub fn deploy(&mut self, environment: usize, version: usize, reason: Reason) {
        let place = &self.environments[environment];
        let (current, newest) = (place.current, place.newest);
        let in_trouble = environment == PRODUCTION && self.trouble.is_some();
        let wanted = match reason {
            Reason::Retry => newest.is_none_or(|newest| newest < version) && !in_trouble && version >= place.least,
            Reason::Config | Reason::Again | Reason::Resync => !in_trouble && self.is_free(environment) && current == Some(version),
            Reason::Promotion | Reason::Rollback => true,
        };
        if !wanted {
            return;
        }
        if self.is_free(environment) || reason == Reason::Rollback && !place.busy {
            self.start(environment, version, reason);
        } else {
            self.later(environment, Todo::Deploy { environment, version, reason });
        }
    }

    pub fn start(&mut self, environment: usize, version: usize, reason: Reason) {
        self.environments[environment].busy = true;
        let may_fail = matches!(reason, Reason::Promotion | Reason::Retry) && version > 0 && self.trouble.is_none();
        let fails = may_fail && self.draw.chance(0.03);
        let by = self.somebody();
        let told = match (self.service.deploys, reason) {
            (Deploys::Argo, _) | (_, Reason::Config | Reason::Resync) => None,
            _ => Some(Told { id: self.wide_id(), created_at: self.now, running_at: None, finished: None }),
        };
        let (has_told, has_sync) = (told.is_some(), self.service.uses_argo());
        let deployment = Deployment { environment, commit: self.versions[version].commit, version, reason, by, fails, told, sync: None };
        self.world.deployments.push(deployment);
        let place = self.world.deployments.len() - 1;
        if has_told {
            match self.service.provider {
                Provider::Gitlab => self.told_runs(place),
                Provider::Github => {
                    self.tell(What::Deployment { deployment: place, state: State::Created });
                    let wait = self.draw.between(4, 25);
                    self.after(wait, Todo::ToldRuns(place));
                }
            }
        }
        if has_sync {
            self.ask_argo(place);
        } else {
            let wait = self.draw.between(70, 420);
            self.after(wait, Todo::ToldEnds(place));
        }
    }

    /// Writes the manifests, unless they already say it, and lets Argo CD see them.
    fn ask_argo(&mut self, place: usize) {
        let Deployment { environment, version, reason, by, .. } = self.world.deployments[place];
        let head = self.environments[environment].config_head;
        let says_it = head.is_some_and(|(_, named)| named == version) && matches!(reason, Reason::Retry | Reason::Resync);
        let revision = match head {
            Some((commit, _)) if says_it => commit,
            _ => self.write_manifests(place),
        };
        let urgent = environment == PRODUCTION && self.trouble.is_some();
        let by_hand = self.service.manual_production && environment == PRODUCTION || reason == Reason::Resync;
        self.world.deployments[place].sync = Some(Sync { revision, started_at: None, finished: None, by: by_hand.then_some(by) });
        if reason == Reason::Resync {
            self.after(5, Todo::SyncStarts(place));
        } else if by_hand {
            let seen = self.draw.between(40, 110);
            self.after(seen, Todo::SyncPending(place));
            let wait = if urgent { self.draw.between(MINUTE, 4 * MINUTE) } else { self.draw.between(5 * MINUTE, 40 * MINUTE) };
            self.after(seen + wait, Todo::SyncStarts(place));
        } else {
            let wait = self.draw.between(15, 150);
            self.after(wait, Todo::SyncStarts(place));
        }
    }

    fn write_manifests(&mut self, place: usize) -> CommitIx {
        let Deployment { environment, commit, version, reason, by, .. } = self.world.deployments[place];
        let (name, environment_name) = (self.service.name, ENVIRONMENTS[environment]);
        let tag = self.world.repo.commits[commit].tag().to_owned();
        let before = self.environments[environment].config_head.map(|(commit, _)| commit);
        let (author, message, file, content) = if reason == Reason::Config {
            let replicas = self.draw.between(2, 12);
            let memory = self.draw.between(2, 16) * 128;
            let message = format!("{name} {environment_name}: {replicas} replicas, {memory} MiB");
            (by, message, "patch.yaml", format!("spec:\n  replicas: {replicas}\nmemory: {memory}Mi\nchange: {place}\n"))
        } else {
            let rolls_back = reason == Reason::Rollback;
            let author = if rolls_back { by } else { people::deploy_bot() };
            let message = format!("{name} {environment_name}: {} {tag}", if rolls_back { "back to" } else { "deploy" });
            let content = format!("images:\n- name: registry.shop.example/{name}\n  newTag: {tag}\nresources:\n- ../base\n");
            (author, message, "kustomization.yaml", content)
        };
        let words = Words { author, authored_at: self.now, committed_at: self.now, message };
        let revision = self.config.commit_with(vec![before.unwrap_or(0)], vec![(file, content.into_bytes())], words);
        let branch = format!("env/{name}-{environment_name}");
        self.config.set_ref(&format!("refs/heads/{branch}"), revision);
        self.environments[environment].config_head = Some((revision, version));
        self.push(Push { config: true, branch, before, after: revision, commits: vec![revision], by: author });
        revision
    }

    pub fn told_runs(&mut self, place: usize) {
        if let Some(told) = &mut self.world.deployments[place].told {
            told.running_at = Some(self.now);
        }
        self.tell(What::Deployment { deployment: place, state: State::Running });
    }

    pub fn told_ends(&mut self, place: usize) {
        let deployment = &mut self.world.deployments[place];
        let (environment, fails) = (deployment.environment, deployment.fails);
        let outcome = if fails { Outcome::Failure } else { Outcome::Success };
        if let Some(told) = &mut deployment.told {
            told.finished = Some((self.now, outcome));
        }
        self.tell(What::Deployment { deployment: place, state: State::Ended });
        if !fails
            && self.service.provider == Provider::Github
            && let Some(before) = self.environments[environment].active.replace(place)
        {
            self.after(2, Todo::Superseded(before));
        }
        if !self.service.uses_argo() {
            self.ended(place);
        }
    }

    pub fn superseded(&mut self, place: usize) {
        self.tell(What::Deployment { deployment: place, state: State::Superseded });
    }

    /// What follows from a deployment that ended.
    pub fn ended(&mut self, place: usize) {
        let Deployment { environment, version, reason, fails, .. } = self.world.deployments[place];
        let rest = if environment >= 2 { 30 * MINUTE } else { 12 * MINUTE };
        self.environments[environment].busy = false;
        self.environments[environment].free_at = self.now + rest;
        if fails {
            if self.draw.chance(0.85) {
                let wait = self.draw.between(40 * MINUTE, 2 * HOUR);
                self.after(wait, Todo::Deploy { environment, version, reason: Reason::Retry });
            }
            return;
        }
        let here = &mut self.environments[environment];
        here.current = Some(version);
        here.newest = here.newest.max(Some(version));
        if here.ran.last() != Some(&version) {
            here.ran.push(version);
        }
        let is_release = matches!(reason, Reason::Promotion | Reason::Retry);
        if is_release && environment < PRODUCTION {
            let (usual, delay) = PROMOTIONS[environment + 1];
            let share = if environment + 1 == PRODUCTION { self.service.to_production } else { usual };
            if version == 0 || self.draw.chance(share) {
                self.after_work(delay, Todo::Promote { environment: environment + 1, version });
            }
        }
        if self.trouble.is_some() {
            self.helps(environment, version, reason);
        } else if is_release && environment == PRODUCTION && version > 0 {
            let bad = if self.is_bad_week() { 3.5 } else { 1.0 };
            if self.draw.chance(self.service.failing.at(self.week()) * bad) {
                self.begin_trouble(version);
            }
        }
    }
}
