//! `metric(id, from, to, bucket, tz, by, preset)`: the metrics for SQL users and Grafana, the same rows as every other surface has.
//! Later arguments may be left out: `select * from metric('lead_time', 'now-30d', 'now', 'week')`.

use crate::answer::Answer;
use crate::engine::Engine;
use crate::question::{Dimension, Question};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableFunctionImpl, TableProvider};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use flowgauge_lake::model::{Tenant, Time};
use std::fmt;
use std::sync::Arc;

const ARGUMENTS: [&str; 7] = ["id", "from", "to", "bucket", "tz", "by", "preset"];

pub struct MetricFunction {
    engine: Arc<Engine>,
    tenant: Tenant,
    now: Time,
}

impl MetricFunction {
    pub fn new(engine: Arc<Engine>, tenant: Tenant, now: Time) -> Self {
        MetricFunction { engine, tenant, now }
    }
}

impl fmt::Debug for MetricFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricFunction")
    }
}

impl TableFunctionImpl for MetricFunction {
    fn call(&self, arguments: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        if arguments.is_empty() || arguments.len() > ARGUMENTS.len() {
            return plan_err!("metric takes 1 to 7 texts: {}", ARGUMENTS.join(", "));
        }
        let mut values = Vec::new();
        for (name, argument) in ARGUMENTS.iter().zip(arguments) {
            match argument {
                Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => values.push((*name, text.clone())),
                Expr::Literal(value, _) if value.is_null() => {}
                other => return plan_err!("argument `{name}` of metric must be a text, found {other}"),
            }
        }
        let id = values.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.clone()).unwrap_or_default();
        let parameters: Vec<(String, String)> =
            values.into_iter().filter(|(name, _)| *name != "id").map(|(name, value)| (name.to_owned(), value)).collect();
        let question = Question::parse(&id, &parameters, self.now, self.engine.rules().display)
            .map_err(|error| DataFusionError::Plan(error.to_string()))?;
        Ok(Arc::new(MetricTable { engine: self.engine.clone(), tenant: self.tenant.clone(), now: self.now, question }))
    }
}

struct MetricTable {
    engine: Arc<Engine>,
    tenant: Tenant,
    now: Time,
    question: Question,
}

impl fmt::Debug for MetricTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.question)
    }
}

const LABELS: [Dimension; 6] =
    [Dimension::Team, Dimension::Service, Dimension::Environment, Dimension::App, Dimension::Repo, Dimension::Pipeline];
const QUANTILES: [&str; 4] = ["p50", "p75", "p90", "p95"];

fn schema() -> SchemaRef {
    let moment = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![Field::new("start", moment(), false), Field::new("end", moment(), false)];
    fields.extend(LABELS.iter().map(|label| Field::new(label.as_str(), DataType::Utf8, true)));
    fields.push(Field::new("value", DataType::Float64, true));
    fields.push(Field::new("n", DataType::Int64, false));
    fields.extend(["numerator", "denominator"].map(|name| Field::new(name, DataType::Float64, true)));
    fields.extend(QUANTILES.map(|name| Field::new(name, DataType::Float64, true)));
    fields.extend(["ci_lo", "ci_hi", "coverage"].map(|name| Field::new(name, DataType::Float64, true)));
    fields.push(Field::new("status", DataType::Utf8, false));
    fields.push(Field::new("partial", DataType::Boolean, false));
    fields.extend(["excluded", "detail"].map(|name| Field::new(name, DataType::Utf8, false)));
    Arc::new(Schema::new(fields))
}

fn batch(answer: &Answer) -> Result<RecordBatch> {
    let points: Vec<_> = answer.series.iter().flat_map(|series| series.points.iter().map(move |point| (series, point))).collect();
    let moment = |text: &str| Time::parse(text).map(Time::micros);
    let starts: TimestampMicrosecondArray = points.iter().map(|(_, point)| moment(&point.start)).collect();
    let ends: TimestampMicrosecondArray = points.iter().map(|(_, point)| moment(&point.end)).collect();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(starts.with_timezone("UTC")), Arc::new(ends.with_timezone("UTC"))];
    for label in LABELS {
        let values: StringArray = points.iter().map(|(series, _)| series.labels.get(label.as_str()).map(String::as_str)).collect();
        columns.push(Arc::new(values));
    }
    let reals = |get: &dyn Fn(usize) -> Option<f64>| Arc::new((0..points.len()).map(get).collect::<Float64Array>()) as ArrayRef;
    columns.push(reals(&|i| points[i].1.value));
    columns.push(Arc::new(points.iter().map(|(_, point)| Some(point.n)).collect::<Int64Array>()));
    columns.push(reals(&|i| points[i].1.numerator));
    columns.push(reals(&|i| points[i].1.denominator));
    for quantile in QUANTILES {
        columns.push(reals(&|i| points[i].1.quantiles.get(quantile).copied()));
    }
    columns.push(reals(&|i| points[i].1.ci.as_ref().and_then(|ci| ci.lo)));
    columns.push(reals(&|i| points[i].1.ci.as_ref().and_then(|ci| ci.hi)));
    columns.push(reals(&|i| points[i].1.coverage));
    columns.push(Arc::new(points.iter().map(|(_, point)| Some(point.status.as_str())).collect::<StringArray>()));
    columns.push(Arc::new(points.iter().map(|(_, point)| Some(point.partial)).collect::<BooleanArray>()));
    let excluded = points.iter().map(|(_, point)| serde_json::to_string(&point.excluded).ok());
    columns.push(Arc::new(excluded.collect::<StringArray>()));
    let details = points.iter().map(|(_, point)| serde_json::to_string(&point.detail).ok());
    columns.push(Arc::new(details.collect::<StringArray>()));
    Ok(RecordBatch::try_new(schema(), columns)?)
}

#[async_trait]
impl TableProvider for MetricTable {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let answer =
            self.engine.ask(&self.tenant, &self.question, self.now).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        MemTable::try_new(schema(), vec![vec![batch(&answer)?]])?.scan(state, projection, filters, limit).await
    }
}
