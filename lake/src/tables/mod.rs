//! The tables: Delta Lake in a local folder. One for each observation table, one for the raw events, one for each fact table.

mod commit;
mod compact;
mod delta;
mod durable;
mod file;
mod rows;

use crate::LakeError;
use crate::model::arrow::{fact_schema, observation_schema, raw_event_schema};
use crate::model::facts::FactTable;
use crate::model::{Table, TableSpec};
use arrow::array::RecordBatch;
pub(crate) use commit::Staged;
use delta::Layout;
pub(crate) use delta::{Delta, StoredFile, TableFile};
use futures::future::try_join_all;
use futures::stream::BoxStream;
use rows::{Order, with_partition_field};
pub(crate) use rows::{conform, with_constant, with_day};
use std::collections::BTreeMap;
use std::path::Path;
use tokio::sync::Mutex;

/// Rows of a table, a batch at a time.
pub type BatchStream = BoxStream<'static, Result<RecordBatch, LakeError>>;

pub(crate) const RAW_EVENTS: &str = "raw_events";

/// One lock a table: whoever writes it has it alone, readers take a list of files and go.
pub(crate) struct Tables {
    raw_files: delta::Files,
    pub raw: Mutex<Delta>,
    pub observations: BTreeMap<Table, Mutex<Delta>>,
    pub facts: BTreeMap<FactTable, Mutex<Delta>>,
}

impl Tables {
    pub async fn open(folder: &Path) -> Result<Tables, LakeError> {
        let observations = Table::ALL.iter().map(|&table| async move {
            Ok::<_, LakeError>((table, Mutex::new(Delta::open(folder, observation_layout(table.spec())).await?)))
        });
        let facts = FactTable::ALL
            .iter()
            .map(|&table| async move { Ok::<_, LakeError>((table, Mutex::new(Delta::open(folder, fact_layout(table.spec())).await?))) });
        let raw = Delta::open(folder, raw_layout()).await?;
        Ok(Tables {
            raw_files: raw.opener(),
            raw: Mutex::new(raw),
            observations: try_join_all(observations).await?.into_iter().collect(),
            facts: try_join_all(facts).await?.into_iter().collect(),
        })
    }

    /// A file of the raw events; for this nobody waits for a flush.
    pub fn raw_file(&self, file: &TableFile) -> StoredFile {
        self.raw_files.open(file)
    }

    /// How far each observation table has taken the journal in.
    pub async fn committed(&self) -> Result<BTreeMap<Table, u64>, LakeError> {
        let mut committed = BTreeMap::new();
        for (&table, delta) in &self.observations {
            committed.insert(table, delta.lock().await.committed().await?);
        }
        Ok(committed)
    }
}

fn raw_layout() -> Layout {
    Layout {
        name: RAW_EVENTS,
        schema: with_partition_field(&raw_event_schema(), "day"),
        partition: "day",
        order: Order { first: vec!["tenant", "day", "event_id"], others: false, ties: vec!["received_at"] },
        opaque: &["headers", "body"],
        // Bodies are long: an event that is looked up must not cost the reading of many others.
        group_rows: 2048,
    }
}

fn observation_layout(spec: &'static TableSpec) -> Layout {
    let mut first = vec!["tenant", "day"];
    first.extend(spec.key_columns().map(|i| spec.columns[i].name));
    Layout {
        name: spec.name,
        schema: with_partition_field(&observation_schema(spec), "day"),
        partition: "day",
        order: Order { first, others: true, ties: vec!["ingested_at", "raw_event_id"] },
        opaque: &[],
        group_rows: 65_536,
    }
}

fn fact_layout(spec: &'static TableSpec) -> Layout {
    let mut first = vec!["tenant", "month"];
    first.extend(spec.key_columns().map(|i| spec.columns[i].name));
    Layout {
        name: spec.name,
        schema: with_partition_field(&fact_schema(spec), "month"),
        partition: "month",
        order: Order { first, others: true, ties: vec![] },
        opaque: &[],
        group_rows: 65_536,
    }
}

#[cfg(test)]
mod tests;
