//! `/`: how the organisation delivers, and every team or service in it.

use super::failure::Stop;
use super::filters::{self, Filters};
use super::form::{Form, Select};
use super::format::{self, Moment};
use super::numbers::{self, Board, BoardRow, Column};
use super::visit::{Shell, Visit};
use crate::app::App;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use flowgauge_lake::model::Time;
use flowgauge_query::question::Dimension;
use std::collections::BTreeMap;

const PARAMETERS: &[&str] = &["from", "to", "by", "team", "service", "environment", "bucket", "tz", "offset"];
/// Teams or services at once.
const ROWS: usize = 60;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
    form: Form,
    board: Board,
    rows: BoardTable,
    collectors: Vec<Collector>,
}

/// The table of teams or services.
pub struct BoardTable {
    pub title: &'static str,
    pub heading: &'static str,
    pub columns: Vec<Column>,
    pub rows: Vec<BoardRow>,
    pub nobody: &'static str,
    /// Text, address and whether it is shown: teams, services.
    pub kinds: Vec<(&'static str, String, bool)>,
    pub previous: Option<String>,
    pub next: Option<String>,
    pub json: String,
}

impl BoardTable {
    pub async fn of(app: &App, path: &str, filters: &Filters, by: Dimension) -> Result<BoardTable, Stop> {
        let (rows, has_more) = numbers::rows(app, filters, by, ROWS).await?;
        let place = |offset: usize| filters.with(path, "offset", (offset > 0).then(|| offset.to_string()).as_deref());
        let (title, heading, nobody) = match by {
            Dimension::Team => ("Teams", "Team", "No team"),
            _ => ("Services", "Service", "No service"),
        };
        Ok(BoardTable {
            title,
            heading,
            nobody,
            columns: numbers::columns(filters, by),
            rows,
            kinds: Vec::new(),
            previous: (filters.offset > 0).then(|| place(filters.offset.saturating_sub(ROWS))),
            next: has_more.then(|| place(filters.offset + ROWS)),
            json: filters.api("/api/v1/scorecard", &[("by", by.as_str())]),
        })
    }
}

/// A source and how it does.
pub struct Collector {
    pub name: String,
    pub last: Moment,
    pub events: String,
    pub problems: u64,
}

fn collectors(app: &App, now: Time) -> Vec<Collector> {
    let mut by_source: BTreeMap<String, (u64, u64, Time)> = BTreeMap::new();
    for stats in app.lake().source_stats(&app.tenant()) {
        let (events, problems, last) = by_source.entry(stats.source.to_string()).or_default();
        *events += stats.count;
        *problems += stats.problems;
        *last = (*last).max(stats.last_received_at);
    }
    let collector = |(name, (events, problems, last)): (String, (u64, u64, Time))| Collector {
        name,
        last: Moment::ago(last, now),
        events: format::counted(events as i64, "event", "events"),
        problems,
    };
    by_source.into_iter().map(collector).collect()
}

pub async fn page(State(app): State<App>, visit: Visit) -> Response {
    let page = show(&app, &visit).await;
    visit.answer(page)
}

async fn show(app: &App, visit: &Visit) -> Result<HomePage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let filters = visit.filters(app, &facts, PARAMETERS)?;
    let teams = filters::teams(&facts);
    let by = match filters.value("by") {
        Some("service") => Dimension::Service,
        Some(_) => Dimension::Team,
        // Where nobody says who owns what, services are all there is.
        None if teams.is_empty() => Dimension::Service,
        None => Dimension::Team,
    };
    let (board, rows) = tokio::join!(numbers::board(app, &filters, false), BoardTable::of(app, "/", &filters, by));
    let (board, mut rows) = (board?, rows?);
    rows.kinds = [("Teams", Dimension::Team), ("Services", Dimension::Service)]
        .map(|(text, dimension)| (text, filters.with("/", "by", Some(dimension.as_str())), dimension == by))
        .to_vec();
    let mut shell = visit.shell("Delivery performance", Some(&filters));
    shell.data_as_of = board.data_as_of.map(|at| Moment::new(at, filters.tz()));
    Ok(HomePage {
        form: Form::of_numbers(
            "/",
            &filters,
            &["by", "service", "environment"],
            vec![Select::of_names("team", "Team", "All teams", teams, &filters)],
        ),
        collectors: collectors(app, app.now()),
        shell,
        board,
        rows,
    })
}
