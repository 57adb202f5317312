//! `/deployments`: the ledger. Every candidate for a deployment, what it was and why, whether it counts and why not, and how it ended.

use super::address;
use super::failure::Stop;
use super::filters::{self, Filters};
use super::form::{Form, Select};
use super::format::{self, Moment};
use super::incidents;
use super::item::Link;
use super::visit::{Shell, Visit};
use crate::app::App;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono_tz::Tz;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{DeploymentClass, DeploymentKind, Outcome, Time};
use flowgauge_query::facts::Facts;
use flowgauge_query::list::{LISTS, ListQuery, ListSpec, list};
use std::collections::{HashMap, HashSet};

const PARAMETERS: &[&str] = &["from", "to", "team", "service", "environment", "class", "kind", "outcome", "counted", "tz", "offset"];
const COLUMNS: &[&str] = &["team", "service", "environment", "class", "kind", "outcome", "counted"];
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "deployments.html")]
struct DeploymentsPage {
    shell: Shell,
    form: Form,
    table: DeploymentTable,
    range: String,
    previous: Option<String>,
    next: Option<String>,
    json: String,
    csv: String,
    /// Whether there are any deployments at all.
    is_connected: bool,
    everything: String,
}

/// Deployments as a table.
#[derive(Template)]
#[template(path = "deployment_table.html")]
pub struct DeploymentTable {
    pub rows: Vec<DeploymentRow>,
}

pub struct DeploymentRow {
    pub id: String,
    pub href: String,
    pub at: Option<Moment>,
    pub service: String,
    pub service_href: String,
    pub team: Option<(String, String)>,
    pub environment: String,
    pub version: String,
    pub version_title: String,
    pub class: String,
    pub reason: String,
    /// Words and the deployment they lead to: what it tells of again, what it may be the same as, whose part it is.
    pub others: Vec<Link>,
    pub outcome: String,
    pub is_success: bool,
    pub is_bad: bool,
    pub counted: bool,
    pub excluded_reason: String,
    pub failures: Vec<FailureView>,
    pub recovered_at: Option<Moment>,
    pub rework: bool,
    pub source: String,
    pub evidence: String,
    pub url: Option<String>,
}

pub struct FailureView {
    pub reason: String,
    pub at: Moment,
}

pub async fn page(State(app): State<App>, visit: Visit) -> Response {
    let page = show(&app, &visit).await;
    visit.answer(page)
}

async fn show(app: &App, visit: &Visit) -> Result<DeploymentsPage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let filters = visit.filters(app, &facts, PARAMETERS)?;
    let path = visit.path.as_str();
    let column = |name: &&'static str| filters.values(name).map(|value| ((*name).to_owned(), value.to_owned())).collect::<Vec<_>>();
    let query = ListQuery {
        from: filters.value("from").map(|_| filters.from),
        to: filters.value("to").map(|_| filters.to),
        filters: COLUMNS.iter().flat_map(column).collect(),
        limit: ROWS,
        offset: filters.offset,
        ..ListQuery::default()
    };
    let (table, has_more) = ledger(app, &facts, &query, &filters).await?;
    let place = |offset: usize| filters.with(path, "offset", (offset > 0).then(|| offset.to_string()).as_deref());
    let api = |format: &'static str| incidents::query_address("/api/v1/ledger", &query, format);
    let names = |name, label, all, names| Select::of_names(name, label, all, names, &filters);
    let selects = vec![
        names("service", "Service", "All services", filters::services(&facts)),
        names("team", "Team", "All teams", filters::teams(&facts)),
        names("environment", "Environment", "All environments", filters::environments(&facts)),
        Select::of_words("class", "Class", "All classes", DeploymentClass::ALL, &filters),
        Select::of_words("kind", "Kind", "All kinds", DeploymentKind::ALL, &filters),
        Select::of_words("outcome", "Outcome", "All outcomes", Outcome::ALL, &filters),
        Select::of_flag("counted", "Counted", ["Counted or not", "Counted", "Not counted"], &filters),
    ];
    let mut shell = visit.shell("Deployments", Some(&filters));
    shell.data_as_of = facts.data_as_of.map(|at| Moment::new(at, filters.tz()));
    Ok(DeploymentsPage {
        form: Form::of_list(path, &filters, selects),
        range: incidents::range("Deployments", filters.offset, table.rows.len()),
        previous: (filters.offset > 0).then(|| place(filters.offset.saturating_sub(ROWS))),
        next: has_more.then(|| place(filters.offset + ROWS)),
        json: api("json"),
        csv: api("csv"),
        is_connected: facts.services.values().any(|service| !service.deployments.is_empty()),
        everything: filters.carry(path, &["tz", "theme"], &[]),
        shell,
        table,
    })
}

fn spec(name: &str) -> &'static ListSpec {
    LISTS.iter().find(|spec| spec.name == name).expect("a list")
}

/// One page of deployments, and whether there are more.
pub async fn table(app: &App, query: &ListQuery, filters: &Filters) -> Result<(DeploymentTable, bool), Stop> {
    let page = list(app.engine(), &app.tenant(), spec("deployments"), query).await?;
    let facts = app.engine().facts(&app.tenant());
    let rows = (0..page.rows.num_rows()).map(|row| deployment(&Cells { batch: &page.rows, row }, &facts, filters)).collect();
    Ok((DeploymentTable { rows }, page.has_more))
}

/// One page of the ledger: of the candidates that are deployments with all that is known of these.
async fn ledger(app: &App, facts: &Facts, query: &ListQuery, filters: &Filters) -> Result<(DeploymentTable, bool), Stop> {
    let page = list(app.engine(), &app.tenant(), spec("ledger"), query).await?;
    let entries: Vec<Cells<'_>> = (0..page.rows.num_rows()).map(|row| Cells { batch: &page.rows, row }).collect();
    let batch = app.engine().fact_batch(&app.tenant(), FactTable::Deployments);
    let wanted: HashSet<_> = entries.iter().map(Cells::key).collect();
    let known: HashMap<_, usize> =
        (0..batch.num_rows()).map(|row| (Cells { batch: &batch, row }.key(), row)).filter(|(key, _)| wanted.contains(key)).collect();
    let rows = entries.iter().map(|entry| {
        let told = known.get(&entry.key()).map(|row| deployment(&Cells { batch: &batch, row: *row }, facts, filters));
        let alone = || deployment(entry, facts, filters);
        DeploymentRow { others: others(entry, facts), ..as_counted(told.unwrap_or_else(alone), entry) }
    });
    Ok((DeploymentTable { rows: rows.collect() }, page.has_more))
}

/// The ledger has the last word on whether it counts.
fn as_counted(row: DeploymentRow, entry: &Cells<'_>) -> DeploymentRow {
    let excluded_reason = format::words(&entry.text("excluded_reason").unwrap_or_default());
    DeploymentRow { counted: entry.flag("counted"), excluded_reason, ..row }
}

/// The deployments that a row leads to.
fn others(cells: &Cells<'_>, facts: &Facts) -> Vec<Link> {
    let service = cells.text("service").unwrap_or_default();
    let link = |note: &str, id: String| {
        let all = facts.services.get(&service).map(|of| of.deployments.iter());
        let source = all.into_iter().flatten().find(|other| other.row.deployment_id == id).map(|other| other.source.to_string());
        Link { href: address::deployment(&id, &source.unwrap_or_default()), text: id, note: note.to_owned() }
    };
    let own = cells.text("deployment_id");
    let group = cells.text("deployment_group").filter(|id| own.as_ref() != Some(id)).map(|id| link("part of", id));
    let told = cells.text("duplicate_of").map(|id| link("tells of", id));
    let suspects = cells.texts("suspected_duplicate_of").into_iter().map(|id| link("▲ may be the same as", id));
    told.into_iter().chain(group).chain(suspects).collect()
}

fn deployment(cells: &Cells<'_>, facts: &Facts, filters: &Filters) -> DeploymentRow {
    let tz = filters.tz();
    let text = |name: &str| cells.text(name).unwrap_or_default();
    let carried = |path: String| filters.carry(&path, &["from", "to", "tz", "theme"], &[]);
    let version = cells.text("version").or(cells.text("sha")).or(cells.text("digest")).unwrap_or_default();
    let outcome = cells.text("outcome").and_then(|outcome| Outcome::parse(&outcome));
    let (service, id, source) = (text("service"), text("deployment_id"), text("source"));
    let class = cells.text("class").and_then(|class| DeploymentClass::parse(&class));
    let href = match id.split_once('@') {
        // An operation that is no deployment is shown with its application.
        Some((app, _)) if class.is_some_and(DeploymentClass::is_operation) => {
            address::with_query(&address::item("applications", app), [("source", source.as_str())])
        }
        _ => address::deployment(&id, &source),
    };
    DeploymentRow {
        at: cells.time("finished_at").or(cells.time("at")).map(|at| Moment::new(at, tz)),
        service_href: carried(address::service(&service)),
        team: cells.text("team").map(|team| (team.clone(), carried(address::team(&team)))),
        environment: text("environment"),
        version: short_version(&version),
        version_title: version,
        class: class.map_or_else(|| "running".to_owned(), |class| format::words(class.as_str())),
        reason: cells.text("class_reason").or(cells.text("reason")).unwrap_or_default(),
        others: others(cells, facts),
        outcome: outcome.map_or_else(String::new, |outcome| format::words(outcome.as_str())),
        is_success: outcome == Some(Outcome::Success),
        is_bad: outcome.is_some_and(Outcome::is_bad),
        counted: cells.flag("counted"),
        excluded_reason: format::words(&text("excluded_reason")),
        failures: cells.failures(tz),
        recovered_at: cells.time("recovered_at").map(|at| Moment::new(at, tz)),
        rework: cells.flag("rework"),
        evidence: format::words(&text("evidence")),
        url: cells.text("url").and_then(|url| address::external(&url).map(str::to_owned)),
        service,
        source,
        href,
        id,
    }
}

/// A commit or digest in short; any other version as it is.
pub fn short_version(version: &str) -> String {
    let digits = version.rsplit(':').next().unwrap_or(version);
    let is_hash = digits.len() >= 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { format::short_sha(version) } else { version.to_owned() }
}

/// One row of a fact table.
struct Cells<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl<'a> Cells<'a> {
    fn column(&self, name: &str) -> Option<&'a dyn Array> {
        self.batch.column_by_name(name).map(|column| column.as_ref()).filter(|column| !column.is_null(self.row))
    }

    fn text(&self, name: &str) -> Option<String> {
        let column = self.column(name)?;
        column.as_string_opt::<i32>().map(|texts| texts.value(self.row).to_owned())
    }

    /// What tells rows apart.
    fn key(&self) -> (Option<String>, Option<String>) {
        (self.text("deployment_id"), self.text("source"))
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let list = self.column(name).and_then(|column| column.as_list_opt::<i32>()).map(|lists| lists.value(self.row));
        let texts = list.iter().filter_map(|items| items.as_string_opt::<i32>()).flatten().flatten();
        texts.map(str::to_owned).collect()
    }

    fn time(&self, name: &str) -> Option<Time> {
        moment(self.column(name)?, self.row)
    }

    fn flag(&self, name: &str) -> bool {
        self.column(name).and_then(|column| column.as_boolean_opt()).is_some_and(|flags| flags.value(self.row))
    }

    fn failures(&self, tz: Tz) -> Vec<FailureView> {
        let Some(list) = self.column("failures").and_then(|column| column.as_list_opt::<i32>()) else { return Vec::new() };
        let records = list.value(self.row);
        let Some(records) = records.as_struct_opt() else { return Vec::new() };
        let text = |name: &str, row: usize| {
            let texts = records.column_by_name(name)?.as_string_opt::<i32>()?;
            texts.is_valid(row).then(|| texts.value(row).to_owned())
        };
        let failure = |row: usize| {
            let reason = format::words(&text("reason", row)?);
            let at = moment(records.column_by_name("at")?, row)?;
            Some(FailureView {
                reason: match text("incident_id", row) {
                    Some(incident) => format!("{reason} {incident}"),
                    None => reason,
                },
                at: Moment::new(at, tz),
            })
        };
        (0..records.len()).filter_map(failure).collect()
    }
}

fn moment(column: &dyn Array, row: usize) -> Option<Time> {
    column.as_primitive_opt::<TimestampMicrosecondType>().map(|times| Time::from_micros(times.value(row)))
}

#[cfg(test)]
mod tests {
    use super::short_version;

    #[test]
    fn only_hashes_are_shortened() {
        assert_eq!(short_version("v1.2.3-rc.1+build"), "v1.2.3-rc.1+build");
        assert_eq!(short_version("0123456789abcdef0123456789abcdef01234567"), "01234567");
        assert_eq!(short_version("sha256:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"), "abcdef01");
    }
}
