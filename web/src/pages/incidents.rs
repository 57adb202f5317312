//! `/incidents`: the incidents of production, each with the deployment it is charged to and the rule, and how many are charged to none.

use super::address;
use super::failure::Stop;
use super::filters::{self, Filters};
use super::form::{Form, Select};
use super::format::{self, Moment};
use super::item::{Fields, Link};
use super::visit::{Shell, Visit};
use crate::app::App;
use crate::error::AppError;
use crate::rows::json_rows;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use flowgauge_lake::model::Time;
use flowgauge_query::facts::Facts;
use flowgauge_query::list::{LISTS, ListQuery, list};

const PARAMETERS: &[&str] = &["from", "to", "team", "service", "attributed", "tz", "offset"];
const COLUMNS: &[&str] = &["team", "service", "attributed"];
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "incidents.html")]
struct IncidentsPage {
    shell: Shell,
    form: Form,
    rows: Vec<IncidentRow>,
    range: String,
    /// How many there are in the selection, and how many of them belong to no deployment.
    summary: String,
    unattributed: Option<String>,
    previous: Option<String>,
    next: Option<String>,
    json: String,
    csv: String,
    is_connected: bool,
    everything: String,
}

struct IncidentRow {
    link: Link,
    started_at: Option<Moment>,
    resolved_at: Option<Moment>,
    service: Option<(String, String)>,
    environment: String,
    severity: String,
    deployment: Option<Link>,
    rule: String,
    lag: String,
}

pub async fn page(State(app): State<App>, visit: Visit) -> Response {
    let page = show(&app, &visit).await;
    visit.answer(page)
}

async fn show(app: &App, visit: &Visit) -> Result<IncidentsPage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let filters = visit.filters(app, &facts, PARAMETERS)?;
    let path = visit.path.as_str();
    let query = query(&filters);
    let spec = LISTS.iter().find(|spec| spec.name == "incident_links").expect("incident links are a list");
    let page = list(app.engine(), &app.tenant(), spec, &query).await?;
    let rows = json_rows(std::slice::from_ref(&page.rows)).map_err(|error| AppError::Internal(error.to_string()))?;
    let rows: Vec<IncidentRow> = rows.as_array().into_iter().flatten().map(|row| incident(&Fields::of(row), &filters)).collect();
    let place = |offset: usize| filters.with(path, "offset", (offset > 0).then(|| offset.to_string()).as_deref());
    let api = |format: &'static str| query_address("/api/v1/incident_links", &query, format);
    let (all, unattributed) = count(&facts, &filters);
    let names = |name, label, all, names| Select::of_names(name, label, all, names, &filters);
    let selects = vec![
        names("service", "Service", "All services", filters::services(&facts)),
        names("team", "Team", "All teams", filters::teams(&facts)),
        Select::of_flag("attributed", "Charged", ["To a deployment or none", "To a deployment", "To none"], &filters),
    ];
    let mut shell = visit.shell("Incidents", Some(&filters));
    shell.data_as_of = facts.data_as_of.map(|at| Moment::new(at, filters.tz()));
    Ok(IncidentsPage {
        form: Form::of_list(path, &filters, selects),
        range: range("Incidents", filters.offset, rows.len()),
        summary: format!(
            "{} in production, {} of them charged to no deployment.",
            format::counted(all, "incident", "incidents"),
            format::grouped(unattributed)
        ),
        unattributed: (unattributed > 0 && filters.value("attributed") != Some("false"))
            .then(|| filters.with(path, "attributed", Some("false"))),
        previous: (filters.offset > 0).then(|| place(filters.offset.saturating_sub(ROWS))),
        next: page.has_more.then(|| place(filters.offset + ROWS)),
        json: api("json"),
        csv: api("csv"),
        is_connected: !facts.incident_bases.is_empty(),
        everything: filters.carry(path, &["tz", "theme"], &[]),
        shell,
        rows,
    })
}

fn query(filters: &Filters) -> ListQuery {
    let column = |name: &&'static str| filters.values(name).map(|value| ((*name).to_owned(), value.to_owned())).collect::<Vec<_>>();
    ListQuery {
        from: filters.value("from").map(|_| filters.from),
        to: filters.value("to").map(|_| filters.to),
        filters: COLUMNS.iter().flat_map(column).collect(),
        limit: ROWS,
        offset: filters.offset,
        ..ListQuery::default()
    }
}

/// What a list shows, as the API gives it.
pub fn query_address(path: &str, query: &ListQuery, format: &str) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    pairs.extend(query.from.map(|at| ("from", at.to_string())));
    pairs.extend(query.to.map(|at| ("to", at.to_string())));
    pairs.extend(query.filters.iter().map(|(name, value)| (name.as_str(), value.clone())));
    pairs.extend([("limit", "1000".to_owned()), ("format", format.to_owned())]);
    address::with_query(path, pairs)
}

/// Which rows of a list a page shows.
pub fn range(what: &str, offset: usize, rows: usize) -> String {
    match rows {
        0 => format!("No {}", what.to_lowercase()),
        n => format!("{what} {} to {}, newest first", format::grouped(offset as i64 + 1), format::grouped((offset + n) as i64)),
    }
}

/// The incidents of window, services and teams, and those of them that no deployment is charged with.
fn count(facts: &Facts, filters: &Filters) -> (i64, i64) {
    let (services, teams): (Vec<&str>, Vec<&str>) = (filters.values("service").collect(), filters.values("team").collect());
    let asked = |names: &[&str], name: Option<&str>| names.is_empty() || name.is_some_and(|name| names.contains(&name));
    let from = filters.value("from").map(|_| filters.from);
    let to = filters.value("to").map(|_| filters.to);
    let fits =
        |service: Option<&str>| asked(&services, service) && asked(&teams, service.and_then(|service| facts.catalogue.team(service)));
    let (mut all, mut unattributed) = (0, 0);
    for link in facts.links.iter().filter(|link| link.repeats_from.is_none()) {
        let in_window = from.is_none_or(|from| from <= link.started_at) && to.is_none_or(|to| link.started_at < to);
        let is_asked = if link.services.is_empty() { fits(None) } else { link.services.iter().any(|service| fits(Some(service))) };
        if in_window && is_asked {
            all += 1;
            unattributed += i64::from(link.charge(Time::MAX).0.is_none());
        }
    }
    (all, unattributed)
}

fn incident(row: &Fields<'_>, filters: &Filters) -> IncidentRow {
    let tz = filters.tz();
    let id = row.word("incident_id");
    let deployment = row.text("deployment_id").map(|id| Link {
        text: id.to_owned(),
        href: address::deployment(id, &row.word("deployment_source")),
        note: row.word("deployment_service"),
    });
    IncidentRow {
        link: Link { href: address::incident(&id, &row.word("source")), text: id, note: String::new() },
        started_at: row.moment("started_at", tz),
        resolved_at: row.moment("resolved_at", tz),
        service: row
            .text("service")
            .map(|name| (name.to_owned(), filters.carry(&address::service(name), &["from", "to", "tz", "theme"], &[]))),
        environment: row.word("environment"),
        severity: row.word("severity"),
        rule: format::words(&row.word("rule")),
        lag: row.number("lag_seconds").map(format::duration).unwrap_or_default(),
        deployment,
    }
}
