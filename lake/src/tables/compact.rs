//! Keeping a table small: many small files of a partition become one, and what was replaced is deleted later.

use super::commit::Replaced;
use super::delta::{Delta, TableFile};
use super::rows::{conform, sorted};
use crate::LakeError;
use crate::model::Time;
use crate::store::blocking;
use arrow::compute::concat_batches;
use deltalake_core::kernel::Action;
use deltalake_core::protocol::DeltaOperation;
use futures::TryStreamExt;
use futures::future::ready;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet};

/// More small files than this of the present day are merged; of a day that is over, more than one.
const SMALL_FILES: usize = 8;
/// Bytes of rows (not compressed) from which a file is left as it is, and that are merged at once. What is merged lies in memory.
const AT_REST: u64 = 32 << 20;
const MERGED: u64 = 128 << 20;
/// How long a removed file can still be read: longer than any query.
const RETENTION_SECONDS: i64 = 3600;

impl Delta {
    /// Merges the small files of a partition where there are many of them, and keeps a repeated row once. Returns how many partitions were.
    pub async fn compact(&mut self, today: &str) -> Result<usize, LakeError> {
        self.refresh().await?;
        let mut partitions: BTreeMap<(String, String), Vec<TableFile>> = BTreeMap::new();
        for file in self.files().await? {
            partitions.entry((file.tenant.clone(), file.period.clone())).or_default().push(file);
        }
        let current: BTreeSet<&Path> = partitions.values().flatten().map(|file| &file.path).collect();
        self.weights.retain(|path, _| current.contains(path));
        let mut count = 0;
        for ((_, period), files) in partitions {
            let allowed = if period == today { SMALL_FILES } else { 1 };
            if files.len() <= allowed {
                continue;
            }
            let small = self.small(files).await?;
            if small.len() > allowed {
                self.merge(&small).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Those of the files that are not at rest, as many as fit into one merge.
    async fn small(&mut self, files: Vec<TableFile>) -> Result<Vec<TableFile>, LakeError> {
        let mut small = Vec::new();
        let mut bytes = 0;
        for file in files {
            let weight = match self.weights.get(&file.path) {
                Some(weight) => *weight,
                None => self.file(&file).weight().await?,
            };
            self.weights.insert(file.path.clone(), weight);
            if weight < AT_REST && bytes + weight <= MERGED {
                bytes += weight;
                small.push(file);
            }
        }
        Ok(small)
    }

    async fn merge(&mut self, files: &[TableFile]) -> Result<(), LakeError> {
        let schema = self.schema()?;
        let mut batches = Vec::new();
        for file in files {
            let stored = self.file(file).read(None).await?;
            let batch = stored.and_then(|batch| ready(conform(&batch, &schema).map_err(self.failed())));
            batches.extend(batch.try_collect::<Vec<_>>().await?);
        }
        let (order, failed) = (self.layout.order.clone(), self.failed());
        let merged =
            blocking(move || concat_batches(&schema, &batches).and_then(|batch| sorted(&batch, &order, true)).map_err(failed)).await?;
        let mut staged = self.stage(merged).await?;
        for action in &mut staged.0 {
            if let Action::Add(add) = action {
                add.data_change = false;
            }
        }
        let operation = DeltaOperation::Optimize { predicate: None, target_size: MERGED as i64 };
        self.land(staged, operation, None, Replaced::Files(files.iter().map(|file| &file.path).collect())).await
    }

    /// Deletes files that the log has said for more than `RETENTION` are removed. Nothing else is ever deleted.
    pub async fn vacuum(&mut self, now: Time) -> Result<usize, LakeError> {
        self.refresh().await?;
        let Some(state) = &self.table.state else { return Ok(0) };
        let until = now.plus_seconds(-RETENTION_SECONDS).micros() / 1000;
        let log = self.table.log_store();
        let current: BTreeSet<Path> = self.files().await?.into_iter().map(|file| file.path).collect();
        let tombstones: Vec<_> = state.all_tombstones(log.as_ref()).try_collect().await.map_err(self.failed())?;
        let store = self.table.object_store();
        let mut count = 0;
        for tombstone in tombstones {
            let due = tombstone.deletion_timestamp().is_some_and(|at| at > self.vacuumed_until && at <= until);
            let path = Path::parse(tombstone.path()).unwrap_or_else(|_| Path::from(tombstone.path().as_ref()));
            if due && !current.contains(&path) {
                match store.delete(&path).await {
                    Ok(()) => count += 1,
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.failed()(error)),
                }
            }
        }
        self.vacuumed_until = until;
        Ok(count)
    }
}
