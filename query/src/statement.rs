//! Executes a metric's statement. Planning costs ten times what executing does, and the plan depends on nothing but the text: so
//! each statement is planned once in a process, over relations that are filled in when it is executed.

use crate::error::QueryError;
use crate::functions;
use crate::metric::Metric;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// What a statement reads: one question's facts and its buckets. Their schemas are the same for every question.
#[derive(Clone, Debug)]
pub struct Relations {
    pub scope: RecordBatch,
    pub buckets: RecordBatch,
}

/// One partition: scopes are small, and the order of additions must not change from run to run. Filters that a running join
/// hands to its scans would stay in the plan.
static CONFIG: LazyLock<SessionConfig> = LazyLock::new(|| {
    let mut config = SessionConfig::new().with_target_partitions(1).with_information_schema(false).with_collect_statistics(false);
    config.options_mut().optimizer.enable_dynamic_filter_pushdown = false;
    config
});
static RUNTIME: LazyLock<Arc<RuntimeEnv>> = LazyLock::new(Arc::default);
static PLANS: LazyLock<Mutex<HashMap<&'static str, Arc<dyn ExecutionPlan>>>> = LazyLock::new(Mutex::default);

/// The rows of a metric's statement over these relations.
pub async fn execute(metric: &Metric, relations: Relations) -> Result<Vec<RecordBatch>, QueryError> {
    let known = PLANS.lock().unwrap_or_else(PoisonError::into_inner).get(metric.id).cloned();
    let plan = match known {
        Some(plan) => plan,
        None => {
            let plan = plan(metric, &relations).await?;
            PLANS.lock().unwrap_or_else(PoisonError::into_inner).insert(metric.id, plan.clone());
            plan
        }
    };
    // A plan's joins hold what they have read: each execution has nodes of its own.
    Ok(collect(reset_plan_states(plan)?, context(relations)).await?)
}

async fn plan(metric: &Metric, relations: &Relations) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let mut session = SessionContext::new_with_config(CONFIG.clone());
    functions::register(&mut session)?;
    for relation in [Relation::scope(relations), Relation::buckets(relations)] {
        let table = StreamingTable::try_new(relation.schema.clone(), vec![Arc::new(relation.clone())])?;
        session.register_table(relation.name, Arc::new(table))?;
    }
    session.sql(metric.sql).await?.create_physical_plan().await
}

/// Functions are bound in the plan: a context needs no registry.
fn context(relations: Relations) -> Arc<TaskContext> {
    let config = CONFIG.clone().with_extension(Arc::new(relations));
    let (scalar, lambda, aggregate, window) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    Arc::new(TaskContext::new(None, String::new(), config, scalar, lambda, aggregate, window, RUNTIME.clone()))
}

/// A relation whose rows are those of the execution's own `Relations`.
#[derive(Clone, Debug)]
struct Relation {
    name: &'static str,
    schema: SchemaRef,
    batch: fn(&Relations) -> &RecordBatch,
}

impl Relation {
    fn scope(relations: &Relations) -> Self {
        Relation { name: "scope", schema: relations.scope.schema(), batch: |relations| &relations.scope }
    }

    fn buckets(relations: &Relations) -> Self {
        Relation { name: "buckets", schema: relations.buckets.schema(), batch: |relations| &relations.buckets }
    }
}

impl PartitionStream for Relation {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let relations = context.session_config().get_extension::<Relations>();
        let batches = relations.iter().map(|relations| (self.batch)(relations).clone()).collect();
        Box::pin(MemoryStream::try_new(batches, self.schema.clone(), None).expect("a stream without projection has nothing to refuse"))
    }
}
