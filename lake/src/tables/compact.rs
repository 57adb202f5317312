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

/// More small files than this in one partition are merged.
const SMALL_FILES: usize = 8;
/// Bytes from which a file is left as it is.
const AT_REST: u64 = 64 << 20;
/// How long a removed file can still be read: longer than any query.
const RETENTION_SECONDS: i64 = 3600;

impl Delta {
    /// Merges the small files of a partition where there are many of them, and keeps a repeated row once. Returns how many partitions were.
    pub async fn compact(&mut self) -> Result<usize, LakeError> {
        self.refresh().await?;
        let mut small: BTreeMap<(String, String), Vec<TableFile>> = BTreeMap::new();
        for file in self.files().await? {
            if file.size < AT_REST {
                small.entry((file.tenant.clone(), file.period.clone())).or_default().push(file);
            }
        }
        let mut count = 0;
        for files in small.into_values().filter(|files| files.len() > SMALL_FILES) {
            self.merge(&files).await?;
            count += 1;
        }
        Ok(count)
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
        let operation = DeltaOperation::Optimize { predicate: None, target_size: AT_REST as i64 };
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
