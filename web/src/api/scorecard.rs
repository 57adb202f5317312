//! `/api/v1/scorecard`: the five metrics of delivery performance for every team or service in one answer.

use super::endpoint::{Endpoint, answers, choice, operation, query};
use super::format::{self, Format};
use super::metrics::question_parameters;
use super::parameters::{Parameters, bad};
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing;
use flowgauge_query::buckets::Bucketing;
use flowgauge_query::metric::FIVE;
use flowgauge_query::question::Question;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::Ref;

pub fn endpoints() -> Vec<Endpoint> {
    let scorecard = question_parameters(operation("getScorecard", "The five metrics for every team or service."))
        .parameter(query("by", "A line for each team, or each service with its team. Default: service.", choice(["service", "team"])))
        .response("200", answers("One line each.", Ref::from_schema_name("Scorecard")));
    vec![Endpoint::get("/api/v1/scorecard", routing::get(scorecard_of), scorecard)]
}

async fn scorecard_of(_: Reader, State(app): State<App>, headers: HeaderMap, mut parameters: Parameters) -> Result<Response, AppError> {
    format::wanted(&mut parameters, &headers, &[Format::Json])?;
    let by = parameters.take("by").unwrap_or_else(|| "service".to_owned());
    let by = match by.as_str() {
        "team" => "team",
        // A service has one team: it is a label of the same line.
        "service" | "team,service" | "service,team" => "team,service",
        other => return Err(bad("by", other, "team or service")),
    };
    let mut pairs = parameters.rest();
    pairs.push(("by".to_owned(), by.to_owned()));
    let now = app.now();
    let mut lines: BTreeMap<BTreeMap<&'static str, String>, Map<String, Value>> = BTreeMap::new();
    let mut head = Map::new();
    for metric in FIVE {
        let question = Question::parse(metric, &pairs, now, app.engine().rules().display)?;
        let answer = app.engine().ask(&app.tenant(), &question, now).await?;
        for series in &answer.series {
            let points = serde_json::to_value(&series.points).map_err(|error| AppError::Internal(error.to_string()))?;
            let shown = match (question.bucket, points) {
                (Bucketing::None, Value::Array(mut points)) => points.pop().unwrap_or_default(),
                (_, points) => json!({"points": points}),
            };
            lines.entry(series.labels.clone()).or_default().insert((*metric).to_owned(), shown);
        }
        if let Ok(Value::Object(mut answer)) = serde_json::to_value(&*answer) {
            ["metric", "unit", "series"].iter().for_each(|name| drop(answer.remove(*name)));
            head = answer;
        }
    }
    let data: Vec<Value> = lines.into_iter().map(|(labels, metrics)| json!({"labels": labels, "metrics": metrics})).collect();
    let mut answer = Map::from_iter([("data".to_owned(), Value::Array(data))]);
    answer.extend(head);
    Ok(format::json(&Value::Object(answer)))
}
