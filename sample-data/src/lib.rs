//! The sample shop: two years of twenty services, told as the webhooks that GitLab, GitHub, Argo CD and PagerDuty send,
//! as the git history behind them, and as what the generator itself knows of it.
//!
//! The same seed gives the same bytes on every machine. STORY.md says what there is to see, README.md what the truth assumes.

mod apps;
mod argocd;
mod calendar;
mod catalogue;
mod deploys;
mod draw;
mod flow;
mod git;
mod github;
mod gitlab;
mod history;
mod json;
mod model;
mod pagerduty;
mod people;
mod runs;
mod scene;
mod signing;
mod sim;
mod trouble;
mod truth;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use calendar::Calendar;
use history::Repo;
use model::{Act, Event, State, Tracker, What, World};
use scene::Scene;

pub use catalogue::{Deploys, ENVIRONMENTS, Landing, Provider, Service};
pub use signing::sign;
pub use truth::Truth;

/// One webhook, as it is to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When it arrives.
    pub at: DateTime<Utc>,
    /// `gitlab`, `github`, `argocd` or `pagerduty`.
    pub hook: &'static str,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Seconds between an event and the webhook that tells of it.
const LATENCY: calendar::Sec = 1;

/// The shop and all that happened in it.
pub struct Shop {
    seed: u64,
    calendar: Calendar,
    worlds: Vec<World>,
    /// The repository of manifests that Argo CD follows.
    config: Repo,
    events: Vec<Event>,
    /// What happens later is not told.
    until: calendar::Sec,
    gitlab: gitlab::Texts,
    github: github::Texts,
}

impl Shop {
    /// Lives through the two years. With `shift_weeks` 0 the last day is Sunday 2026-06-28.
    pub fn generate(seed: u64, shift_weeks: i64) -> Shop {
        let calendar = Calendar::shifted(shift_weeks);
        let mut config = Repo::new(catalogue::GITLAB_HOST, catalogue::CONFIG_PATH.to_owned());
        sim::begin_config(&mut config, calendar);
        let mut worlds = Vec::with_capacity(catalogue::SERVICES.len());
        let mut events = Vec::new();
        for index in 0..catalogue::SERVICES.len() {
            let (world, happened) = sim::live(index, seed, calendar, &mut config);
            worlds.push(world);
            events.extend(happened);
        }
        events.sort_by_key(|event| event.at);
        Shop {
            seed,
            calendar,
            worlds,
            config,
            events,
            until: calendar::Sec::MAX,
            gitlab: gitlab::Texts::new(),
            github: github::Texts::new(),
        }
    }

    /// The shop as it was at a moment: no webhook and no commit from later.
    pub fn told_until(mut self, until: DateTime<Utc>) -> Shop {
        self.until = until.timestamp();
        self.events.retain(|event| event.at + LATENCY < until.timestamp());
        self
    }

    /// Every webhook in the order of time, each made when it is asked for.
    pub fn deliveries(&self) -> impl ExactSizeIterator<Item = Delivery> + '_ {
        self.events.iter().enumerate().map(|(place, event)| self.delivery(place, *event))
    }

    fn delivery(&self, place: usize, event: Event) -> Delivery {
        let scene = Scene {
            shop: self,
            world: &self.worlds[event.service],
            service: &catalogue::SERVICES[event.service],
            event,
            nth: place as u64 + self.seed % 1_000 * 1_000_000,
        };
        let hook = self.hook(&event);
        let (headers, body) = match (hook, event.what) {
            (_, What::Observation(observation)) => (argocd::headers(), argocd::payload(&scene, &scene.world.observations[observation])),
            ("pagerduty", What::Incident { incident, step }) => {
                (pagerduty::headers(&scene), pagerduty::payload(&scene, &scene.world.incidents[incident], step))
            }
            ("github", _) => {
                let (name, body) = github::payload(&scene);
                (github::headers(&scene, name), body)
            }
            _ => {
                let (name, body) = gitlab::payload(&scene);
                (gitlab::headers(&scene, name), body)
            }
        };
        Delivery { at: calendar::instant(event.at + LATENCY), hook, headers, body: body.into_bytes() }
    }

    fn hook(&self, event: &Event) -> &'static str {
        let world = &self.worlds[event.service];
        match event.what {
            What::Observation(_) => "argocd",
            What::Push(push) if world.pushes[push].config => "gitlab",
            What::Incident { incident, .. } => match world.incidents[incident].tracker {
                Tracker::PagerDuty => "pagerduty",
                Tracker::GitlabIssue => "gitlab",
                Tracker::GithubIssue => "github",
            },
            _ => catalogue::SERVICES[event.service].source(),
        }
    }

    /// How many deliveries there are of each hook, kind and service.
    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for event in &self.events {
            let world = &self.worlds[event.service];
            let kind = match event.what {
                What::Push(push) if world.pushes[push].config => "push (manifests)",
                What::Push(_) => "push",
                What::Change { act: Act::Reviewed(_), .. } => "review",
                What::Change { .. } => "change",
                What::Run { .. } => "pipeline",
                What::Job { .. } => "job",
                What::Deployment { state: State::Created, .. } => "deployment",
                What::Deployment { .. } => "deployment status",
                What::Observation(observation) => world.observations[observation].trigger,
                What::Incident { .. } => "incident",
            };
            *counts.entry((self.hook(event), kind, catalogue::SERVICES[event.service].name)).or_default() += 1;
        }
        counts
    }

    /// Writes bare repositories to `<dir>/<host>/<group>/<name>.git`.
    pub fn write_git(&self, dir: &Path) -> io::Result<()> {
        let repos: Vec<&Repo> = self.worlds.iter().map(|world| &world.repo).chain([&self.config]).collect();
        git::write_all(&repos, dir, self.until)
    }

    /// What the generator knows, as rows of the public schema.
    pub fn truth(&self) -> Truth {
        truth::truth(self)
    }

    pub fn services(&self) -> &'static [Service] {
        &catalogue::SERVICES
    }

    pub fn teams(&self) -> &'static [&'static str] {
        &catalogue::TEAMS
    }
}
