//! One thing, with its lineage both ways and the raw events behind it.

mod application;
mod change;
mod deployment;
mod incident;
mod run;

use super::endpoint::{Endpoint, answers, in_path, operation, query, text};
use super::format;
use super::parameters::Parameters;
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use crate::rows::json_rows;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing;
use flowgauge_lake::model::arrow::observation_batch;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{EventId, Row, Table, TableSpec};
use flowgauge_query::Found;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use utoipa::openapi::Ref;

/// The item of an id.
type Show = fn(&View<'_>, &str) -> Result<Map<String, Value>, AppError>;

/// A kind of thing that has an address.
struct Kind {
    list: &'static str,
    /// What the router matches: ids of changes hold slashes.
    pattern: &'static str,
    about: &'static str,
    id: &'static str,
    /// What tells things of one id apart.
    apart: &'static [&'static str],
    show: Show,
}

static KINDS: &[Kind] = &[
    Kind {
        list: "deployments",
        pattern: "{id}",
        about: "One deployment: its fact, what sources say of it, its failures, the commits that it brought, its incidents, the deployments before and after it.",
        id: "The provider's id.",
        apart: &["source"],
        show: deployment::show,
    },
    Kind {
        list: "changes",
        pattern: "{*id}",
        about: "One merge or pull request: its commits, reviews, and the deployments that brought it.",
        id: "`host/path` of the repository, a slash, the number.",
        apart: &["source"],
        show: change::show,
    },
    Kind {
        list: "incidents",
        pattern: "{id}",
        about: "One incident: the deployment it is charged to, by which rule, and the one that ended it.",
        id: "The provider's id.",
        apart: &["source"],
        show: incident::show,
    },
    Kind {
        list: "runs",
        pattern: "{id}",
        about: "One pipeline run: its attempts, jobs, and the deployments that it did.",
        id: "The provider's id.",
        apart: &["source", "pipeline"],
        show: run::show,
    },
    Kind {
        list: "jobs",
        pattern: "{id}",
        about: "One job: its attempts and its run.",
        id: "The provider's id.",
        apart: &["source", "run_id"],
        show: run::show_job,
    },
    Kind {
        list: "drift",
        pattern: "{id}",
        about: "The drift of one GitOps application: its stretches and episodes, and how it was last seen.",
        id: "The application's name.",
        apart: &["source"],
        show: application::show,
    },
    Kind {
        list: "applications",
        pattern: "{id}",
        about: "One GitOps application: how it was last seen, its stretches and drift episodes, its deployments.",
        id: "Its name.",
        apart: &["source"],
        show: application::show,
    },
];

pub fn endpoints() -> Vec<Endpoint> {
    KINDS.iter().map(endpoint).collect()
}

fn endpoint(kind: &'static Kind) -> Endpoint {
    let apart = kind.apart.iter().map(|name| query(name, "Tells things of one id apart; needed where the answer is 409.", text()));
    let conflict = answers("Several things have the id; `choices` names them.", Ref::from_schema_name("Problem"));
    let operation = operation(&format!("get_{}", kind.list), kind.about)
        .parameter(in_path("id", kind.id))
        .parameters(Some(apart))
        .response("200", answers("The thing.", Ref::from_schema_name("Item")))
        .response("409", conflict);
    let handler = move |_: Reader, State(app): State<App>, Path(id): Path<String>, parameters: Parameters| async move {
        parameters.only(kind.apart.iter().copied().chain(["format"]))?;
        let view = View { app: &app, given: parameters };
        (kind.show)(&view, &id).map(|item| format::json(&Value::Object(item))) as Result<Response, AppError>
    };
    Endpoint::get(format!("/api/v1/{}/{}", kind.list, kind.pattern), routing::get(handler), operation)
}

/// One thing as the API shows it, for the page about it.
pub fn item(app: &App, list: &str, id: &str, given: Parameters) -> Result<Map<String, Value>, AppError> {
    let kind = KINDS.iter().find(|kind| kind.list == list).ok_or_else(|| AppError::NotFound(format!("there are no {list}")))?;
    (kind.show)(&View { app, given }, id)
}

/// What an item is put together from.
struct View<'a> {
    app: &'a App,
    given: Parameters,
}

impl View<'_> {
    fn given(&self, name: &str) -> Option<&str> {
        self.given.pairs().iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn find(&self, table: Table, first: &str) -> Vec<Found> {
        self.app.engine().find(&self.app.tenant(), table, first)
    }

    /// The one value among these that is meant: the given one, or the only one.
    fn choose(&self, what: &str, id: &str, parameter: &'static str, values: BTreeSet<String>) -> Result<String, AppError> {
        let wanted = self.given(parameter);
        let mut left: Vec<String> = values.into_iter().filter(|value| wanted.is_none_or(|wanted| wanted == value)).collect();
        match left.len() {
            0 => Err(AppError::NotFound(match wanted {
                Some(wanted) => format!("there is no {what} `{id}` with the {parameter} `{wanted}`"),
                None => format!("there is no {what} `{id}`"),
            })),
            1 => Ok(left.remove(0)),
            _ => Err(AppError::Ambiguous { id: id.to_owned(), parameter, choices: left }),
        }
    }

    /// The rows of a fact table whose text columns have these values.
    fn facts(&self, table: FactTable, wanted: &[(&str, &str)]) -> Result<Vec<Value>, AppError> {
        rows_where(&self.app.engine().fact_batch(&self.app.tenant(), table), wanted)
    }

    /// What people said of the thing whose id stands in this column.
    fn verdicts(&self, column: &str, id: &str) -> Result<Vec<Value>, AppError> {
        rows_where(&self.app.engine().entity_batch(&self.app.tenant(), Table::Verdict), &[(column, id)])
    }

    fn fact(&self, table: FactTable, wanted: &[(&str, &str)]) -> Result<Value, AppError> {
        Ok(self.facts(table, wanted)?.into_iter().next().unwrap_or_default())
    }
}

fn rows_where(batch: &RecordBatch, wanted: &[(&str, &str)]) -> Result<Vec<Value>, AppError> {
    let failed = |error: arrow::error::ArrowError| AppError::Internal(error.to_string());
    let mut keep = vec![true; batch.num_rows()];
    for (name, value) in wanted {
        let column = batch.column_by_name(name).filter(|column| *column.data_type() == DataType::Utf8);
        let column = column.ok_or_else(|| AppError::Internal(format!("`{name}` is no text column")))?.as_string::<i32>();
        for (row, keep) in keep.iter_mut().enumerate() {
            *keep &= column.is_valid(row) && column.value(row) == *value;
        }
    }
    let rows = filter_record_batch(batch, &BooleanArray::from(keep)).map_err(failed)?;
    array(json_rows(&[rows]).map_err(failed)?)
}

fn array(value: Value) -> Result<Vec<Value>, AppError> {
    match value {
        Value::Array(rows) => Ok(rows),
        _ => Err(AppError::Internal("rows are not an array".to_owned())),
    }
}

/// Entities as the lists show them.
fn entities(table: Table, found: &[&Found]) -> Result<Vec<Value>, AppError> {
    let rows: Vec<Row> = found.iter().map(|found| found.row.clone()).collect();
    let batch = observation_batch(table.spec(), &rows);
    array(json_rows(&[batch]).map_err(|error| AppError::Internal(error.to_string()))?)
}

fn text_of<'a>(spec: &TableSpec, row: &'a Row, column: &str) -> Option<&'a str> {
    row.cells[spec.column(column)?].as_text()
}

fn raw_events<'a>(found: impl IntoIterator<Item = &'a Found>) -> Value {
    let mut seen = BTreeSet::new();
    let ids = found.into_iter().flat_map(|found| &found.raw_events).filter(|id| **id != EventId::default() && seen.insert(**id));
    ids.map(|id| json!({"event_id": id.to_string(), "href": format!("/api/v1/raw/{id}")})).collect()
}

fn text_in<'a>(value: &'a Value, column: &str) -> Option<&'a str> {
    value.get(column)?.as_str()
}

macro_rules! members {
    ($($name:literal: $value:expr),+ $(,)?) => {
        Map::from_iter([$(($name.to_owned(), Value::from($value))),+])
    };
}
use members;
