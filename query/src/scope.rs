//! `scope`: the facts that a question is about, filtered, labelled with their series and put into buckets. Fan-out merging and
//! `as_of` are applied here; formulas are not: these are SQL.

use crate::buckets::Bucket;
use crate::error::QueryError;
use crate::facts::changes::{Logical, fan_out};
use crate::facts::deployments::Classified;
use crate::facts::drift::{Class, drift};
use crate::facts::failures::Link;
use crate::facts::{Facts, ServiceFacts};
use crate::metric::{Family, Metric, Population};
use crate::question::{Dimension, Question, Tiers};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use flowgauge_lake::model::{DeploymentKind, Outcome, Tier, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One row of `scope`. `what` says which of the other columns mean something; each metric's SQL names those it reads.
#[derive(Clone, Debug, Default, PartialEq)]
struct ScopeRow {
    what: &'static str,
    series: i64,
    bucket: Option<i64>,
    id: Option<i64>,
    at: Option<Time>,
    since: Option<Time>,
    until: Option<Time>,
    remedied_at: Option<Time>,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    seconds: Option<f64>,
    is_incident: Option<bool>,
    is_hidden: Option<bool>,
}

/// One line of an answer: the values of the question's dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Vec<(Dimension, String)>,
    /// The base table has a row with these labels.
    pub is_configured: bool,
}

pub struct Scope {
    pub series: Vec<Series>,
    pub batch: RecordBatch,
}

/// Builds the scope of a question. `buckets` are the question's, in order.
pub fn scope(metric: &Metric, question: &Question, buckets: &[Bucket], facts: &Facts) -> Result<Scope, QueryError> {
    let mut builder = Builder { question, buckets, facts, series: BTreeMap::new(), next_id: 0 };
    if question.by.is_empty() {
        builder.series.insert(Vec::new(), SeriesData::default());
    }
    match metric.family {
        Family::Deployments => builder.deployments(metric.population),
        Family::Changes => builder.changes(),
        Family::Incidents => builder.incidents(),
        Family::Drift => builder.drift(),
        Family::Pipelines => builder.pipelines(),
    }
    builder.finish()
}

#[derive(Default)]
struct SeriesData {
    is_configured: bool,
    connected_at: Option<Time>,
    rows: Vec<ScopeRow>,
}

struct Builder<'a> {
    question: &'a Question,
    buckets: &'a [Bucket],
    facts: &'a Facts,
    series: BTreeMap<Vec<String>, SeriesData>,
    /// Deployments are numbered over the whole scope.
    next_id: i64,
}

/// The values that a row has in the dimensions.
type Labels<'a> = [(Dimension, Option<&'a str>)];

impl<'a> Builder<'a> {
    fn passes(&self, labels: &Labels<'_>) -> bool {
        labels.iter().all(|(dimension, value)| self.question.filter(*dimension, *value))
    }

    fn key(&self, labels: &Labels<'_>) -> Vec<String> {
        let value = |wanted: &Dimension| labels.iter().find(|(dimension, _)| dimension == wanted).and_then(|(_, value)| *value);
        self.question.by.iter().map(|dimension| value(dimension).unwrap_or_default().to_owned()).collect()
    }

    /// The series of these labels, now known to have rows.
    fn configured(&mut self, labels: &Labels<'_>) -> &mut SeriesData {
        let key = self.key(labels);
        let series = self.series.entry(key).or_default();
        series.is_configured = true;
        series
    }

    fn bucket(&self, at: Time) -> Option<i64> {
        let place = self.buckets.partition_point(|bucket| bucket.to <= at && !bucket.is_empty());
        self.buckets.get(place).filter(|bucket| bucket.from <= at && at < bucket.to).map(|_| place as i64)
    }

    fn push(&mut self, key: &[String], row: ScopeRow) {
        if let Some(series) = self.series.get_mut(key) {
            series.rows.push(row);
        }
    }

    fn exists(&self, at: Time) -> bool {
        at <= self.question.as_of
    }

    fn names_environment(&self) -> bool {
        self.question.filters.contains_key(&Dimension::Environment) || self.question.tiers != Tiers::Default
    }

    /// Whether deployments of this environment are counted: the production tier, unless environments or a tier are asked for.
    fn counts(&self, environment: &str, tier: Tier) -> bool {
        let of_tier = match self.question.tiers {
            Tiers::Default => self.question.filters.contains_key(&Dimension::Environment) || tier == Tier::Production,
            Tiers::All => true,
            Tiers::One(wanted) => tier == wanted,
        };
        of_tier && self.question.filter(Dimension::Environment, Some(environment))
    }

    fn services(&self) -> Vec<(&'a str, &'a ServiceFacts)> {
        let facts = self.facts;
        let team = |service: &str| facts.catalogue.team(service);
        let wanted =
            |service: &str| self.question.filter(Dimension::Service, Some(service)) && self.question.filter(Dimension::Team, team(service));
        facts.services.iter().filter(|(name, _)| wanted(name)).map(|(name, service)| (name.as_str(), service.as_ref())).collect()
    }

    fn deployment_labels(&self, service: &'a str, environment: &'a str) -> [(Dimension, Option<&'a str>); 3] {
        let team = self.facts.catalogue.team(service);
        [(Dimension::Team, team), (Dimension::Service, Some(service)), (Dimension::Environment, Some(environment))]
    }

    /// Notes which series there are, and since when each has had a source (semantics, 7.3 and 7.6).
    fn connect(&mut self, service: &'a str, of: &'a ServiceFacts) {
        let split_by_environment = self.question.by.contains(&Dimension::Environment);
        for deployment in of.deployments.iter() {
            let environment = deployment.row.environment.as_str();
            let belongs = if split_by_environment || self.names_environment() { self.counts(environment, deployment.tier) } else { true };
            if !belongs {
                continue;
            }
            if deployment.finished_at().is_some_and(|at| !self.exists(at)) {
                continue;
            }
            let first = [deployment.row.created_at, deployment.row.started_at, deployment.row.finished_at].into_iter().flatten().min();
            self.connect_row(service, environment, first);
        }
        let others = of.deployments.iter().flat_map(|deployment| &deployment.duplicates);
        for other in others.filter(|other| other.finished_at.is_none_or(|at| self.exists(at))).collect::<Vec<_>>() {
            if !(split_by_environment || self.names_environment()) || self.counts(&other.environment, other.tier) {
                self.connect_row(service, &other.environment, other.first_at);
            }
        }
    }

    fn connect_row(&mut self, service: &'a str, environment: &'a str, first: Option<Time>) {
        let labels = self.deployment_labels(service, environment);
        let series = self.configured(&labels);
        series.connected_at = match (series.connected_at, first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn deployments(&mut self, population: Population) {
        for (service, of) in self.services() {
            self.connect(service, of);
            let all = &of.deployments;
            let wanted = |deployment: &Classified| {
                deployment.finished_at().is_some_and(|at| self.exists(at)) && self.counts(&deployment.row.environment, deployment.tier)
            };
            let rows: Vec<usize> = (0..all.len()).filter(|&i| wanted(&all[i])).collect();
            if population == Population::Rows {
                self.single_deployments(service, all, &rows);
                continue;
            }
            // Split or filtered by environment nothing is merged across environments.
            let apart = self.question.filters.contains_key(&Dimension::Environment);
            let mut groups: BTreeMap<(Vec<String>, &str), Vec<usize>> = BTreeMap::new();
            for &i in &rows {
                let environment = all[i].row.environment.as_str();
                let key = self.key(&self.deployment_labels(service, environment));
                groups.entry((key, if apart { environment } else { "" })).or_default().push(i);
            }
            for ((key, _), rows) in groups {
                self.left_out(&key, all, &rows, population);
                let is_in = |i: &usize| match population {
                    Population::Counted => all[*i].is_release(),
                    _ => all[*i].took_effect && !matches!(all[*i].kind, Some(DeploymentKind::NoOp | DeploymentKind::Rollback)),
                };
                let logical = fan_out(all, rows.into_iter().filter(is_in), self.facts.definitions.fanout_window);
                for group in &logical {
                    self.logical_deployment(&key, service, all, group);
                }
            }
        }
        if population == Population::AtRisk {
            self.attributed_incidents();
        }
    }

    fn single_deployments(&mut self, service: &'a str, all: &'a [Classified], rows: &[usize]) {
        for &i in rows {
            let (Some(at), Some(outcome)) = (all[i].finished_at(), all[i].row.outcome) else { continue };
            let Some(bucket) = self.bucket(at) else { continue };
            let key = self.key(&self.deployment_labels(service, &all[i].row.environment));
            let row =
                ScopeRow { what: "deployment", bucket: Some(bucket), at: Some(at), outcome: Some(outcome.as_str()), ..ScopeRow::default() };
            self.push(&key, row);
        }
    }

    /// Rows in the window that the metric does not count, by their kind.
    fn left_out(&mut self, key: &[String], all: &[Classified], rows: &[usize], population: Population) {
        for &i in rows {
            let reason = match (population, all[i].kind) {
                (Population::Counted, Some(DeploymentKind::NoOp)) if all[i].is_success() => "no_op",
                (Population::Counted, Some(DeploymentKind::ConfigOnly)) if all[i].is_success() => "config_only",
                (Population::AtRisk, Some(DeploymentKind::NoOp)) if all[i].took_effect => "no_op",
                (Population::AtRisk, Some(DeploymentKind::Rollback)) if all[i].took_effect => "rollback",
                _ => continue,
            };
            let Some(bucket) = all[i].finished_at().and_then(|at| self.bucket(at)) else { continue };
            self.push(key, ScopeRow { what: "excluded", bucket: Some(bucket), reason: Some(reason), ..ScopeRow::default() });
        }
    }

    fn logical_deployment(&mut self, key: &[String], service: &str, all: &[Classified], group: &Logical) {
        let Some(at) = group.0.last().and_then(|&i| all[i].finished_at()) else { return };
        let Some(bucket) = self.bucket(at) else { return };
        let id = self.next_id;
        self.next_id += 1;
        let fixes = self.facts.fixes.get(service);
        let rework_at = |&i: &usize| {
            let unplanned = matches!(all[i].kind, Some(DeploymentKind::Rollback | DeploymentKind::Hotfix | DeploymentKind::Revert));
            if unplanned { all[i].finished_at() } else { fixes.and_then(|fixes| fixes.get(&i)).copied() }
        };
        let since = group.0.iter().filter_map(rework_at).min();
        self.push(key, ScopeRow { what: "deployment", bucket: Some(bucket), id: Some(id), at: Some(at), since, ..ScopeRow::default() });
        let failures = self.facts.failures.get(service).map_or(&[][..], Vec::as_slice);
        for &i in &group.0 {
            let from = failures.partition_point(|failure| failure.index < i);
            let known = |failure: &&crate::facts::failures::Failure| failure.until.is_none_or(|until| until > self.question.as_of);
            for failure in failures[from..].iter().take_while(|failure| failure.index == i).filter(known).collect::<Vec<_>>() {
                let row = ScopeRow {
                    what: "failure",
                    bucket: Some(bucket),
                    id: Some(id),
                    at: Some(failure.at),
                    since: all[i].finished_at(),
                    until: failure.resolved_at,
                    remedied_at: failure.remediation.and_then(|remedy| all[remedy].finished_at()),
                    reason: Some(failure.reason),
                    is_incident: Some(failure.incident.is_some()),
                    ..ScopeRow::default()
                };
                self.push(key, row);
            }
        }
    }

    /// Incidents that start in the window, by whether they could be charged to a deployment: what coverage is told by.
    fn attributed_incidents(&mut self) {
        for link in self.facts.links.iter().filter(|link| link.repeats_from.is_none_or(|from| !self.exists(from))).collect::<Vec<_>>() {
            let Some(bucket) = self.exists(link.started_at).then(|| self.bucket(link.started_at)).flatten() else { continue };
            let reason = if self.charged(link).is_some() { "attributed" } else { "unattributed" };
            for key in self.incident_series(link) {
                self.push(&key, ScopeRow { what: "incident", bucket: Some(bucket), reason: Some(reason), ..ScopeRow::default() });
            }
        }
    }

    /// The deployment that an incident is charged to, if it had happened by the question's moment.
    fn charged(&self, link: &Link) -> Option<&'a Classified> {
        let spot = link.deployment.as_ref()?;
        Some(&self.facts.services.get(&spot.service)?.deployments[spot.index]).filter(|deployment| self.has_finished(deployment))
    }

    /// The series that an incident counts in: those of its services, each once; without a service only totals
    /// (semantics, 7.36). In a series of one environment only incidents that name it.
    fn incident_series(&self, link: &Link) -> BTreeSet<Vec<String>> {
        // One that is charged to a deployment counts where that is.
        let charged = self.charged(link);
        let environment = charged.map(|deployment| deployment.row.environment.as_str()).or(link.incident.environment.as_deref());
        let by_environment =
            self.question.by.contains(&Dimension::Environment) || self.question.filters.contains_key(&Dimension::Environment);
        let by_service = self.question.by.iter().any(|dimension| matches!(dimension, Dimension::Service | Dimension::Team));
        let services: Vec<Option<&str>> = match link.services.as_slice() {
            [] if by_service => Vec::new(),
            [] => vec![None],
            services => services.iter().map(|service| Some(service.as_str())).collect(),
        };
        let labels = services.into_iter().map(|service| {
            let team = service.and_then(|service| self.facts.catalogue.team(service));
            [(Dimension::Team, team), (Dimension::Service, service), (Dimension::Environment, environment)]
        });
        labels
            .filter(|labels| {
                let without_environment = &labels[..2];
                self.passes(if by_environment { labels } else { without_environment })
            })
            .map(|labels| self.key(&labels))
            .collect()
    }

    fn changes(&mut self) {
        let split_by_environment = self.question.by.contains(&Dimension::Environment);
        for (service, of) in self.services() {
            self.connect(service, of);
            if split_by_environment {
                for (environment, stream) in &of.environments {
                    let tier = of
                        .deployments
                        .iter()
                        .find(|deployment| deployment.row.environment == *environment)
                        .map(|deployment| deployment.tier);
                    if tier.is_some_and(|tier| self.counts(environment, tier)) {
                        let key = self.key(&self.deployment_labels(service, environment));
                        self.stream(&key, of, stream);
                    }
                }
                continue;
            }
            let key = self.key(&self.deployment_labels(service, ""));
            if self.names_environment() {
                let merged = !self.question.filters.contains_key(&Dimension::Environment);
                let stream = of.stream(
                    &|deployment| self.counts(&deployment.row.environment, deployment.tier) && self.has_finished(deployment),
                    merged,
                );
                self.stream(&key, of, &stream);
            } else if of.production.logical.iter().all(|group| self.is_whole(of, group)) {
                self.stream(&key, of, &of.production);
            } else {
                // A deployment that had reached only some of its environments by then.
                let stream = of.stream(&|deployment| deployment.tier == Tier::Production && self.has_finished(deployment), true);
                self.stream(&key, of, &stream);
            }
        }
    }

    fn has_finished(&self, deployment: &Classified) -> bool {
        deployment.finished_at().is_some_and(|at| self.exists(at))
    }

    /// Whether a logical deployment had finished everywhere or nowhere at the question's moment.
    fn is_whole(&self, of: &ServiceFacts, group: &Logical) -> bool {
        let finished = group.0.iter().filter(|&&i| self.has_finished(&of.deployments[i])).count();
        finished == 0 || finished == group.0.len()
    }

    fn stream(&mut self, key: &[String], of: &ServiceFacts, stream: &crate::facts::Stream) {
        let base = self.next_id;
        self.next_id += stream.logical.len() as i64;
        for change in &stream.changes {
            // Rows of a logical deployment that finished after `as_of` do not exist.
            let finished = stream.logical[change.logical].0.iter().filter_map(|&i| of.deployments[i].finished_at());
            let Some(at) = finished.filter(|&at| self.exists(at)).max() else { continue };
            let Some(bucket) = self.bucket(at) else { continue };
            let row = ScopeRow {
                what: "commit",
                bucket: Some(bucket),
                id: Some(base + change.logical as i64),
                at: Some(at),
                since: change.started_at,
                reason: change.excluded,
                ..ScopeRow::default()
            };
            self.push(key, row);
        }
    }

    fn incidents(&mut self) {
        let facts = self.facts;
        for (_, services) in facts.incident_bases.iter().filter(|(at, _)| at.is_none_or(|at| self.exists(at))).collect::<Vec<_>>() {
            let all: Vec<Option<&str>> = services.iter().map(|service| Some(service.as_str())).collect();
            for service in if all.is_empty() { vec![None] } else { all } {
                let labels = [(Dimension::Team, service.and_then(|service| facts.catalogue.team(service))), (Dimension::Service, service)];
                let is_total = self.question.by.is_empty();
                if self.passes(&labels) && (service.is_some() || is_total) {
                    self.configured(&labels);
                }
            }
        }
        let known = |link: &&Link| self.exists(link.started_at) && link.repeats_from.is_none_or(|from| !self.exists(from));
        for link in facts.links.iter().filter(known).collect::<Vec<_>>() {
            for key in self.incident_series(link) {
                if let Some(bucket) = self.bucket(link.started_at) {
                    let row = ScopeRow {
                        what: "incident",
                        bucket: Some(bucket),
                        at: Some(link.started_at),
                        since: Some(link.started_at),
                        until: link.incident.resolved_at,
                        ..ScopeRow::default()
                    };
                    self.push(&key, row);
                }
            }
        }
    }

    fn drift(&mut self) {
        let facts = self.facts;
        let mut numbers: BTreeMap<&str, i64> = BTreeMap::new();
        for app in facts.apps.values() {
            let next = numbers.len() as i64;
            let id = *numbers.entry(app.app.as_str()).or_insert(next);
            let team = app.service.as_deref().and_then(|service| facts.catalogue.team(service));
            let labels = [
                (Dimension::App, Some(app.app.as_str())),
                (Dimension::Team, team),
                (Dimension::Service, app.service.as_deref()),
                (Dimension::Environment, app.environment.as_deref()),
            ];
            let of_tier = match self.question.tiers {
                Tiers::Default | Tiers::All => true,
                Tiers::One(tier) => app.tier == Some(tier),
            };
            if !of_tier || !self.passes(&labels) || !app.observations.first().is_some_and(|seen| self.exists(seen.observed_at)) {
                continue;
            }
            self.configured(&labels);
            let key = self.key(&labels);
            let drift = drift(&app.observations, Some(self.question.as_of));
            for stretch in drift.stretches.iter().filter(|stretch| stretch.class != Class::Unobserved) {
                let row = ScopeRow {
                    what: "stretch",
                    id: Some(id),
                    since: Some(stretch.from),
                    until: stretch.to,
                    reason: Some(if stretch.class.is_live() { "live" } else { "calm" }),
                    ..ScopeRow::default()
                };
                self.push(&key, row);
            }
            for episode in &drift.episodes {
                let Some(bucket) = self.bucket(episode.started_at) else { continue };
                let row = ScopeRow {
                    what: "episode",
                    bucket: Some(bucket),
                    id: Some(id),
                    at: Some(episode.started_at),
                    since: Some(episode.started_at),
                    until: episode.ended_at,
                    seconds: Some(episode.unobserved_seconds),
                    is_hidden: Some(episode.hidden),
                    ..ScopeRow::default()
                };
                self.push(&key, row);
            }
        }
    }

    fn pipelines(&mut self) {
        let facts = self.facts;
        for (repo, runs) in &facts.runs {
            // A run counts once for each service of its repository where services are asked for.
            let by_service = [Dimension::Service, Dimension::Team]
                .iter()
                .any(|dimension| self.question.by.contains(dimension) || self.question.filters.contains_key(dimension));
            let services: Vec<Option<&str>> = match repo {
                Some(repo) if by_service => facts.catalogue.services_of_repo(repo).map(|(name, _)| Some(name)).collect(),
                _ => vec![None],
            };
            let services = if services.is_empty() { vec![None] } else { services };
            let attempts: Vec<_> = runs.values().filter(|run| run.seen_at.is_none_or(|at| self.exists(at))).collect();
            let mut last: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
            for run in &attempts {
                let attempt = last.entry((&run.pipeline, &run.run_id, &run.source)).or_insert(run.attempt);
                *attempt = (*attempt).max(run.attempt);
            }
            for run in attempts {
                let mut keys = BTreeSet::new();
                for service in &services {
                    let labels = [
                        (Dimension::Repo, repo.as_deref()),
                        (Dimension::Pipeline, Some(run.pipeline.as_str())),
                        (Dimension::Service, *service),
                        (Dimension::Team, service.and_then(|service| facts.catalogue.team(service))),
                    ];
                    if self.passes(&labels) {
                        self.configured(&labels);
                        keys.insert(self.key(&labels));
                    }
                }
                let finished = run.finished_at.filter(|&at| self.exists(at));
                let is_final = last[&(run.pipeline.as_str(), run.run_id.as_str(), run.source.as_str())] == run.attempt;
                for key in keys {
                    if let Some((at, bucket)) = finished.filter(|_| is_final).and_then(|at| Some((at, self.bucket(at)?))) {
                        let row = ScopeRow {
                            what: "run",
                            bucket: Some(bucket),
                            at: Some(at),
                            outcome: run.result.map(Outcome::as_str),
                            seconds: run.duration_seconds,
                            ..ScopeRow::default()
                        };
                        self.push(&key, row);
                    }
                    let started = run.started_at.filter(|&at| self.exists(at));
                    if let Some((at, bucket)) = started.and_then(|at| Some((at, self.bucket(at)?))) {
                        let row = ScopeRow {
                            what: "start",
                            bucket: Some(bucket),
                            at: Some(at),
                            seconds: run.queue_seconds,
                            ..ScopeRow::default()
                        };
                        self.push(&key, row);
                    }
                }
            }
        }
    }

    fn finish(self) -> Result<Scope, QueryError> {
        let mut rows = Vec::new();
        let mut series = Vec::new();
        for (number, (key, data)) in self.series.into_iter().enumerate() {
            let number = number as i64;
            rows.push(ScopeRow { what: "series", series: number, at: data.connected_at, ..ScopeRow::default() });
            if self.facts.incident_bases.iter().any(|(at, _)| at.is_none_or(|at| at <= self.question.as_of)) {
                rows.push(ScopeRow { what: "incident_source", series: number, ..ScopeRow::default() });
            }
            rows.extend(data.rows.into_iter().map(|row| ScopeRow { series: number, ..row }));
            let labels = self.question.by.iter().copied().zip(key).collect();
            series.push(Series { labels, is_configured: data.is_configured });
        }
        Ok(Scope { series, batch: batch(&rows)? })
    }
}

fn batch(rows: &[ScopeRow]) -> Result<RecordBatch, QueryError> {
    let texts = |get: fn(&ScopeRow) -> Option<&'static str>| Arc::new(rows.iter().map(get).collect::<StringArray>()) as ArrayRef;
    let integers = |get: fn(&ScopeRow) -> Option<i64>| Arc::new(rows.iter().map(get).collect::<Int64Array>()) as ArrayRef;
    let flags = |get: fn(&ScopeRow) -> Option<bool>| Arc::new(rows.iter().map(get).collect::<BooleanArray>()) as ArrayRef;
    let times = |get: fn(&ScopeRow) -> Option<Time>| {
        let times: TimestampMicrosecondArray = rows.iter().map(|row| get(row).map(Time::micros)).collect();
        Arc::new(times.with_timezone("UTC")) as ArrayRef
    };
    let seconds: Float64Array = rows.iter().map(|row| row.seconds).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("what", texts(|row| Some(row.what))),
        ("series", integers(|row| Some(row.series))),
        ("bucket", integers(|row| row.bucket)),
        ("id", integers(|row| row.id)),
        ("at", times(|row| row.at)),
        ("since", times(|row| row.since)),
        ("until", times(|row| row.until)),
        ("remedied_at", times(|row| row.remedied_at)),
        ("outcome", texts(|row| row.outcome)),
        ("reason", texts(|row| row.reason)),
        ("seconds", Arc::new(seconds)),
        ("is_incident", flags(|row| row.is_incident)),
        ("is_hidden", flags(|row| row.is_hidden)),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)) as SchemaRef, columns.into_iter().map(|(_, array)| array).collect())?)
}

/// `buckets`: number, natural bounds, what is counted of them, their length in days, and the moment of the question.
pub fn bucket_batch(buckets: &[Bucket], as_of: Time) -> Result<RecordBatch, QueryError> {
    let times = |get: &dyn Fn(&Bucket) -> Time| {
        let times: TimestampMicrosecondArray = buckets.iter().map(|bucket| Some(get(bucket).micros())).collect();
        Arc::new(times.with_timezone("UTC")) as ArrayRef
    };
    let numbers: Int64Array = (0..buckets.len() as i64).map(Some).collect();
    let days: Float64Array = buckets.iter().map(|bucket| Some(bucket.days())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bucket", Arc::new(numbers)),
        ("start", times(&|bucket| bucket.start)),
        ("end", times(&|bucket| bucket.end)),
        ("from_at", times(&|bucket| bucket.from)),
        ("to_at", times(&|bucket| bucket.to)),
        ("as_of", times(&|_| as_of)),
        ("days", Arc::new(days)),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), false)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)) as SchemaRef, columns.into_iter().map(|(_, array)| array).collect())?)
}
