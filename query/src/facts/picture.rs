//! The picture that questions are asked of: whole, unchanging, cheap to clone.

use super::approvals::Approvals;
use super::changes::{ChangeRow, Logical, change_set, fan_out};
use super::deployments::Classified;
use super::drift;
use super::failures::{Deployments, Failure, Fixes, Link, Spot};
use super::graph::Repo;
use super::runs::Runs;
use super::scans::Scans;
use super::test_results::{Checks, Tests};
use crate::catalogue::Catalogue;
use crate::definitions::Definitions;
use crate::entities::Key;
use flowgauge_lake::model::facts::PipelineFact;
use flowgauge_lake::model::{GitopsObservation, Source, Tier, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stream of deployments and the commits it brought.
#[derive(Debug, Default, PartialEq)]
pub struct Stream {
    pub logical: Vec<Logical>,
    pub changes: Vec<ChangeRow>,
}

/// The deployments of one service, and what they brought to production and to each environment.
#[derive(Debug)]
pub struct ServiceFacts {
    pub deployments: Arc<Vec<Classified>>,
    /// Grain `service`: one stream over all environments that count, by default those of production.
    pub production: Stream,
    /// Grain `environment`: each environment's own stream.
    pub environments: BTreeMap<String, Stream>,
    /// How far up the service's ladder each of its environments is; those that are on no rung are missing.
    pub ranks: BTreeMap<String, usize>,
    pub(super) tiers: BTreeMap<String, Tier>,
    pub(super) paths: Option<Vec<String>>,
    pub(super) definitions: Arc<Definitions>,
}

impl ServiceFacts {
    /// The tier of an environment that has deployments.
    pub fn tier(&self, environment: &str) -> Option<Tier> {
        self.tiers.get(environment).copied()
    }

    /// The paths of its repository that are the service's own; without any, all are.
    pub fn paths(&self) -> Option<&[String]> {
        self.paths.as_deref()
    }

    /// The change stream of the environments that a question asks for.
    /// `merged`: whether the same version in several of them is one deployment.
    pub fn stream(&self, wanted: &dyn Fn(&Classified) -> bool, merged: bool) -> Stream {
        let all = &self.deployments;
        let rows = (0..all.len()).filter(|&i| all[i].is_counted(&self.definitions) && wanted(&all[i]));
        let mut logical = if merged { fan_out(all, rows, &self.definitions) } else { rows.map(|i| Logical(vec![i])).collect() };
        // A deployment is there when its last environment is.
        logical.sort_by(|a, b| {
            let finish = |group: &Logical| group.0.last().and_then(|&i| all[i].finished_at());
            (finish(a), &all[a.0[0]].row.deployment_id).cmp(&(finish(b), &all[b.0[0]].row.deployment_id))
        });
        let changes = change_set(&self.deployments, &logical, self.paths.as_deref(), &self.definitions);
        Stream { logical, changes }
    }
}

/// The observations of one application, in order of time.
#[derive(Debug)]
pub struct AppFacts {
    pub app: String,
    pub source: Source,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub tier: Option<Tier>,
    pub observations: Vec<GitopsObservation>,
    pub drift: drift::AppDrift,
}

/// The picture that questions are asked of. Cheap to clone, never changed.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub catalogue: Arc<Catalogue>,
    pub services: BTreeMap<String, Arc<ServiceFacts>>,
    pub failures: Arc<BTreeMap<String, Vec<Failure>>>,
    pub fixes: Arc<Fixes>,
    pub links: Arc<Vec<Link>>,
    pub apps: BTreeMap<(String, Source), Arc<AppFacts>>,
    /// Commits and changes by repository.
    pub repos: Arc<BTreeMap<String, Arc<Repo>>>,
    /// Pipeline facts by repository.
    pub runs: BTreeMap<Option<String>, Arc<BTreeMap<Key, PipelineFact>>>,
    /// Runs as a whole, with their jobs.
    pub by_run: Arc<Runs>,
    /// Results of tests in pipelines, and of checks after deployments.
    pub tests: Arc<Tests>,
    pub checks: Arc<Checks>,
    pub scans: Arc<Scans>,
    pub approvals: Arc<Approvals>,
    /// Every incident there is, of any environment: when it began (if it says) and the services it names.
    pub incident_bases: Arc<Vec<(Option<Time>, Vec<String>)>>,
    pub definitions: Arc<Definitions>,
    pub data_as_of: Option<Time>,
    pub version: u64,
}

impl Facts {
    pub fn deployment(&self, spot: &Spot) -> Option<&Classified> {
        self.services.get(&spot.service)?.deployments.get(spot.index)
    }

    pub fn deployments(&self) -> Deployments {
        self.services.iter().map(|(name, facts)| (name.clone(), facts.deployments.clone())).collect()
    }
}
