//! One tenant: takes in rows, and notes what each of them touches. `refresh.rs` and `evidence.rs` derive that anew.

mod evidence;
mod refresh;

use super::deployments::Sources;
use super::test_results::TestGroup;
use super::verdicts;
use super::{Facts, entity};
use crate::catalogue::CatalogueConfig;
use crate::definitions::Definitions;
use crate::entities::{Entities, Key};
use flowgauge_lake::model::{Cell, Deployment, DeploymentKind, Evidence, Phase, PipelineRun, Row, Source, Table, TestResult, Verdict};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

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
    /// Run ids under which something changed: an attempt or a job.
    by_run: BTreeSet<(String, Source)>,
    tests: BTreeSet<TestGroup>,
    checks: bool,
    scans: bool,
    approvals: bool,
}

/// What a row told: the entity as it was and as it is now.
#[derive(Debug)]
pub(super) struct Told {
    pub table: Table,
    pub source: Source,
    /// What the row itself says.
    pub cells: Vec<Cell>,
    pub before: Option<Vec<Cell>>,
    pub after: Vec<Cell>,
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
    test_keys: HashMap<TestGroup, BTreeSet<Key>>,
    /// Results of phase post_deploy.
    check_keys: BTreeSet<Key>,
    /// Runs that checks take their time from.
    checked_runs: HashSet<(String, Source)>,
    /// Runs that scans name.
    scanned_runs: HashSet<(String, Source)>,
    /// Verdicts by the id of the deployment that they are about.
    verdicts: BTreeMap<String, BTreeSet<Key>>,
    sources: Sources,
    dirty: Dirty,
    facts: Facts,
    /// The version of the entities that the facts were last derived from.
    refreshed_version: Option<u64>,
    /// The picture of the same entities under other definitions, while facts are derived beside it: what depends on no definition
    /// is taken from there.
    beside: Option<Facts>,
}

impl Tenant {
    pub fn new(config: Arc<CatalogueConfig>, definitions: Arc<Definitions>) -> Self {
        let facts = Facts { definitions: definitions.clone(), ..Facts::default() };
        let sources = Sources { configured: config.configuration_repos(), ..Sources::default() };
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
            test_keys: HashMap::new(),
            check_keys: BTreeSet::new(),
            checked_runs: HashSet::new(),
            scanned_runs: HashSet::new(),
            verdicts: BTreeMap::new(),
            sources,
            dirty: Dirty { catalogue: true, ..Dirty::default() },
            facts,
            refreshed_version: None,
            beside: None,
        }
    }

    /// The picture that was derived last.
    pub(super) fn picture(&self) -> &Facts {
        &self.facts
    }

    /// The facts of other definitions, derived from the same catalogue. Its entities are lent to it.
    pub(super) fn with_definitions(&self, definitions: Arc<Definitions>) -> Tenant {
        Tenant::new(self.config.clone(), definitions)
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
        self.take_in(table, row);
    }

    /// As `apply`; gives what the row told, if it told anything.
    pub(super) fn take_in(&mut self, table: Table, row: Row) -> Option<Told> {
        let (source, cells) = (row.source.clone(), row.cells.clone());
        let (before, after) = self.entities.apply(table, row)?;
        let told = Told { table, source, cells, before, after };
        self.note(&told);
        Some(told)
    }

    /// Notes all that there is, as if it had just come in.
    pub(super) fn note_all(&mut self) {
        for &table in Table::ALL {
            let keys: Vec<Key> = self.entities.table(table).map(|(key, _)| key.clone()).collect();
            for key in keys {
                let Some(stored) = self.entities.get(table, &key) else { continue };
                let (source, after) = (stored.source().clone(), stored.cells().to_vec());
                self.note(&Told { table, source, cells: after.clone(), before: None, after });
            }
        }
    }

    /// Notes what has to be computed anew.
    pub(super) fn note(&mut self, told: &Told) {
        let Told { table, source, cells: cells_now, before, after } = told;
        let table = *table;
        let text = |cells: &[Cell], name: &str| table.spec().column(name).and_then(|i| cells[i].as_text().map(str::to_owned));
        let touched = |name: &str| before.iter().chain([after]).filter_map(|cells| text(cells, name)).collect::<BTreeSet<_>>();
        match table {
            Table::Service => self.dirty.catalogue = true,
            Table::Commit | Table::Push | Table::Change | Table::Review | Table::Manifest => self.dirty.repos.extend(touched("repo")),
            Table::Artifact => self.dirty.artifacts = true,
            Table::Deployment => {
                for (cells, change) in before.iter().map(|cells| (cells, Change::Gone)).chain([(after, Change::Come)]) {
                    self.index_deployment(source, cells, change);
                }
            }
            Table::GitopsObservation => {
                self.dirty.apps.extend(text(cells_now, "app").map(|app| (app, source.clone())));
            }
            Table::Incident => self.dirty.incidents = true,
            Table::TestResult => self.index_test(source, after),
            Table::Scan => {
                self.dirty.scans = true;
                self.scanned_runs.extend(touched("run_id").into_iter().map(|run_id| (run_id, source.clone())));
            }
            Table::Approval => self.dirty.approvals = true,
            Table::Verdict => {
                self.dirty.incidents = true;
                let key = self.entities.key(table, source, after);
                for id in touched("deployment_id") {
                    self.verdicts.entry(id.clone()).or_default().insert(key.clone());
                    self.touch_deployments(&id);
                }
            }
            Table::PipelineRun => {
                for (cells, change) in before.iter().map(|cells| (cells, Change::Gone)).chain([(after, Change::Come)]) {
                    let repo = entity::<PipelineRun>(cells).repo;
                    let service = repo.as_deref().and_then(|repo| repo.rsplit('/').next()).map(str::to_owned);
                    self.name_repo(service, repo, change);
                }
                let run = entity::<PipelineRun>(after);
                let key = self.entities.key(table, source, after);
                self.dirty.by_run.insert((run.run_id.clone(), source.clone()));
                self.run_keys.entry((run.run_id, source.clone())).or_default().insert(key.clone());
                self.dirty.runs.insert(key);
            }
            Table::Job => {
                for run_id in touched("run_id") {
                    let run = (run_id, source.clone());
                    self.dirty.runs.extend(self.run_keys.get(&run).into_iter().flatten().cloned());
                    self.dirty.by_run.insert(run);
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
        let was_deployed = !gathered.is_empty();
        match change {
            Change::Come => gathered.insert(key),
            Change::Gone => gathered.remove(&key),
        };
        self.dirty.catalogue |= was_deployed == gathered.is_empty();
        self.name_repo(Some(service.clone()), row.repo, change);
        self.dirty.services.insert(service);
        // Whom a verdict means may depend on who else has the id.
        if self.verdicts.contains_key(&row.deployment_id) {
            self.touch_deployments(&row.deployment_id);
        }
    }

    fn index_test(&mut self, source: &Source, cells: &[Cell]) {
        let key = self.entities.key(Table::TestResult, source, cells);
        let result = entity::<TestResult>(cells);
        if result.phase == Some(Phase::PostDeploy) {
            self.dirty.checks = true;
            self.check_keys.insert(key);
            if result.started_at.is_none() {
                self.checked_runs.extend(result.run_id.map(|run_id| (run_id, source.clone())));
            }
        } else {
            let group = (result.sha, result.run_id);
            self.test_keys.entry(group.clone()).or_default().insert(key);
            self.dirty.tests.insert(group);
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

    /// The service of a deployment by the configuration: by application, name, alias or repository.
    fn resolve(&self, row: &Deployment) -> String {
        let app = row.deployment_id.split('@').next().unwrap_or_default();
        if row.evidence == Some(Evidence::GitopsSync)
            && let Some(service) = self.config.service_of_app(app)
        {
            return service.to_owned();
        }
        self.config.service_of(&row.service, row.repo.as_deref())
    }
}
