//! Facts: what follows from the entities. `Tenant` keeps them up to date as rows come in, recomputing only the services,
//! applications and runs that a row touches; `Facts` is the unchanging picture that questions are asked of.
//! A rebuild from the log gives an equal picture.

pub mod changes;
pub mod deployments;
pub mod drift;
pub mod failures;
pub mod graph;
pub mod pipelines;
mod rows;
pub mod verdicts;

pub use rows::{by_month, fact_rows};

use crate::catalogue::{Catalogue, CatalogueConfig};
use crate::definitions::Definitions;
use crate::entities::{Entities, Key};
use changes::{ChangeRow, Logical, change_set, fan_out};
use deployments::{Classified, Sources, Tip, classify};
use failures::{Degraded, Deployments, Failure, Fixes, Link, Register};
use flowgauge_lake::model::facts::PipelineFact;
use flowgauge_lake::model::{
    Artifact, Cell, Deployment, DeploymentKind, GitopsObservation, Incident, PipelineRun, Row, Service, Source, Table, TestResult, Tier,
    Time, Verdict,
};
use graph::Repo;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use verdicts::Verdicts;

/// The typed entity of folded cells.
pub(crate) fn entity<T: Typed>(cells: &[Cell]) -> T {
    T::typed(cells).expect("folded cells have their table's columns")
}

/// Entities that facts are made of.
pub(crate) trait Typed: Sized {
    fn typed(cells: &[Cell]) -> Option<Self>;
}

macro_rules! typed {
    ($($name:ident),+) => {
        $(impl Typed for flowgauge_lake::model::$name {
            fn typed(cells: &[Cell]) -> Option<Self> {
                flowgauge_lake::model::$name::from_cells(cells)
            }
        })+
    };
}
typed!(Artifact, Change, Commit, Deployment, GitopsObservation, Incident, Job, PipelineRun, Push, Service, TestResult, Verdict);

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
    /// Grain `service`: one stream over all production environments.
    pub production: Stream,
    /// Grain `environment`: each environment's own stream.
    pub environments: BTreeMap<String, Stream>,
    paths: Option<Vec<String>>,
    fanout_window: i64,
}

impl ServiceFacts {
    /// The change stream of the environments that a question asks for.
    /// `merged`: whether the same version in several of them is one deployment.
    pub fn stream(&self, wanted: &dyn Fn(&Classified) -> bool, merged: bool) -> Stream {
        let all = &self.deployments;
        let rows = (0..all.len()).filter(|&i| all[i].is_release() && wanted(&all[i]));
        let mut logical = if merged { fan_out(all, rows, self.fanout_window) } else { rows.map(|i| Logical(vec![i])).collect() };
        // A deployment is there when its last environment is.
        logical.sort_by(|a, b| {
            let finish = |group: &Logical| group.0.last().and_then(|&i| all[i].finished_at());
            (finish(a), &all[a.0[0]].row.deployment_id).cmp(&(finish(b), &all[b.0[0]].row.deployment_id))
        });
        let changes = change_set(&self.deployments, &logical, self.paths.as_deref());
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
    /// Every incident there is, of any environment: when it began (if it says) and the services it names.
    pub incident_bases: Arc<Vec<(Option<Time>, Vec<String>)>>,
    pub definitions: Arc<Definitions>,
    pub data_as_of: Option<Time>,
    pub version: u64,
}

impl Facts {
    pub fn deployments(&self) -> Deployments {
        self.services.iter().map(|(name, facts)| (name.clone(), facts.deployments.clone())).collect()
    }
}

/// What has to be computed anew.
#[derive(Debug, Default)]
struct Dirty {
    catalogue: bool,
    artifacts: bool,
    incidents: bool,
    repos: BTreeSet<String>,
    services: BTreeSet<String>,
    apps: BTreeSet<(String, Source)>,
    runs: BTreeSet<Key>,
}

/// An entity's row as it was, or as it is now.
#[derive(Clone, Copy, Debug)]
enum Change {
    Gone,
    Come,
}

/// One tenant: its entities, and the facts that follow from them.
#[derive(Debug)]
pub struct Tenant {
    pub entities: Entities,
    config: Arc<CatalogueConfig>,
    definitions: Arc<Definitions>,
    /// Deployments by the service that the configuration gives them.
    by_service: BTreeMap<String, BTreeSet<Key>>,
    /// The services that came of each of these names.
    produced: BTreeMap<String, BTreeSet<String>>,
    /// The repositories that deployments and runs name for a service, each with how many do: what nobody names any more is forgotten.
    named_repos: BTreeMap<String, BTreeMap<String, usize>>,
    /// The repository of a service that is called `group/name` because several share the name.
    qualified: BTreeMap<String, String>,
    /// The repository under which a run's fact stands.
    run_repos: BTreeMap<Key, Option<String>>,
    run_keys: HashMap<(String, Source), BTreeSet<Key>>,
    /// Verdicts by the id of the deployment that they are about.
    verdicts: BTreeMap<String, BTreeSet<Key>>,
    sources: Sources,
    dirty: Dirty,
    facts: Facts,
    /// The version of the entities that the facts were last derived from.
    refreshed_version: Option<u64>,
}

impl Tenant {
    pub fn new(config: Arc<CatalogueConfig>, definitions: Arc<Definitions>) -> Self {
        let facts = Facts { definitions: definitions.clone(), ..Facts::default() };
        Tenant {
            entities: Entities::default(),
            config,
            definitions,
            by_service: BTreeMap::new(),
            produced: BTreeMap::new(),
            named_repos: BTreeMap::new(),
            qualified: BTreeMap::new(),
            run_repos: BTreeMap::new(),
            run_keys: HashMap::new(),
            verdicts: BTreeMap::new(),
            sources: Sources::default(),
            dirty: Dirty { catalogue: true, ..Dirty::default() },
            facts,
            refreshed_version: None,
        }
    }

    /// Another configuration: everything is derived anew from the same entities.
    pub fn reconfigure(&mut self, config: Arc<CatalogueConfig>, definitions: Arc<Definitions>) {
        let entities = std::mem::take(&mut self.entities);
        let mut fresh = Tenant::new(config, definitions);
        for &table in Table::ALL {
            for (_, stored) in entities.table(table) {
                for row in stored.rows() {
                    fresh.apply(table, row.clone());
                }
            }
        }
        fresh.entities.version = entities.version + 1;
        fresh.facts.version = self.facts.version;
        *self = fresh;
    }

    /// Takes in one row of an observation table.
    pub fn apply(&mut self, table: Table, row: Row) {
        let (source, cells_now) = (row.source.clone(), row.cells.clone());
        let Some((before, after)) = self.entities.apply(table, row) else { return };
        let text = |cells: &[Cell], name: &str| table.spec().column(name).and_then(|i| cells[i].as_text().map(str::to_owned));
        let touched = |name: &str| before.iter().chain([&after]).filter_map(|cells| text(cells, name)).collect::<BTreeSet<_>>();
        match table {
            Table::Service => self.dirty.catalogue = true,
            Table::Commit | Table::Push | Table::Change => self.dirty.repos.extend(touched("repo")),
            Table::Artifact => self.dirty.artifacts = true,
            Table::Deployment => {
                for (cells, change) in before.iter().map(|cells| (cells, Change::Gone)).chain([(&after, Change::Come)]) {
                    self.index_deployment(&source, cells, change);
                }
            }
            Table::GitopsObservation => {
                self.dirty.apps.extend(text(&cells_now, "app").map(|app| (app, source)));
            }
            Table::Incident | Table::TestResult => self.dirty.incidents = true,
            Table::Verdict => {
                self.dirty.incidents = true;
                let key = self.entities.key(table, &source, &after);
                for id in touched("deployment_id") {
                    self.verdicts.entry(id.clone()).or_default().insert(key.clone());
                    self.touch_deployments(&id);
                }
            }
            Table::PipelineRun => {
                for (cells, change) in before.iter().map(|cells| (cells, Change::Gone)).chain([(&after, Change::Come)]) {
                    let repo = entity::<PipelineRun>(cells).repo;
                    let service = repo.as_deref().and_then(|repo| repo.rsplit('/').next()).map(str::to_owned);
                    self.name_repo(service, repo, change);
                }
                let run = entity::<PipelineRun>(&after);
                let key = self.entities.key(table, &source, &after);
                self.run_keys.entry((run.run_id, source)).or_default().insert(key.clone());
                self.dirty.runs.insert(key);
            }
            Table::Job => {
                for run_id in touched("run_id") {
                    self.dirty.runs.extend(self.run_keys.get(&(run_id, source.clone())).into_iter().flatten().cloned());
                }
            }
            _ => {}
        }
    }

    fn index_deployment(&mut self, source: &Source, cells: &[Cell], change: Change) {
        let row = entity::<Deployment>(cells);
        let key = self.entities.key(Table::Deployment, source, cells);
        let service = self.resolve(&row);
        let gathered = self.by_service.entry(service.clone()).or_default();
        match change {
            Change::Come => gathered.insert(key),
            Change::Gone => gathered.remove(&key),
        };
        self.name_repo(Some(service.clone()), row.repo, change);
        self.dirty.services.insert(service);
        // Whom a verdict means may depend on who else has the id.
        if self.verdicts.contains_key(&row.deployment_id) {
            self.touch_deployments(&row.deployment_id);
        }
    }

    /// The services of all deployments with this id are to be derived anew.
    fn touch_deployments(&mut self, deployment_id: &str) {
        let rows = self.entities.with_first(Table::Deployment, deployment_id).map(|(_, stored)| entity::<Deployment>(stored.cells()));
        let services: Vec<String> = rows.map(|row| self.resolve(&row)).collect();
        self.dirty.services.extend(services);
    }

    /// What people said a deployment was: by verdicts of its own source, or by any where no other row has the id.
    fn said_kind(&self, source: &Source, deployment_id: &str) -> Option<DeploymentKind> {
        let keys = self.verdicts.get(deployment_id)?;
        let having: Vec<&Source> = self.entities.with_first(Table::Deployment, deployment_id).map(|(_, stored)| stored.source()).collect();
        let mut verdicts: Vec<(Source, Verdict)> = keys
            .iter()
            .filter_map(|key| self.entities.get(Table::Verdict, key))
            .map(|stored| (stored.source().clone(), entity::<Verdict>(stored.cells())))
            .filter(|(of, verdict)| {
                verdict.deployment_id.as_deref() == Some(deployment_id) && (of == source || (having.len() == 1 && having[0] == source))
            })
            .collect();
        verdicts::order(&mut verdicts);
        verdicts::kind(verdicts.iter().map(|(_, verdict)| verdict))
    }

    /// Counts who names a repository for a service.
    fn name_repo(&mut self, service: Option<String>, repo: Option<String>, change: Change) {
        let (Some(service), Some(repo)) = (service, repo) else { return };
        let repos = self.named_repos.entry(service).or_default();
        let first = repos.first_key_value().map(|(repo, _)| repo.clone());
        let count = repos.entry(repo.clone()).or_default();
        match change {
            Change::Come => *count += 1,
            Change::Gone => *count -= 1,
        }
        if *count == 0 {
            repos.remove(&repo);
        }
        self.dirty.catalogue |= repos.first_key_value().map(|(repo, _)| repo) != first.as_ref();
    }

    /// The repository of each service as its rows tell it, the first by name where several do.
    fn repos(&self) -> BTreeMap<String, String> {
        let named = self.named_repos.iter().filter_map(|(service, repos)| Some((service.clone(), repos.first_key_value()?.0.clone())));
        named.chain(self.qualified.clone()).collect()
    }

    /// Whether rows have come in since the last refresh.
    pub fn is_dirty(&self) -> bool {
        self.refreshed_version != Some(self.entities.version)
    }

    /// Brings the facts up to date and gives the new picture.
    pub fn refresh(&mut self) -> Facts {
        let dirty = std::mem::take(&mut self.dirty);
        self.refreshed_version = Some(self.entities.version);
        if dirty.catalogue {
            self.refresh_catalogue();
        }
        for repo in &dirty.repos {
            self.sources.repos.insert(repo.clone(), Arc::new(Repo::build(repo, &self.entities)));
        }
        if !dirty.repos.is_empty() {
            self.facts.repos = Arc::new(self.sources.repos.clone());
        }
        if dirty.artifacts {
            let artifacts = self.entities.table(Table::Artifact).map(|(_, stored)| entity::<Artifact>(stored.cells()));
            self.sources.artifacts = artifacts.map(|artifact| (artifact.digest.clone(), artifact)).collect();
        }
        let names: BTreeSet<String> = if dirty.catalogue || dirty.artifacts {
            self.by_service.keys().cloned().collect()
        } else {
            let touched = self.by_service.keys().filter(|name| self.depends_on(name, &dirty.repos)).cloned();
            touched.chain(dirty.services).collect()
        };
        let deployments_changed = !names.is_empty();
        names.iter().for_each(|name| self.refresh_service(name));
        if std::mem::take(&mut self.dirty.catalogue) {
            self.refresh_catalogue();
        }
        self.refresh_apps(if dirty.catalogue { None } else { Some(&dirty.apps) });
        if deployments_changed || dirty.incidents || !dirty.apps.is_empty() || dirty.catalogue {
            self.refresh_failures();
        }
        for key in &dirty.runs {
            if let Some(stored) = self.entities.get(Table::PipelineRun, key) {
                let run = entity::<PipelineRun>(stored.cells());
                let repo = run.repo.clone();
                let fact = pipelines::pipeline_fact(run, stored.source(), &self.entities);
                // A later row may be the first to name the repository, or name another.
                let stood = self.run_repos.insert(key.clone(), repo.clone()).filter(|stood| *stood != repo);
                if let Some(runs) = stood.and_then(|stood| self.facts.runs.get_mut(&stood)) {
                    Arc::make_mut(runs).remove(key);
                }
                Arc::make_mut(self.facts.runs.entry(repo).or_default()).insert(key.clone(), fact);
            }
        }
        self.facts.definitions = self.definitions.clone();
        self.facts.data_as_of = self.entities.data_as_of;
        self.facts.version += 1;
        self.facts.clone()
    }

    fn refresh_catalogue(&mut self) {
        let rows = self.entities.table(Table::Service).map(|(_, stored)| entity::<Service>(stored.cells()));
        let catalogue = Catalogue::build(&self.config, rows, &self.repos());
        if catalogue != *self.facts.catalogue {
            self.facts.catalogue = Arc::new(catalogue);
        }
    }

    /// Whether deployments gathered under this name have to do with one of these repositories, or look for a commit anywhere.
    fn depends_on(&self, name: &str, repos: &BTreeSet<String>) -> bool {
        if repos.is_empty() {
            return false;
        }
        let services = self.produced.get(name).into_iter().flatten().filter_map(|service| self.facts.services.get(service));
        services.flat_map(|service| service.deployments.iter()).any(|deployment| match &deployment.tip {
            Tip::Commit(repo, _) | Tip::Listed(repo, _, _) | Tip::NoGraph(Some((repo, _))) => repos.contains(&repo.name),
            Tip::NoGraph(None) | Tip::NoSourceLink => true,
        })
    }

    /// Classifies the deployments that were gathered under one name anew: one service, or several where repositories share a name.
    fn refresh_service(&mut self, name: &str) {
        let keys = self.by_service.get(name).into_iter().flatten();
        let rows: Vec<(Source, Deployment)> = keys
            .filter_map(|key| self.entities.get(Table::Deployment, key))
            .map(|stored| (stored.source().clone(), entity::<Deployment>(stored.cells())))
            .collect();
        let namesakes: BTreeSet<String> = if self.config.services.iter().any(|service| service.name == name) {
            BTreeSet::new()
        } else {
            let repos = rows.iter().filter_map(|(_, row)| row.repo.clone());
            repos.filter(|repo| repo.rsplit('/').next() == Some(name)).collect()
        };
        let mut services: BTreeMap<String, Vec<(Source, Deployment)>> = BTreeMap::new();
        for (source, row) in rows {
            let service = match &row.repo {
                Some(repo) if namesakes.len() > 1 && namesakes.contains(repo) => {
                    let qualified = repo.split_once('/').map_or(repo.as_str(), |(_, path)| path).to_owned();
                    let known = self.qualified.insert(qualified.clone(), repo.clone());
                    self.dirty.catalogue |= known.as_ref() != Some(repo);
                    qualified
                }
                _ => name.to_owned(),
            };
            services.entry(service).or_default().push((source, row));
        }
        let produced: BTreeSet<String> = services.keys().cloned().collect();
        for gone in self.produced.insert(name.to_owned(), produced.clone()).unwrap_or_default().difference(&produced) {
            self.facts.services.remove(gone);
            self.dirty.catalogue |= self.qualified.remove(gone).is_some();
        }
        for (service, rows) in services {
            let facts = self.service_facts(&service, rows);
            self.facts.services.insert(service, Arc::new(facts));
        }
    }

    fn service_facts(&self, service: &str, rows: Vec<(Source, Deployment)>) -> ServiceFacts {
        let tier = |environment: &str| self.config.tier(environment);
        let catalogue = &self.facts.catalogue;
        let deployments =
            classify(service, rows, &tier, &self.sources, catalogue, &|source, id| self.said_kind(source, id), &self.definitions);
        let mut facts = ServiceFacts {
            deployments: Arc::new(deployments),
            production: Stream::default(),
            environments: BTreeMap::new(),
            paths: catalogue.get(service).and_then(|entry| entry.paths.clone()),
            fanout_window: self.definitions.fanout_window,
        };
        facts.production = facts.stream(&|deployment| deployment.tier == Tier::Production, true);
        let environments: BTreeSet<String> = facts.deployments.iter().map(|deployment| deployment.row.environment.clone()).collect();
        for environment in environments {
            let stream = facts.stream(&|deployment| deployment.row.environment == environment, false);
            facts.environments.insert(environment, stream);
        }
        facts
    }

    /// The service of a deployment by the configuration: by application, name, alias or repository.
    fn resolve(&self, row: &Deployment) -> String {
        let app = row.deployment_id.split('@').next().unwrap_or_default();
        if row.evidence == Some(flowgauge_lake::model::Evidence::GitopsSync)
            && let Some(service) = self.config.service_of_app(app)
        {
            return service.to_owned();
        }
        self.config.service_of(&row.service, row.repo.as_deref())
    }

    /// `None`: all of them, since who owns what has changed.
    fn refresh_apps(&mut self, only: Option<&BTreeSet<(String, Source)>>) {
        let known: BTreeSet<(String, Source)>;
        let apps = match only {
            Some(apps) => apps,
            None => {
                let all = self.entities.table(Table::GitopsObservation);
                known =
                    all.map(|(_, stored)| (stored.cells()[0].as_text().unwrap_or_default().to_owned(), stored.source().clone())).collect();
                &known
            }
        };
        for (app, source) in apps {
            let rows = self.entities.with_first(Table::GitopsObservation, app).filter(|(_, stored)| stored.source() == source);
            let observations: Vec<GitopsObservation> = rows.map(|(_, stored)| entity::<GitopsObservation>(stored.cells())).collect();
            let last = |get: fn(&GitopsObservation) -> &Option<String>| observations.iter().rev().find_map(|seen| get(seen).clone());
            let service = self.config.service_of_app(app).map(str::to_owned).or_else(|| last(|seen| &seen.service));
            let environment = last(|seen| &seen.environment);
            let facts = AppFacts {
                app: app.clone(),
                source: source.clone(),
                service: service.map(|service| self.config.service_of(&service, None)),
                tier: environment.as_deref().map(|name| self.config.tier(name)),
                environment,
                drift: drift::drift(&observations, None),
                observations,
            };
            self.facts.apps.insert((app.clone(), source.clone()), Arc::new(facts));
        }
    }

    /// Incidents reach over services, so attribution is done for all of them; it costs little beside classification.
    fn refresh_failures(&mut self) {
        let deployments = self.facts.deployments();
        let register = Register::new(&deployments);
        let config = self.config.clone();
        let tier = move |environment: &str| config.tier(environment);
        let incidents: Vec<(Source, Incident)> = self
            .entities
            .table(Table::Incident)
            .map(|(_, stored)| {
                let mut incident = entity::<Incident>(stored.cells());
                if let Some(services) = &mut incident.services {
                    services.iter_mut().for_each(|service| *service = self.config.service_of(service, None));
                }
                (stored.source().clone(), incident)
            })
            .collect();
        let bases = incidents
            .iter()
            .map(|(_, incident)| (incident.started_at.or(incident.created_at), incident.services.clone().unwrap_or_default()));
        self.facts.incident_bases = Arc::new(bases.collect());
        let mut said: Vec<(Source, Verdict)> =
            self.entities.table(Table::Verdict).map(|(_, stored)| (stored.source().clone(), entity::<Verdict>(stored.cells()))).collect();
        verdicts::order(&mut said);
        let said = Verdicts::read(&said, &incidents, &register);
        let links = failures::link_incidents(&incidents, &register, &said, &tier, &self.definitions);
        let phase = table_column(Table::TestResult, "phase");
        let tests: Vec<(Source, TestResult)> = self
            .entities
            .table(Table::TestResult)
            .filter(|(_, stored)| stored.cells()[phase].as_text() == Some("post_deploy"))
            .map(|(_, stored)| (stored.source().clone(), entity::<TestResult>(stored.cells())))
            .collect();
        let degraded: Vec<Degraded> = self
            .facts
            .apps
            .values()
            .flat_map(|app| {
                let seen = app.observations.iter().filter(|seen| seen.health.as_deref() == Some("Degraded"));
                seen.filter_map(|seen| {
                    let told = seen.service.as_deref().map(|service| self.config.service_of(service, None));
                    let service = self.config.service_of_app(&app.app).map(str::to_owned).or(told).or_else(|| app.service.clone())?;
                    let environment = seen.environment.clone().or_else(|| app.environment.clone())?;
                    Some(Degraded { service, environment, at: seen.observed_at })
                })
            })
            .collect();
        let mut all: BTreeMap<String, Vec<Failure>> = failures::incident_failures(&links);
        for (service, found) in failures::verified_failures(&register, &tests, &degraded, &self.definitions) {
            all.entry(service).or_default().extend(found);
        }
        for (service, list) in &deployments {
            all.entry(service.clone()).or_default().extend(failures::own_failures(list));
        }
        said.overrule(&mut all, &register);
        for list in all.values_mut() {
            list.sort_by(|a, b| (a.index, a.at, a.reason, &a.incident).cmp(&(b.index, b.at, b.reason, &b.incident)));
        }
        let fixes = failures::fixes(&links, &register);
        self.facts.failures = Arc::new(all);
        self.facts.fixes = Arc::new(fixes);
        self.facts.links = Arc::new(links);
    }
}

fn table_column(table: Table, name: &str) -> usize {
    table.spec().column(name).expect("a column of the public schema")
}
