//! What goes wrong in production, who is told of it, and how it ends.

use crate::calendar::{self, HOUR, MINUTE, Sec};
use crate::catalogue::{PRODUCTION, Provider};
use crate::model::{Incident, Purpose, Reason, Step, Tracker, What};
use crate::sim::{Sim, Todo};

const SYMPTOMS: [&str; 8] = [
    "error rate above 5 %",
    "p99 latency above 2 s",
    "requests time out",
    "queue is growing",
    "customers see an error page",
    "pods restart again and again",
    "orders are stuck",
    "health check fails",
];
const CAUSES_OUTSIDE: [&str; 4] = ["database is almost full", "certificate runs out", "cloud zone is down", "partner API answers 503"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Remedy {
    Rollback(usize),
    /// A change that is written, or will be.
    Change(Option<usize>),
    Restart,
}

/// A bad release in production, until it is remedied.
pub struct Trouble {
    /// The version that brought it.
    culprit: usize,
    remedy: Remedy,
    /// Whether the remedy is on its way to production.
    applied: bool,
    incident: Option<usize>,
}

impl Sim<'_> {
    /// The change that the bad release brought.
    pub fn culprit(&self) -> Option<usize> {
        self.trouble.as_ref().and_then(|trouble| self.versions[trouble.culprit].change)
    }

    pub fn set_remedy(&mut self, change: usize) {
        if let Some(trouble) = &mut self.trouble {
            trouble.remedy = Remedy::Change(Some(change));
        }
    }

    pub fn begin_trouble(&mut self, version: usize) {
        let detected = self.draw.spread(14.0 * MINUTE as f64).clamp(4 * MINUTE, 100 * MINUTE);
        let restored = self.draw.spread(self.service.restore_minutes * MINUTE as f64).clamp(25 * MINUTE, 7 * HOUR);
        let before = self.environments[PRODUCTION].ran.iter().rev().nth(1).copied().filter(|before| *before < version);
        let fate = self.draw.unit();
        let remedy = match before {
            Some(before) if fate < 0.42 => Remedy::Rollback(before),
            _ if fate < 0.86 => Remedy::Change(None),
            _ => Remedy::Restart,
        };
        self.trouble = Some(Trouble { culprit: version, remedy, applied: false, incident: None });
        if remedy == Remedy::Restart || self.draw.chance(0.88) {
            self.after(detected, Todo::IncidentOpens);
        }
        if self.service.uses_argo() && remedy != Remedy::Restart && self.draw.chance(0.4) {
            self.after((detected * 2 / 3).min(24 * MINUTE), Todo::Degrades);
        }
        match remedy {
            Remedy::Rollback(_) => self.after((restored - 10 * MINUTE).max(detected + 3 * MINUTE), Todo::Remedy),
            Remedy::Change(_) => {
                let purpose = if fate < 0.72 { Purpose::Hotfix } else { Purpose::Revert };
                let thinking = (restored - 75 * MINUTE).max(0) * 2 / 3;
                self.after(detected + 4 * MINUTE + thinking, Todo::Begin(purpose));
            }
            Remedy::Restart => self.after(restored.max(detected + 5 * MINUTE), Todo::TroubleOver),
        }
    }

    pub fn degrades(&mut self) {
        if self.trouble.is_none() || self.environments[PRODUCTION].busy {
            return;
        }
        let app = &mut self.environments[PRODUCTION].app;
        app.degraded_since = Some(self.now);
        self.observe(PRODUCTION, "on-health-degraded");
    }

    /// Brings the remedy to production.
    pub fn remedy(&mut self) {
        let Some(trouble) = &self.trouble else { return };
        let (version, reason) = match trouble.remedy {
            Remedy::Rollback(version) => (Some(version), Reason::Rollback),
            Remedy::Change(_) => (self.environments[0].current, Reason::Promotion),
            Remedy::Restart => (None, Reason::Again),
        };
        let Some(version) = version else { return };
        if self.environments[PRODUCTION].busy {
            self.after(2 * MINUTE, Todo::Remedy);
        } else {
            if let Some(trouble) = &mut self.trouble {
                trouble.applied = true;
            }
            self.start(PRODUCTION, version, reason);
        }
    }

    /// Looks whether a deployment that succeeded is, or opens the way for, the remedy.
    pub fn helps(&mut self, environment: usize, version: usize, reason: Reason) {
        let Some(trouble) = &mut self.trouble else { return };
        let fixed_in = match trouble.remedy {
            Remedy::Change(Some(change)) => self.world.changes[change].version,
            _ => None,
        };
        let fixes = fixed_in.is_some_and(|fixed_in| version >= fixed_in);
        if environment == 0 && fixes && !trouble.applied {
            trouble.applied = true;
            self.after(MINUTE, Todo::Remedy);
        } else if environment == PRODUCTION && (fixes || reason == Reason::Rollback) {
            let wait = self.draw.between(3 * MINUTE, 12 * MINUTE);
            self.after(wait, Todo::TroubleOver);
        }
    }

    pub fn trouble_over(&mut self) {
        let Some(trouble) = self.trouble.take() else { return };
        if let Some(incident) = trouble.incident {
            self.resolve(incident);
        }
        if let Remedy::Rollback(_) = trouble.remedy {
            self.environments[PRODUCTION].least = usize::MAX;
            self.at(calendar::add_work(self.now, 40 * MINUTE), Todo::Begin(Purpose::Repair));
        } else if let Some(version) = self.environments[PRODUCTION - 1].current {
            self.after_work(90 * MINUTE, Todo::Promote { environment: PRODUCTION, version });
        }
    }

    pub fn incident_opens(&mut self) {
        if self.trouble.is_none() {
            return;
        }
        let tracker = match (self.draw.chance(0.78), self.service.provider) {
            (true, _) => Tracker::PagerDuty,
            (false, Provider::Gitlab) => Tracker::GitlabIssue,
            (false, Provider::Github) => Tracker::GithubIssue,
        };
        let symptom = *self.draw.pick(&SYMPTOMS);
        let priority = self.draw.chance(0.8).then(|| 1 + self.draw.below(3) as u8);
        let incident = self.open_incident(tracker, symptom, priority, true);
        if let Some(trouble) = &mut self.trouble {
            trouble.incident = Some(incident);
        }
    }

    fn open_incident(&mut self, tracker: Tracker, symptom: &str, priority: Option<u8>, high_urgency: bool) -> usize {
        let title = format!("{}: {symptom}", self.service.name);
        let by = self.somebody();
        self.world.incidents.push(Incident {
            tracker,
            number: self.world.incidents.len() as i64 + 1,
            title,
            priority,
            high_urgency,
            by,
            opened_at: self.now,
            acknowledged_at: None,
            resolved_at: None,
        });
        let incident = self.world.incidents.len() - 1;
        self.tell(What::Incident { incident, step: Step::Opened });
        if tracker == Tracker::PagerDuty {
            let wait: Sec = self.draw.between(MINUTE, 15 * MINUTE);
            self.after(wait, Todo::Acknowledge(incident));
        }
        incident
    }

    pub fn acknowledge(&mut self, incident: usize) {
        if self.world.incidents[incident].resolved_at.is_none() {
            self.world.incidents[incident].acknowledged_at = Some(self.now);
            self.tell(What::Incident { incident, step: Step::Acknowledged });
        }
    }

    pub fn resolve(&mut self, incident: usize) {
        self.world.incidents[incident].resolved_at = Some(self.now);
        self.tell(What::Incident { incident, step: Step::Resolved });
        let reopens = self.world.incidents[incident].tracker == Tracker::PagerDuty && self.draw.chance(0.015);
        if reopens {
            let wait = self.draw.between(10 * MINUTE, 40 * MINUTE);
            self.after(wait, Todo::Reopen(incident));
        }
    }

    pub fn reopen(&mut self, incident: usize) {
        self.world.incidents[incident].resolved_at = None;
        self.tell(What::Incident { incident, step: Step::Reopened });
        let wait = self.draw.between(20 * MINUTE, 60 * MINUTE);
        self.after(wait, Todo::Resolve(incident));
    }

    /// Something breaks that no deployment brought.
    pub fn unrelated_incident(&mut self) {
        let symptom = *self.draw.pick(&CAUSES_OUTSIDE);
        let high = self.draw.chance(0.6);
        let incident = self.open_incident(Tracker::PagerDuty, symptom, high.then_some(3), high);
        let is_late = self.calendar.end - self.now < 6 * calendar::WEEK;
        if !is_late || self.draw.chance(0.2) {
            let wait = self.draw.spread(70.0 * MINUTE as f64).clamp(16 * MINUTE, 9 * HOUR);
            self.after(wait, Todo::Resolve(incident));
        }
    }

    /// The story ends with something open: search is down on the last Sunday evening.
    pub fn last_evening(&mut self) {
        if self.service.name == "search" {
            self.open_incident(Tracker::PagerDuty, "results are empty", Some(1), true);
        }
    }
}
