//! Argo CD applications: syncs, and the drift between them.

use crate::calendar::{DAY, HOUR, MINUTE};
use crate::catalogue::{Deploys, PRODUCTION};
use crate::model::{Deployment, Observation, Operation, Outcome, Phase, Reason, Synced, What};
use crate::sim::{Sim, Todo, is_watched};

/// The lines of history that a notification shows: short, to keep payloads lean.
const HISTORY_SHOWN: usize = 2;

/// The resource that carries the image.
const WORKLOAD: usize = 0;
/// The resource that is left over after a removal from the manifests.
pub const LEFTOVER: usize = 3;

impl Sim<'_> {
    /// Sends a notification of the application as it stands.
    pub fn observe(&mut self, environment: usize, trigger: &'static str) {
        let app = self.environments[environment].app.clone();
        self.world.observations.push(Observation { environment, at: self.now, trigger, app });
        self.tell(What::Observation(self.world.observations.len() - 1));
    }

    fn see_revision(&mut self, place: usize) {
        let Deployment { environment, reason, .. } = self.world.deployments[place];
        let Some(sync) = &self.world.deployments[place].sync else { return };
        let app = &mut self.environments[environment].app;
        app.revision = Some(sync.revision);
        app.prune_only = false;
        if reason != Reason::Resync {
            app.out_of_sync = vec![if reason == Reason::Config { 1 } else { WORKLOAD }];
        }
    }

    pub fn sync_pending(&mut self, place: usize) {
        self.see_revision(place);
        self.observe(self.world.deployments[place].environment, "on-out-of-sync");
    }

    pub fn sync_starts(&mut self, place: usize) {
        self.see_revision(place);
        let environment = self.world.deployments[place].environment;
        let Some(sync) = &mut self.world.deployments[place].sync else { return };
        sync.started_at = Some(self.now);
        self.environments[environment].app.operation = Some(Operation {
            phase: Phase::Running,
            revision: sync.revision,
            started_at: self.now,
            finished_at: None,
            by: sync.by,
            heals: false,
        });
        if is_watched(environment) {
            self.observe(environment, "on-sync-running");
        }
        let wait = self.draw.between(25, 240);
        self.after(wait, Todo::SyncEnds(place));
    }

    pub fn sync_ends(&mut self, place: usize) {
        let now = self.now;
        let Deployment { environment, commit, fails, .. } = self.world.deployments[place];
        let has_told = self.world.deployments[place].told.is_some();
        let outcome = if fails { Outcome::Failure } else { Outcome::Success };
        let Some(sync) = &mut self.world.deployments[place].sync else { return };
        sync.finished = Some((now, outcome));
        let app = &mut self.environments[environment].app;
        // Where the workload could not be written, the pods of before run on.
        if !fails {
            app.image = Some(commit);
        }
        if let Some(operation) = &mut app.operation {
            operation.phase = if fails { Phase::Failed } else { Phase::Succeeded };
            operation.finished_at = Some(now);
            if !fails {
                let id = app.history.last().map_or(0, |line| line.id + 1);
                app.history.push(Synced {
                    id,
                    revision: operation.revision,
                    started_at: operation.started_at,
                    finished_at: now,
                    by: operation.by,
                });
                app.history.drain(..app.history.len().saturating_sub(HISTORY_SHOWN));
            }
        }
        if !fails {
            app.out_of_sync.clear();
            app.degraded_since = None;
            app.healthy_since = now;
        }
        self.observe(environment, if fails { "on-sync-failed" } else { "on-sync-succeeded" });
        if self.service.deploys == Deploys::Both && has_told {
            let wait = self.draw.between(15, 50);
            self.after(wait, Todo::ToldEnds(place));
        }
        self.ended(place);
    }

    fn is_calm(&self, environment: usize) -> bool {
        let app = &self.environments[environment].app;
        let in_trouble = environment == PRODUCTION && self.trouble.is_some();
        let last_ok = app.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Succeeded);
        self.is_free(environment) && last_ok && !in_trouble && app.out_of_sync.is_empty()
    }

    pub fn drifts(&mut self, environment: usize) {
        if !self.is_calm(environment) {
            return;
        }
        let by_hand = self.service.manual_production && environment == PRODUCTION;
        if !by_hand && self.draw.chance(0.65) {
            let again = if self.is_bad_week() && self.draw.chance(0.35) { 4 } else { 0 };
            if again == 0 && self.draw.chance(0.3) {
                // Healed before anybody saw it.
                self.environments[environment].busy = true;
                self.after(3, Todo::HealStarts { environment, again });
            } else {
                self.drift_again(environment, again);
            }
            return;
        }
        let prune_only = self.draw.chance(0.2);
        let first = 1 + self.draw.below(2);
        let app = &mut self.environments[environment].app;
        app.prune_only = prune_only;
        app.out_of_sync = if prune_only { vec![LEFTOVER] } else { vec![first] };
        if !prune_only && self.draw.chance(0.3) {
            self.environments[environment].app.out_of_sync = vec![1, 2];
        }
        self.observe(environment, "on-out-of-sync");
        if prune_only || self.draw.chance(0.6) {
            self.after_work(5 * HOUR, Todo::Resync(environment));
        } else {
            let wait = self.draw.spread(3.0 * HOUR as f64).min(2 * DAY);
            self.after(wait, Todo::BackInSync(environment));
        }
    }

    /// Something changes what runs, and Argo CD is about to put it back.
    pub fn drift_again(&mut self, environment: usize, again: u8) {
        if self.environments[environment].busy || !self.environments[environment].app.out_of_sync.is_empty() {
            return;
        }
        let first = 1 + self.draw.below(2);
        let here = &mut self.environments[environment];
        here.busy = true;
        here.app.out_of_sync = vec![first];
        here.app.prune_only = false;
        self.observe(environment, "on-out-of-sync");
        let wait = self.draw.between(4, 14);
        self.after(wait, Todo::HealStarts { environment, again });
    }

    pub fn heal_starts(&mut self, environment: usize, again: u8) {
        let app = &mut self.environments[environment].app;
        let Some(revision) = app.revision else { return };
        app.operation = Some(Operation { phase: Phase::Running, revision, started_at: self.now, finished_at: None, by: None, heals: true });
        let wait = self.draw.between(3, 40);
        self.after(wait, Todo::HealEnds { environment, again });
    }

    pub fn heal_ends(&mut self, environment: usize, again: u8) {
        let here = &mut self.environments[environment];
        here.busy = false;
        here.free_at = self.now + 6 * MINUTE;
        here.app.out_of_sync.clear();
        if let Some(operation) = &mut here.app.operation {
            operation.phase = Phase::Succeeded;
            operation.finished_at = Some(self.now);
        }
        self.observe(environment, "on-sync-succeeded");
        if again > 0 {
            let wait = self.draw.between(40, 100);
            self.after(wait, Todo::DriftAgain { environment, again: again - 1 });
        }
    }

    /// A person syncs the same revision once more.
    pub fn resync(&mut self, environment: usize) {
        let here = &self.environments[environment];
        if here.app.out_of_sync.is_empty() {
            return;
        }
        if let Some(version) = here.current {
            self.deploy(environment, version, Reason::Resync);
        }
    }

    /// Whoever changed it by hand changed it back.
    pub fn back_in_sync(&mut self, environment: usize) {
        let here = &mut self.environments[environment];
        if here.busy || here.app.out_of_sync.is_empty() || here.app.history.last().map(|line| line.revision) != here.app.revision {
            return;
        }
        here.app.out_of_sync.clear();
        here.app.prune_only = false;
        self.observe(environment, "on-back-in-sync");
    }
}
