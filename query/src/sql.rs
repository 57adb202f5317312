//! SQL for people: every public table, read only, one tenant. Runs on a runtime of its own, so that no statement can hold up ingest
//! or pages, and within limits that are checked before the statement is planned.

use crate::engine::Engine;
use crate::error::QueryError;
use crate::functions;
use crate::metric_function::MetricFunction;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use flowgauge_lake::model::arrow::{fact_schema, observation_schema, raw_event_schema};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Table, Tenant, Time, nearest};
use flowgauge_lake::{Lake, RawScan};
use futures::TryStreamExt;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

const MAX_TEXT: usize = 64 * 1024;
const MAX_TOKENS: usize = 2000;
const MAX_OPERATORS: usize = 500;
const MAX_ROWS: usize = 100_000;
const MAX_MEMORY: usize = 512 << 20;
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Planning recurses with the statement; a small stack would end the process.
const STACK: usize = 64 << 20;

/// The gate for statements of users.
pub struct Sql {
    engine: Arc<Engine>,
    lake: Arc<Lake>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Sql {
    pub fn new(engine: Arc<Engine>, lake: Arc<Lake>) -> std::io::Result<Sql> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sql")
            .thread_stack_size(STACK)
            .enable_time()
            .build()?;
        Ok(Sql { engine, lake, runtime: Some(runtime) })
    }

    /// Runs one statement that only reads. More than 100,000 rows are an error, not a silent cut.
    pub async fn query(&self, tenant: &Tenant, statement: &str, now: Time) -> Result<Vec<RecordBatch>, QueryError> {
        check(statement)?;
        let context = self.context(tenant, now)?;
        let statement = statement.to_owned();
        let refused = |text: &str| QueryError::BadStatement(text.to_owned());
        let runtime = self.runtime.as_ref().ok_or_else(|| refused("the server is stopping"))?;
        let task = runtime.spawn(async move {
            let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
            let plan = context.sql_with_options(&statement, options).await.map_err(readable)?;
            let batches = plan.limit(0, Some(MAX_ROWS + 1)).map_err(readable)?.collect().await.map_err(readable)?;
            Ok::<_, QueryError>(batches)
        });
        let abort = task.abort_handle();
        let batches = match tokio::time::timeout(TIME_LIMIT, task).await {
            Ok(Ok(batches)) => batches?,
            Ok(Err(_)) => return Err(refused("it could not be run")),
            Err(_) => {
                abort.abort();
                return Err(refused("it took longer than 30 seconds"));
            }
        };
        if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > MAX_ROWS {
            return Err(refused("it gives more than 100,000 rows; aggregate or add a `limit`"));
        }
        Ok(batches)
    }

    fn context(&self, tenant: &Tenant, now: Time) -> Result<SessionContext, QueryError> {
        let config = SessionConfig::new()
            .with_target_partitions(2)
            .with_information_schema(true)
            .with_default_catalog_and_schema("flowgauge", "public");
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(MAX_MEMORY))).build_arc()?;
        let context = SessionContext::new_with_config_rt(config, runtime);
        functions::register(&mut *context.state_ref().write())?;
        for &table in Table::ALL {
            context.register_table(table.name(), Arc::new(self.relation(tenant, Relation::Entities(table))))?;
        }
        for &table in FactTable::ALL {
            context.register_table(table.name(), Arc::new(self.relation(tenant, Relation::Facts(table))))?;
        }
        context.register_table("raw_events", Arc::new(self.relation(tenant, Relation::RawEvents)))?;
        context.register_udtf("metric", Arc::new(MetricFunction::new(self.engine.clone(), tenant.clone(), now)));
        Ok(context)
    }

    fn relation(&self, tenant: &Tenant, relation: Relation) -> LazyTable {
        LazyTable { engine: self.engine.clone(), lake: self.lake.clone(), tenant: tenant.clone(), relation }
    }
}

impl Drop for Sql {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Refuses what would be too deep or too long to plan, before anything recurses over it.
fn check(statement: &str) -> Result<(), QueryError> {
    let refused = |text: String| Err(QueryError::BadStatement(text));
    if statement.len() > MAX_TEXT {
        return refused(format!("it is longer than {MAX_TEXT} bytes"));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, statement).tokenize().map_err(|error| QueryError::BadStatement(error.to_string()))?;
    let words = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    if words.count() > MAX_TOKENS {
        return refused(format!("it has more than {MAX_TOKENS} words"));
    }
    let is_operator = |token: &&Token| match token {
        Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt => true,
        Token::Word(word) => matches!(word.value.to_ascii_lowercase().as_str(), "and" | "or" | "not"),
        _ => false,
    };
    if tokens.iter().filter(is_operator).count() > MAX_OPERATORS {
        return refused(format!("it has more than {MAX_OPERATORS} operators"));
    }
    // Their results are not bounded by the memory limit.
    let grows = ["repeat", "lpad", "rpad", "space", "range", "generate_series"];
    for pair in tokens.windows(2) {
        if let (Token::Word(word), Token::LParen) = (&pair[0], &pair[1])
            && grows.contains(&word.value.to_ascii_lowercase().as_str())
        {
            return refused(format!("`{}` is not available here", word.value));
        }
    }
    Ok(())
}

/// The planner's words without its own error classes in front.
fn readable(error: DataFusionError) -> QueryError {
    match error.find_root() {
        DataFusionError::SQL(error, _) => QueryError::BadStatement(error.to_string()),
        DataFusionError::Plan(text) => QueryError::BadStatement(unknown_table(text).unwrap_or_else(|| text.clone())),
        DataFusionError::Execution(text) => QueryError::BadStatement(text.clone()),
        DataFusionError::External(error) => QueryError::BadStatement(error.to_string()),
        DataFusionError::SchemaError(error, _) => QueryError::BadStatement(error.to_string()),
        DataFusionError::NotImplemented(text) => QueryError::BadStatement(format!("not supported: {text}")),
        DataFusionError::ResourcesExhausted(_) => QueryError::BadStatement("it needs more memory than one statement may have".to_owned()),
        root => QueryError::BadStatement(root.strip_backtrace()),
    }
}

/// The planner's word for a table that is not there, with the one that was probably meant.
fn unknown_table(text: &str) -> Option<String> {
    let name = text.strip_prefix("table 'flowgauge.public.")?.strip_suffix("' not found")?;
    let known = Table::ALL.iter().map(|table| table.name()).chain(FactTable::ALL.iter().map(|table| table.name())).chain(["raw_events"]);
    let hint = nearest(name, known).map(|known| format!(", did you mean `{known}`?"));
    Some(format!("there is no table `{name}`{}", hint.unwrap_or_else(|| "; `show tables` lists them".to_owned())))
}

#[derive(Clone, Copy, Debug)]
enum Relation {
    Entities(Table),
    Facts(FactTable),
    RawEvents,
}

/// The place of `event_id` among the columns of `raw_events`.
const EVENT_ID: usize = 1;

/// A table that is put together when it is read.
struct LazyTable {
    engine: Arc<Engine>,
    lake: Arc<Lake>,
    tenant: Tenant,
    relation: Relation,
}

impl fmt::Debug for LazyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.relation)
    }
}

#[async_trait]
impl TableProvider for LazyTable {
    fn schema(&self) -> SchemaRef {
        match self.relation {
            Relation::Entities(table) => observation_schema(table.spec()),
            Relation::Facts(table) => fact_schema(table.spec()),
            Relation::RawEvents => raw_event_schema(),
        }
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
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let (schema, batches, projection) = match self.relation {
            Relation::Entities(table) => (self.schema(), vec![self.engine.entity_batch(&self.tenant, table)], projection),
            Relation::Facts(table) => (self.schema(), vec![self.engine.fact_batch(&self.tenant, table)], projection),
            Relation::RawEvents => {
                // Only the columns asked for are read: bodies are most of the log. `count(*)` asks for none; a short one counts the rows.
                let wanted = projection.filter(|columns| !columns.is_empty());
                let schema = match projection {
                    Some(_) => Arc::new(self.schema().project(wanted.map_or(&[EVENT_ID][..], Vec::as_slice))?),
                    None => self.schema(),
                };
                let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
                let scan = RawScan { columns: Some(columns), from: None, to: None };
                let failed = |error: flowgauge_lake::LakeError| DataFusionError::External(Box::new(error));
                let stream = self.lake.raw_batches(&self.tenant, scan).await.map_err(failed)?;
                (schema, stream.map_err(failed).try_collect().await?, projection.filter(|columns| columns.is_empty()))
            }
        };
        MemTable::try_new(schema, vec![batches])?.scan(state, projection, filters, limit).await
    }
}
