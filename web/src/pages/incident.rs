//! `/incidents/{id}`: one incident, the deployment it is charged to and by which rule, and what people say of that. Shows what
//! `/api/v1/incidents/{id}` answers.

use super::address;
use super::deployment::{given, link_to};
use super::deployments::short_version;
use super::failure::Stop;
use super::format::{self, Moment};
use super::item::{self, Fields, Link};
use super::verdict::{self, About, Verdicts};
use super::visit::{Shell, Visit};
use crate::api;
use crate::app::App;
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono_tz::Tz;
use flowgauge_lake::model::{Tier, Time};
use flowgauge_query::facts::Facts;
use serde_json::Value;

const PARAMETERS: &[&str] = &["source", "tz"];
/// Deployments that the form proposes as causes.
const CAUSES: usize = 20;

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    shell: Shell,
    id: String,
    title: String,
    facts: Vec<(&'static str, String)>,
    moments: Vec<(&'static str, Moment)>,
    services: Vec<(String, String)>,
    /// The rule, and how long after the deployment it began.
    charge: Option<Charge>,
    /// Why it is charged to no deployment, or not counted at all.
    uncharged: String,
    fixed_by: Vec<Link>,
    verdicts: Verdicts,
    url: Option<String>,
    raw: Vec<Link>,
    json: String,
}

struct Charge {
    deployment: Link,
    rule: String,
    lag: String,
}

pub async fn page(State(app): State<App>, Path(id): Path<String>, visit: Visit) -> Response {
    let page = show(&app, &visit, &id);
    visit.answer(page)
}

pub async fn judge(State(app): State<App>, Path(id): Path<String>, visit: Visit, body: Bytes) -> Response {
    let taken = async {
        let facts = app.engine().facts(&app.tenant());
        let filters = visit.filters(&app, &facts, PARAMETERS)?;
        let item = api::item(&app, "incidents", &id, given(&filters))?;
        let source = Fields::member(&item, "data").word("source");
        verdict::take(&app, &visit, About::Incident { id: &id, source: &source }, &body).await
    };
    match taken.await {
        Ok(response) => response,
        Err(stop) => stop.answer(&visit),
    }
}

fn show(app: &App, visit: &Visit, id: &str) -> Result<IncidentPage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let filters = visit.filters(app, &facts, PARAMETERS)?;
    let tz = filters.tz();
    let item = api::item(app, "incidents", id, given(&filters))?;
    let data = Fields::member(&item, "data");
    let services: Vec<String> =
        item["data"]["services"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let link = Fields::list(&item, "links").next();
    let deployment = Fields::list(&item, "deployments").next();
    let charge = link.zip(deployment).map(|(link, deployment)| Charge {
        deployment: link_to(&deployment, tz),
        rule: format::words(&link.word("rule")),
        lag: link.number("lag_seconds").map(format::duration).unwrap_or_default(),
    });
    let uncharged = match (link, data.text("duplicate_of")) {
        (Some(link), _) => link.word("rule"),
        (None, Some(original)) => format!("it repeats {original}, which is counted"),
        (None, None) => "it did not happen in production, or does not say when it began: it is not counted".to_owned(),
    };
    let began = data.time("started_at").or_else(|| data.time("created_at"));
    let mut shell = visit.shell(&format!("Incident {id}"), Some(&filters));
    shell.data_as_of = facts.data_as_of.map(|at| Moment::new(at, tz));
    let words = [("Severity", "severity"), ("Environment", "environment"), ("Repeats", "duplicate_of"), ("Source", "source")];
    let moments = [
        ("Started", "started_at"),
        ("Detected", "detected_at"),
        ("Reported", "created_at"),
        ("Acknowledged", "acknowledged_at"),
        ("Over", "resolved_at"),
    ];
    Ok(IncidentPage {
        id: id.to_owned(),
        title: data.word("title"),
        facts: words.into_iter().filter_map(|(name, column)| Some((name, data.text(column)?.to_owned()))).collect(),
        moments: moments.into_iter().filter_map(|(name, column)| Some((name, data.moment(column, tz)?))).collect(),
        verdicts: Verdicts::of(app, visit, &item, tz)?.about_causes(causes(&facts, &services, began, tz)),
        services: services
            .into_iter()
            .map(|name| {
                let href = filters.carry(&address::service(&name), &["tz", "theme"], &[]);
                (name, href)
            })
            .collect(),
        charge,
        uncharged,
        fixed_by: Fields::list(&item, "fixed_by").map(|row| link_to(&row, tz)).collect(),
        url: data.text("url").and_then(address::external).map(str::to_owned),
        raw: item::raw_events(&item),
        json: address::with_query(&address::item("incidents", id), filters.value("source").map(|source| ("source", source))),
        shell,
    })
}

/// The latest deployments to production before the incident began, of its services or, if it names none, of any.
fn causes(facts: &Facts, services: &[String], began: Option<Time>, tz: Tz) -> Vec<(String, String)> {
    let of = facts.services.iter().filter(|(name, _)| services.is_empty() || services.contains(name));
    let mut known: Vec<_> = of
        .flat_map(|(_, of)| of.deployments.iter())
        .filter(|deployment| deployment.tier == Tier::Production && deployment.took_effect)
        .filter(|deployment| began.is_none_or(|began| deployment.finished_at().is_some_and(|at| at <= began)))
        .collect();
    known.sort_by(|a, b| b.order().cmp(&a.order()));
    let proposal = |deployment: &&flowgauge_query::facts::deployments::Classified| {
        let row = &deployment.row;
        let version = row.version.as_deref().or(row.sha.as_deref()).or(row.digest.as_deref()).map(short_version).unwrap_or_default();
        let at = deployment.finished_at().map(|at| Moment::new(at, tz).text).unwrap_or_default();
        (row.deployment_id.clone(), format!("{} {version} in {}, {at}", deployment.service, row.environment))
    };
    known.iter().take(CAUSES).map(proposal).collect()
}
