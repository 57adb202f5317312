//! `/deployments/{id}`: what one deployment was and why, what it brought, whether it failed, what people say of it, and the raw events
//! behind it. Shows what `/api/v1/deployments/{id}` answers.

use super::address;
use super::deployments::short_version;
use super::failure::Stop;
use super::filters::Filters;
use super::format::{self, Moment};
use super::item::{self, Fields, Link};
use super::verdict::{self, About, Verdicts};
use super::visit::{Shell, Visit};
use crate::api::{self, Parameters};
use crate::app::App;
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono_tz::Tz;
use flowgauge_query::facts::Facts;
use serde_json::{Map, Value};

const PARAMETERS: &[&str] = &["source", "tz"];
/// Commits that the page lists; the API has all.
const COMMITS: usize = 200;

#[derive(Template)]
#[template(path = "deployment.html")]
struct DeploymentPage {
    shell: Shell,
    id: String,
    service: String,
    service_href: String,
    environment: String,
    state: StateView,
    class: String,
    class_reason: String,
    /// What else is to be said of what it was: name, words.
    facts: Vec<(&'static str, String)>,
    moments: Vec<(&'static str, Moment)>,
    /// The deployment that this row only tells of again.
    told_by: Option<Link>,
    suspects: Vec<Link>,
    related: Vec<(&'static str, Link)>,
    commits: Vec<Commit>,
    commit_count: String,
    /// Why there are no commits.
    no_commits: String,
    failures: Vec<FailureView>,
    recovered_at: Option<Moment>,
    incidents: Vec<IncidentView>,
    verdicts: Verdicts,
    url: Option<String>,
    raw: Vec<Link>,
    json: String,
}

/// The state now, in a word and a sentence.
struct StateView {
    word: &'static str,
    mark: &'static str,
    /// How it is coloured.
    look: &'static str,
    sentence: String,
}

struct Commit {
    sha: String,
    short: String,
    title: String,
    change: Option<String>,
    repo: String,
    written_at: Option<Moment>,
    lead: String,
    note: String,
}

struct FailureView {
    reason: String,
    at: Option<Moment>,
    incident: Option<Link>,
    ended: Option<(String, Moment)>,
}

struct IncidentView {
    link: Link,
    severity: String,
    started_at: Option<Moment>,
    resolved_at: Option<Moment>,
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
        let item = api::item(&app, "deployments", &id, given(&filters))?;
        let data = Fields::member(&item, "data");
        let (id, source) = (data.word("deployment_id"), data.word("source"));
        verdict::take(&app, &visit, About::Deployment { id: &id, source: &source }, &body).await
    };
    match taken.await {
        Ok(response) => response,
        Err(stop) => stop.answer(&visit),
    }
}

/// What tells things of one id apart.
pub fn given(filters: &Filters) -> Parameters {
    Parameters::of(&filters.carry("", &["source"], &[]).replacen('?', "", 1))
}

fn show(app: &App, visit: &Visit, id: &str) -> Result<DeploymentPage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let filters = visit.filters(app, &facts, PARAMETERS)?;
    let tz = filters.tz();
    let item = api::item(app, "deployments", id, given(&filters))?;
    let (data, ledger, row) = (Fields::member(&item, "data"), Fields::member(&item, "ledger"), Fields::member(&item, "row"));
    let service = data.word("service");
    let told_by = ledger.text("duplicate_of").map(|_| link_to(&data, tz));
    let mut verdicts = Verdicts::of(app, visit, &item, tz)?;
    if data.time("finished_at").is_none() {
        verdicts.closed = Some("It is not finished: there is nothing to judge yet.");
    }
    let (commits, commit_count) = commits(&facts, &item, tz);
    let mut shell = visit.shell(&format!("Deployment of {service}"), Some(&filters));
    shell.data_as_of = facts.data_as_of.map(|at| Moment::new(at, tz));
    let source = row.word("source");
    Ok(DeploymentPage {
        id: id.to_owned(),
        service_href: filters.carry(&address::service(&service), &["tz", "theme"], &[]),
        environment: data.word("environment"),
        state: state(&item, &facts, tz),
        class: ledger.text("class").map_or_else(|| "running".to_owned(), format::words),
        class_reason: ledger.word("reason"),
        facts: what_it_was(&data, &ledger, &row),
        moments: [("Started", "started_at"), ("Finished", "finished_at")]
            .into_iter()
            .filter_map(|(name, column)| Some((name, data.moment(column, tz)?)))
            .collect(),
        told_by,
        suspects: Fields::list(&item, "suspected_duplicates").map(|other| link_to(&other, tz)).collect(),
        related: related(&item, tz),
        no_commits: no_commits(&data, &item),
        commits,
        commit_count,
        failures: Fields::list(&item, "failures").map(|failure| failure_view(&failure, &source, &item, tz)).collect(),
        recovered_at: data.moment("recovered_at", tz),
        incidents: Fields::list(&item, "incidents").map(|incident| incident_view(&incident, tz)).collect(),
        verdicts,
        url: data.text("url").and_then(address::external).map(str::to_owned),
        raw: item::raw_events(&item),
        json: address::with_query(&address::item("deployments", id), filters.value("source").map(|source| ("source", source))),
        service,
        shell,
    })
}

/// A deployment by its version, leading to its page.
pub fn link_to(row: &Fields<'_>, tz: Tz) -> Link {
    let version = row.text("version").or(row.text("sha")).or(row.text("digest")).map_or_else(|| "no version".to_owned(), short_version);
    let at = row.moment("finished_at", tz).map(|at| format!(", {}", at.text)).unwrap_or_default();
    Link {
        text: row.word("deployment_id"),
        href: address::deployment(&row.word("deployment_id"), &row.word("source")),
        note: format!("{version} in {}{at}", row.word("environment")),
    }
}

fn state(item: &Map<String, Value>, facts: &Facts, tz: Tz) -> StateView {
    let data = Fields::member(item, "data");
    let maturity = facts.definitions.maturity;
    let age = format::duration(maturity as f64);
    let view = |word, mark, look, sentence: String| StateView { word, mark, look, sentence };
    match item.get("state").and_then(Value::as_str) {
        Some("failed") => view("failed", "✗", "worse", "A failure of it is known.".to_owned()),
        Some("pending") => {
            let until = data.time("finished_at").map(|at| Moment::new(at.plus_seconds(maturity), tz).text).unwrap_or_default();
            view(
                "pending",
                "…",
                "",
                format!("No failure is known, but it is younger than {age}: failures arrive late. It is mature on {until}."),
            )
        }
        Some(_) => view("ok", "✓", "better", format!("No failure is known, and it is older than {age}.")),
        None if data.time("finished_at").is_none() => view("running", "…", "", "It is not finished.".to_owned()),
        None => view("no effect", "–", "", "It did not change what runs, so it cannot have failed there.".to_owned()),
    }
}

fn what_it_was(data: &Fields<'_>, ledger: &Fields<'_>, row: &Fields<'_>) -> Vec<(&'static str, String)> {
    let words = |name: &str| data.text(name).map(format::words);
    let kind = words("kind").map(|kind| match data.text("kind_reason") {
        Some(reason) => format!("{kind}: {reason}"),
        None => kind,
    });
    let counted = match (ledger.flag("counted"), ledger.text("excluded_reason")) {
        (Some(true), _) => "yes".to_owned(),
        (_, Some(reason)) => format!("no: {}", format::words(reason)),
        _ => "no".to_owned(),
    };
    let rework = (data.flag("rework") == Some(true)).then(|| "yes: rollback, hotfix, revert or the fix of an incident".to_owned());
    let all = [
        ("Kind", kind),
        ("Outcome", words("outcome")),
        ("Counted", Some(counted)),
        ("Unplanned", rework),
        ("Tier", words("tier")),
        ("Team", data.text("team").map(str::to_owned)),
        ("Version", data.text("version").map(str::to_owned)),
        ("Commit", data.text("sha").map(str::to_owned)),
        ("Artifact", data.text("digest").map(str::to_owned)),
        ("Code", data.text("repo").map(str::to_owned)),
        ("Configuration", data.text("config_sha").map(str::to_owned)),
        ("Told by", ledger.text("evidence").map(format::words)),
        ("Source", row.text("source").map(str::to_owned)),
        ("Started by", row.text("initiated_by").map(str::to_owned)),
    ];
    all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

fn related(item: &Map<String, Value>, tz: Tz) -> Vec<(&'static str, Link)> {
    let one = |name: &'static str, member: &str| {
        let row = Fields::member(item, member);
        row.is_there().then(|| (name, link_to(&row, tz)))
    };
    let several =
        |name: &'static str, member: &str| Fields::list(item, member).map(move |row| (name, link_to(&row, tz))).collect::<Vec<_>>();
    let evidence = Fields::list(item, "evidence").map(|row| ("Other evidence", link_to(&row, tz)));
    one("Replaced", "previous")
        .into_iter()
        .chain(several("Replaced by", "next"))
        .chain(one("Ended by", "remediation"))
        .chain(several("Ended the failure of", "remedies"))
        .chain(evidence)
        .collect()
}

/// The commits that it first brought to its environment, and how many there are.
fn commits(facts: &Facts, item: &Map<String, Value>, tz: Tz) -> (Vec<Commit>, String) {
    let of_environment = |row: &Fields<'_>| row.text("grain") == Some("environment") && row.text("sha").is_some();
    let all: Vec<Fields<'_>> = Fields::list(item, "changes").filter(of_environment).collect();
    let commit = |row: &Fields<'_>| {
        let (repo, sha) = (row.word("repo"), row.word("sha"));
        let message = facts.repos.get(&repo).and_then(|known| known.message(known.find(&sha)?));
        Commit {
            short: format::short_sha(&sha),
            title: message.and_then(|text| text.lines().next()).unwrap_or_default().to_owned(),
            change: row.text("change_id").map(str::to_owned),
            written_at: row.moment("started_at", tz),
            lead: row.number("lead_seconds").map(format::duration).unwrap_or_default(),
            note: row.text("excluded_reason").map(format::words).unwrap_or_default(),
            repo,
            sha,
        }
    };
    let count = match all.len() {
        n if n > COMMITS => format!("The first {COMMITS} of {}", format::counted(n as i64, "commit", "commits")),
        n => format::counted(n as i64, "commit", "commits"),
    };
    (all.iter().take(COMMITS).map(commit).collect(), count)
}

fn no_commits(data: &Fields<'_>, item: &Map<String, Value>) -> String {
    let excluded = Fields::list(item, "changes").filter(|row| row.text("grain") == Some("environment"));
    match excluded.filter_map(|row| row.text("excluded_reason")).next() {
        Some("no_baseline") => "It is the first of its environment: all of history is no change of anybody's.".to_owned(),
        Some("no_source_link") => "Nothing leads from it to a commit.".to_owned(),
        Some("no_graph") => "The history of its commit is not known.".to_owned(),
        Some(reason) => format::words(reason),
        None if data.text("outcome") != Some("success") => "Only a success brings commits.".to_owned(),
        None => "It brought no commit that was not there.".to_owned(),
    }
}

fn failure_view(failure: &Fields<'_>, source: &str, item: &Map<String, Value>, tz: Tz) -> FailureView {
    let incident = failure.text("incident_id").map(|id| {
        let known = Fields::list(item, "incidents").find(|incident| incident.text("incident_id") == Some(id));
        let of = known.map_or_else(|| source.to_owned(), |incident| incident.word("source"));
        Link { text: id.to_owned(), href: address::incident(id, &of), note: String::new() }
    });
    let ended = match (failure.moment("resolved_at", tz), failure.moment("remediated_at", tz)) {
        (Some(at), _) => Some(("incident over".to_owned(), at)),
        (None, Some(at)) => Some((format!("ended by {}", failure.word("remediation_deployment_id")), at)),
        (None, None) => None,
    };
    FailureView { reason: format::words(&failure.word("reason")), at: failure.moment("at", tz), incident, ended }
}

fn incident_view(incident: &Fields<'_>, tz: Tz) -> IncidentView {
    let id = incident.word("incident_id");
    IncidentView {
        link: Link { href: address::incident(&id, &incident.word("source")), text: id, note: String::new() },
        severity: incident.word("severity"),
        started_at: incident.moment("started_at", tz),
        resolved_at: incident.moment("resolved_at", tz),
        rule: format::words(&incident.word("rule")),
        lag: incident.number("lag_seconds").map(format::duration).unwrap_or_default(),
    }
}
