//! Lists: rows of a public table, filtered, sorted and paged. Filters are expressions over literals, never text put into a statement.

use crate::engine::Engine;
use crate::error::QueryError;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::functions_nested::expr_fn::array_has;
use datafusion::logical_expr::{Expr, col, ident, lit};
use datafusion::prelude::{SessionConfig, SessionContext};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Table, Tenant, Time, nearest};

/// Where a list's rows come from.
#[derive(Clone, Copy, Debug)]
pub enum ListSource {
    Entities(Table),
    Facts(FactTable),
}

/// A list that people ask for by name.
#[derive(Debug)]
pub struct ListSpec {
    pub name: &'static str,
    pub source: ListSource,
    /// The column that `from` and `to` are about, and the default order, newest first.
    pub time: &'static str,
    /// The column of an item's id.
    pub id: &'static str,
}

pub static LISTS: &[ListSpec] = &[
    ListSpec { name: "deployments", source: ListSource::Facts(FactTable::Deployments), time: "finished_at", id: "deployment_id" },
    ListSpec { name: "ledger", source: ListSource::Facts(FactTable::DeploymentLedger), time: "at", id: "deployment_id" },
    ListSpec { name: "changes", source: ListSource::Entities(Table::Change), time: "merged_at", id: "change_id" },
    ListSpec { name: "incidents", source: ListSource::Entities(Table::Incident), time: "created_at", id: "incident_id" },
    ListSpec { name: "incident_links", source: ListSource::Facts(FactTable::IncidentLinks), time: "started_at", id: "incident_id" },
    ListSpec { name: "runs", source: ListSource::Entities(Table::PipelineRun), time: "finished_at", id: "run_id" },
    ListSpec { name: "jobs", source: ListSource::Entities(Table::Job), time: "finished_at", id: "job_id" },
    ListSpec { name: "drift", source: ListSource::Facts(FactTable::DriftEpisodes), time: "started_at", id: "app" },
    ListSpec { name: "applications", source: ListSource::Entities(Table::GitopsObservation), time: "observed_at", id: "app" },
];

#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    pub from: Option<Time>,
    pub to: Option<Time>,
    /// Column and value; several values of one column are alternatives.
    pub filters: Vec<(String, String)>,
    pub sort: Option<String>,
    pub ascending: bool,
    pub limit: usize,
    pub offset: usize,
}

pub struct Page {
    pub rows: RecordBatch,
    pub has_more: bool,
}

/// One page of a list. Rows of one moment keep a fixed order, so pages never overlap.
pub async fn list(engine: &Engine, tenant: &Tenant, spec: &ListSpec, query: &ListQuery) -> Result<Page, QueryError> {
    let batch = match spec.source {
        ListSource::Entities(table) => engine.entity_batch(tenant, table),
        ListSource::Facts(table) => engine.fact_batch(tenant, table),
    };
    let schema = batch.schema();
    let known = |name: &str| {
        schema.index_of(name).map_err(|_| QueryError::UnknownParameter {
            name: name.to_owned(),
            nearest: nearest(name, schema.fields().iter().map(|field| field.name().as_str())).map(str::to_owned),
        })
    };
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let mut frame = context.read_batch(batch.clone())?;
    let mut columns: Vec<&str> = query.filters.iter().map(|(name, _)| name.as_str()).collect();
    columns.sort_unstable();
    columns.dedup();
    for name in columns {
        let kind = schema.field(known(name)?).data_type().clone();
        let values = query.filters.iter().filter(|(column, _)| column == name).map(|(_, value)| value);
        let alternatives = values.map(|value| equals(name, &kind, value)).collect::<Result<Vec<_>, _>>()?;
        if let Some(any) = alternatives.into_iter().reduce(Expr::or) {
            frame = frame.filter(any)?;
        }
    }
    let moment = |at: Time| lit(ScalarValue::TimestampMicrosecond(Some(at.micros()), Some("UTC".into())));
    if let Some(from) = query.from {
        frame = frame.filter(col(spec.time).gt_eq(moment(from)))?;
    }
    if let Some(to) = query.to {
        frame = frame.filter(col(spec.time).lt(moment(to)))?;
    }
    let sort = query.sort.as_deref().unwrap_or(spec.time);
    known(sort)?;
    let mut order = vec![ident(sort).sort(query.ascending, false), ident(spec.id).sort(query.ascending, false)];
    for tie in ["source", "attempt", "observed_at", "repo", "service"] {
        if schema.index_of(tie).is_ok() {
            order.push(ident(tie).sort(true, false));
        }
    }
    let batches = frame.sort(order)?.limit(query.offset, Some(query.limit + 1))?.collect().await?;
    let rows = arrow::compute::concat_batches(&schema, &batches)?;
    let has_more = rows.num_rows() > query.limit;
    Ok(Page { rows: rows.slice(0, rows.num_rows().min(query.limit)), has_more })
}

fn equals(name: &str, kind: &DataType, value: &str) -> Result<Expr, QueryError> {
    let bad = |expected: &str| QueryError::BadParameter { name: name.to_owned(), value: value.to_owned(), expected: expected.to_owned() };
    Ok(match kind {
        DataType::Utf8 => ident(name).eq(lit(value)),
        DataType::Boolean => ident(name).eq(lit(value.parse::<bool>().map_err(|_| bad("true or false"))?)),
        DataType::Int64 => ident(name).eq(lit(value.parse::<i64>().map_err(|_| bad("a whole number"))?)),
        DataType::Float64 => ident(name).eq(lit(value.parse::<f64>().map_err(|_| bad("a number"))?)),
        DataType::Timestamp(..) => {
            let at = crate::question::time(value, Time::default()).ok_or_else(|| bad("RFC 3339"))?;
            ident(name).eq(lit(ScalarValue::TimestampMicrosecond(Some(at.micros()), Some("UTC".into()))))
        }
        DataType::List(_) => array_has(ident(name), lit(value)),
        _ => return Err(bad("a column that can be filtered")),
    })
}
