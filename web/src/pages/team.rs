//! `/teams/{team}`: how one team delivers, and each of its services.

use super::failure::Stop;
use super::filters;
use super::form::Form;
use super::format::Moment;
use super::home::BoardTable;
use super::numbers::{self, Board};
use super::visit::{Shell, Visit};
use crate::app::App;
use crate::error::AppError;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use flowgauge_lake::model::nearest;
use flowgauge_query::question::Dimension;

const PARAMETERS: &[&str] = &["from", "to", "environment", "bucket", "tz", "offset"];

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage {
    shell: Shell,
    team: String,
    form: Form,
    board: Board,
    rows: BoardTable,
    deployments: String,
}

pub async fn page(State(app): State<App>, Path(team): Path<String>, visit: Visit) -> Response {
    let page = show(&app, &visit, team).await;
    visit.answer(page)
}

async fn show(app: &App, visit: &Visit, team: String) -> Result<TeamPage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let known = filters::teams(&facts);
    if !known.contains(team.as_str()) {
        let hint = nearest(&team, known.iter().copied()).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        return Err(AppError::NotFound(format!("unknown team `{team}`{hint}")).into());
    }
    let filters = visit.filters(app, &facts, PARAMETERS)?.scoped(Dimension::Team, &team);
    let (board, rows) = tokio::join!(numbers::board(app, &filters, true), BoardTable::of(app, &visit.path, &filters, Dimension::Service));
    let (board, rows) = (board?, rows?);
    let mut shell = visit.shell(&format!("Team {team}"), Some(&filters));
    shell.data_as_of = board.data_as_of.map(|at| Moment::new(at, filters.tz()));
    Ok(TeamPage {
        form: Form::of_numbers(&visit.path, &filters, &["environment"], Vec::new()),
        deployments: filters.carry("/deployments", &["from", "to", "environment", "tz", "theme"], &[("team", &team)]),
        shell,
        team,
        board,
        rows,
    })
}
