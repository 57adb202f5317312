//! `/services/{service}`: how one service is delivered: its numbers and their trends, what runs where, and what was deployed last.

use super::address;
use super::deployments::{self, DeploymentTable};
use super::failure::Stop;
use super::filters;
use super::form::{Form, Select};
use super::format::{self, Moment};
use super::numbers::{self, Board};
use super::visit::{Shell, Visit};
use crate::app::App;
use crate::error::AppError;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono_tz::Tz;
use flowgauge_lake::model::nearest;
use flowgauge_query::facts::{Facts, ServiceFacts};
use flowgauge_query::list::ListQuery;
use flowgauge_query::question::Dimension;

const PARAMETERS: &[&str] = &["from", "to", "environment", "bucket", "tz"];
/// Deployments at the foot of the page.
const LATEST: usize = 15;

#[derive(Template)]
#[template(path = "service.html")]
struct ServicePage {
    shell: Shell,
    service: String,
    team: Option<(String, String)>,
    repo: Option<String>,
    form: Form,
    board: Board,
    environments: Vec<Environment>,
    apps: Vec<Application>,
    latest: DeploymentTable,
    deployments: String,
    failed: Vec<(&'static str, String)>,
}

/// What runs in an environment.
struct Environment {
    name: String,
    tier: &'static str,
    version: String,
    version_title: String,
    since: Option<Moment>,
    /// The last deployment there, where it did not bring what runs.
    last: Option<String>,
    href: String,
}

/// A GitOps application of the service and the state it is in.
struct Application {
    name: String,
    environment: String,
    state: String,
    is_drifted: bool,
    since: Option<Moment>,
}

pub async fn page(State(app): State<App>, Path(service): Path<String>, visit: Visit) -> Response {
    let page = show(&app, &visit, service).await;
    visit.answer(page)
}

async fn show(app: &App, visit: &Visit, service: String) -> Result<ServicePage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let known = filters::services(&facts);
    if !known.contains(service.as_str()) {
        let hint = nearest(&service, known.iter().copied()).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        return Err(AppError::NotFound(format!("unknown service `{service}`{hint}")).into());
    }
    let filters = visit.filters(app, &facts, PARAMETERS)?.scoped(Dimension::Service, &service);
    let query = ListQuery { filters: vec![("service".to_owned(), service.clone())], limit: LATEST, ..ListQuery::default() };
    let (board, latest) = tokio::join!(numbers::board(app, &filters, true), deployments::table(app, &query, &filters));
    let (board, (latest, _)) = (board?, latest?);
    let list = |more: &[(&'static str, &str)]| {
        let more: Vec<(&'static str, &str)> = [("service", service.as_str())].into_iter().chain(more.iter().copied()).collect();
        filters.carry("/deployments", &["tz", "theme"], &more)
    };
    let mut shell = visit.shell(&service, Some(&filters));
    shell.data_as_of = board.data_as_of.map(|at| Moment::new(at, filters.tz()));
    let environments =
        facts.services.get(&service).map(|of| environments(of, filters.tz(), |name| list(&[("environment", name)]))).unwrap_or_default();
    let names: Vec<&str> = environments.iter().map(|environment| environment.name.as_str()).collect();
    let select = Select::of_names("environment", "Environment", "Production", names, &filters);
    Ok(ServicePage {
        form: Form::of_numbers(&visit.path, &filters, &[], vec![select]),
        team: facts
            .catalogue
            .team(&service)
            .map(|team| (team.to_owned(), filters.carry(&address::team(team), &["from", "to", "bucket", "tz", "theme"], &[]))),
        repo: facts.catalogue.get(&service).and_then(|entry| entry.repo.clone()),
        deployments: list(&[]),
        failed: [("rollbacks", "rollback"), ("hotfixes", "hotfix"), ("reverts", "revert")]
            .map(|(text, kind)| (text, list(&[("kind", kind)])))
            .to_vec(),
        apps: apps(&facts, &service, filters.tz()),
        environments,
        shell,
        service,
        board,
        latest,
    })
}

/// Production first.
fn environments(of: &ServiceFacts, tz: Tz, href: impl Fn(&str) -> String) -> Vec<Environment> {
    let mut environments = Vec::new();
    for name in of.environments.keys() {
        let there = of.deployments.iter().filter(|deployment| deployment.row.environment == *name);
        let ended: Vec<_> = there.filter(|deployment| deployment.finished_at().is_some()).collect();
        let running = ended.iter().filter(|deployment| deployment.took_effect).max_by_key(|deployment| deployment.order());
        let last = ended.iter().max_by_key(|deployment| deployment.order());
        let Some(tier) = of.deployments.iter().find(|deployment| deployment.row.environment == *name).map(|deployment| deployment.tier)
        else {
            continue;
        };
        let did_not = last.filter(|last| running.is_none_or(|running| running.order() < last.order()));
        let version = running.map(|running| &running.row).and_then(|row| row.version.clone().or(row.sha.clone()).or(row.digest.clone()));
        let environment = Environment {
            name: name.clone(),
            tier: tier.as_str(),
            version: version.as_deref().map(deployments::short_version).unwrap_or_default(),
            version_title: version.unwrap_or_default(),
            since: running.and_then(|running| running.finished_at()).map(|at| Moment::new(at, tz)),
            last: did_not.and_then(|last| last.row.outcome).map(|outcome| format::words(outcome.as_str())),
            href: href(name),
        };
        environments.push((std::cmp::Reverse(tier), environment));
    }
    environments.sort_by(|(a, left), (b, right)| (a, &left.name).cmp(&(b, &right.name)));
    environments.into_iter().map(|(_, environment)| environment).collect()
}

fn apps(facts: &Facts, service: &str, tz: Tz) -> Vec<Application> {
    let of_service = facts.apps.values().filter(|app| app.service.as_deref() == Some(service));
    let application = |app: &std::sync::Arc<flowgauge_query::facts::AppFacts>| {
        let last = app.drift.stretches.last()?;
        Some(Application {
            name: app.app.clone(),
            environment: app.environment.clone().unwrap_or_default(),
            state: format::words(last.class.as_str()),
            is_drifted: last.class.is_live(),
            since: Some(Moment::new(last.from, tz)),
        })
    };
    of_service.filter_map(application).collect()
}
