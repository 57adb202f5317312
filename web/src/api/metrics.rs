//! `/api/v1/metrics`: the catalogue, and the answer to one question.

use super::endpoint::{Endpoint, answers, answers_as, choice, format_parameter, in_path, operation, query, text, window};
use super::format::{self, Column, Format};
use super::parameters::Parameters;
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing;
use flowgauge_lake::model::Tier;
use flowgauge_query::answer::Answer;
use flowgauge_query::buckets::Bucketing;
use flowgauge_query::definitions::presets;
use flowgauge_query::metric;
use flowgauge_query::question::Question;
use serde_json::{Map, Value, json};
use utoipa::openapi::Ref;
use utoipa::openapi::path::{OperationBuilder, Parameter};

const FORMATS: &[Format] = &[Format::Json, Format::Csv, Format::Rows];

pub fn endpoints() -> Vec<Endpoint> {
    let catalogue = operation("listMetrics", "The metrics there are, with their definitions.")
        .response("200", answers("The catalogue.", Ref::from_schema_name("Catalogue")));
    let ids: Vec<&str> = metric::ALL.iter().map(|metric| metric.id).collect();
    let one = question_parameters(operation("getMetric", "One metric over a window, split and filtered."))
        .parameter(in_path("id", &format!("One of {}.", ids.join(", "))))
        .parameter(format_parameter(FORMATS))
        .response("200", answers_as("The answer; `rows` and CSV give one flat row a point.", Ref::from_schema_name("Answer"), FORMATS));
    vec![Endpoint::get("/api/v1/metrics", routing::get(list), catalogue), Endpoint::get("/api/v1/metrics/{id}", routing::get(ask), one)]
}

/// What every question may say; which dimensions a metric has, its entry in the catalogue tells.
pub fn question_parameters(operation: OperationBuilder) -> OperationBuilder {
    let mut dimensions: Vec<&str> =
        metric::ALL.iter().flat_map(|metric| metric.family.dimensions()).map(|dimension| dimension.as_str()).collect();
    dimensions.sort_unstable();
    dimensions.dedup();
    let filters = dimensions.iter().map(|name| query(name, "Only this one; several are alternatives.", text()));
    let tiers = std::iter::once("all").chain(Tier::ALL.iter().copied());
    let own: Vec<Parameter> = vec![
        query("as_of", "What was known at this moment.", text()),
        query("bucket", "How the window is cut.", choice(Bucketing::ALL.iter().copied())),
        query("tz", "IANA time zone of the buckets.", text()),
        query("by", &format!("One series for each value of these, with commas between: {}.", dimensions.join(", ")), text()),
        query("tier", "Which tier counts; production where the metric is about deployments.", choice(tiers)),
        query("preset", "By whose definitions; those of the configuration unless told.", choice(presets::names())),
        query("ci", "`1`: intervals also where the answer has many points.", choice(["0", "1"])),
    ];
    operation.parameters(Some(window("the window"))).parameters(Some(own)).parameters(Some(filters))
}

async fn list(_: Reader, State(app): State<App>, parameters: Parameters) -> Result<Response, AppError> {
    parameters.only([])?;
    let definitions = app.engine().rules().definitions;
    let hash = definitions.hash();
    let entry = |metric: &metric::Metric| {
        json!({
            "id": metric.id,
            "title": metric.title,
            "unit": metric.unit,
            "better": metric.better.as_str(),
            "definition": metric.doc,
            "dimensions": metric.family.dimensions().iter().map(|dimension| dimension.as_str()).collect::<Vec<_>>(),
            "hash": hash,
        })
    };
    let data: Vec<Value> = metric::ALL.iter().map(entry).collect();
    Ok(format::json(&json!({"data": data, "next_cursor": null, "preset": definitions.preset})))
}

async fn ask(
    _: Reader,
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, AppError> {
    let format = format::wanted(&mut parameters, &headers, FORMATS)?;
    let now = app.now();
    let question = Question::parse(&id, parameters.pairs(), now, app.engine().rules().display)?;
    let answer = app.engine().ask(&app.tenant(), &question, now).await?;
    Ok(match format {
        Format::Csv => csv(&answer, &question),
        Format::Rows => format::json(&Value::Array(answer.rows())),
        _ => {
            let text = serde_json::to_vec(&*answer).map_err(|error| AppError::Internal(error.to_string()))?;
            format::json_bytes(text)
        }
    })
}

/// One line a point; what is an object in JSON has a column for each part, or is JSON where its parts vary.
fn csv(answer: &Answer, question: &Question) -> Response {
    let points = || answer.series.iter().flat_map(|series| &series.points);
    let mut quantiles: Vec<&str> = points().flat_map(|point| point.quantiles.keys()).map(String::as_str).collect();
    quantiles.sort_unstable();
    quantiles.dedup();
    let mut columns = vec![Column::text("metric")];
    columns.extend(question.by.iter().map(|dimension| Column::text(dimension.as_str())));
    columns.extend(["start", "end", "partial"].map(Column::text));
    columns.extend(["value", "n", "numerator", "denominator"].map(Column::number));
    columns.extend(quantiles.into_iter().map(Column::number));
    columns.extend(["ci_lo", "ci_hi"].map(Column::number));
    columns.extend(["ci_method", "status", "excluded"].map(Column::text));
    columns.push(Column::number("coverage"));
    columns.push(Column::text("detail"));
    let rows: Vec<Map<String, Value>> = answer.rows().into_iter().filter_map(flat).collect();
    format::csv(&columns, &rows)
}

fn flat(row: Value) -> Option<Map<String, Value>> {
    let Value::Object(mut row) = row else { return None };
    if let Some(Value::Object(quantiles)) = row.remove("quantiles") {
        row.extend(quantiles);
    }
    if let Some(Value::Object(interval)) = row.remove("ci") {
        row.extend(interval.into_iter().map(|(name, value)| (format!("ci_{name}"), value)));
    }
    Some(row)
}
