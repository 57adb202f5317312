//! Derives anew what rows have touched: services, applications, and what reaches over all of them.

use super::Tenant;
use crate::catalogue::Catalogue;
use crate::facts::configuration::Configuration;
use crate::facts::deployments::{Classified, Tip, classify};
use crate::facts::failures::{self, Degraded, Failure, Register};
use crate::facts::graph::Repo;
use crate::facts::verdicts::{self, Verdicts};
use crate::facts::{AppFacts, Facts, ServiceFacts, Stream, drift, entity, rungs};
use flowgauge_lake::model::{Artifact, Deployment, GitopsObservation, Incident, Service, Source, Table, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Tenant {
    /// Brings the facts up to date and gives the new picture.
    pub fn refresh(&mut self) -> Facts {
        let dirty = std::mem::take(&mut self.dirty);
        self.refreshed_version = Some(self.entities.version);
        if dirty.catalogue {
            self.refresh_catalogue();
        }
        for repo in &dirty.repos {
            let built = self.beside.as_ref().and_then(|facts| facts.repos.get(repo).cloned());
            let built = built.unwrap_or_else(|| Arc::new(Repo::build(repo, &self.entities)));
            self.sources.configurations.insert(repo.clone(), Arc::new(Configuration::build(&built, &self.entities)));
            self.sources.repos.insert(repo.clone(), built);
        }
        if !dirty.repos.is_empty() {
            self.facts.repos = Arc::new(self.sources.repos.clone());
        }
        if dirty.artifacts {
            let artifacts = self.entities.table(Table::Artifact).map(|(_, stored)| entity::<Artifact>(stored.cells()));
            self.sources.take_artifacts(artifacts);
        }
        let names: BTreeSet<String> = if dirty.catalogue || dirty.artifacts {
            self.by_service.keys().cloned().collect()
        } else {
            let touched = self.by_service.keys().filter(|name| self.depends_on(name, &dirty.repos)).cloned();
            touched.chain(dirty.services.iter().cloned()).collect()
        };
        let deployments_changed = !names.is_empty();
        names.iter().for_each(|name| self.refresh_service(name));
        if std::mem::take(&mut self.dirty.catalogue) {
            self.refresh_catalogue();
        }
        match self.beside.take() {
            Some(facts) => self.share(&facts),
            None => {
                self.refresh_apps(if dirty.catalogue { None } else { Some(&dirty.apps) });
                self.refresh_runs(&dirty);
                self.refresh_tests(&dirty);
                self.refresh_scans(&dirty);
            }
        }
        let checks_changed = dirty.checks || dirty.by_run.iter().any(|run| self.checked_runs.contains(run));
        if deployments_changed || dirty.incidents || checks_changed || dirty.approvals || !dirty.apps.is_empty() || dirty.catalogue {
            self.refresh_failures();
        }
        self.facts.definitions = self.definitions.clone();
        self.facts.data_as_of = self.entities.data_as_of;
        self.facts.version += 1;
        self.facts.clone()
    }

    /// As `refresh`, beside the picture of the same entities and the same catalogue under other definitions.
    pub(in crate::facts) fn refresh_beside(&mut self, picture: &Facts) -> Facts {
        self.beside = Some(picture.clone());
        self.refresh()
    }

    /// What depends on no definition: the other set has derived it of the same entities.
    fn share(&mut self, facts: &Facts) {
        self.facts.apps = facts.apps.clone();
        self.facts.runs = facts.runs.clone();
        self.facts.by_run = facts.by_run.clone();
        self.facts.tests = facts.tests.clone();
        self.facts.scans = facts.scans.clone();
    }

    fn refresh_catalogue(&mut self) {
        let rows = self.entities.table(Table::Service).map(|(_, stored)| entity::<Service>(stored.cells()));
        let is_deployed = |service: &str| {
            self.qualified.contains_key(service) || self.by_service.get(service).is_some_and(|deployments| !deployments.is_empty())
        };
        let catalogue = Catalogue::build(&self.config, rows, &self.repos(), &is_deployed);
        if catalogue != *self.facts.catalogue {
            self.facts.catalogue = Arc::new(catalogue);
        }
    }

    /// Whether deployments gathered under this name have to do with one of these repositories: their commit is there, or was looked
    /// for there.
    fn depends_on(&self, name: &str, repos: &BTreeSet<String>) -> bool {
        if repos.is_empty() {
            return false;
        }
        let services = self.produced.get(name).into_iter().flatten().filter_map(|service| self.facts.services.get(service));
        let configured_there = |deployment: &Classified| match &deployment.row.config_repo {
            Some(repo) => repos.contains(repo),
            None => deployment.row.config_sha.is_some(),
        };
        let is_asked = |deployment: &Classified| configured_there(deployment) || deployment.link.depends_on(repos, &self.sources);
        services.flat_map(|service| service.deployments.iter()).any(|deployment| match &deployment.tip {
            _ if is_asked(deployment) => true,
            Tip::Commit(repo, _) | Tip::Listed(repo, _, _) | Tip::NoGraph(Some((repo, _))) => repos.contains(&repo.name),
            Tip::NoGraph(None) => true,
            Tip::NoSourceLink => false,
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
            definitions: self.definitions.clone(),
            ranks: BTreeMap::new(),
            tiers: BTreeMap::new(),
        };
        facts.production = facts.stream(&|deployment| self.definitions.counts_tier(deployment.tier), true);
        let environments: BTreeSet<String> = facts.deployments.iter().map(|deployment| deployment.row.environment.clone()).collect();
        let ladder = catalogue.get(service).and_then(|entry| entry.ladder.as_deref());
        facts.tiers = environments.iter().map(|name| (name.clone(), tier(name))).collect();
        facts.ranks = environments.iter().filter_map(|name| Some((name.clone(), rungs::rank(name, ladder, &tier)?))).collect();
        for environment in environments {
            let stream = facts.stream(&|deployment| deployment.row.environment == environment, false);
            facts.environments.insert(environment, stream);
        }
        facts
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
        let links = failures::link_incidents(&incidents, &register, &said, &tier, &self.facts.catalogue, &self.definitions);
        self.refresh_checks(&register);
        self.refresh_approvals(&register);
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
        for (service, found) in failures::verified_failures(&register, &self.facts.checks.all, &degraded, &self.definitions) {
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
