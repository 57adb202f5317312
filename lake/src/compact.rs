//! Keeping the tables small: few files, each row once, nothing that no reader needs any more.

use crate::LakeError;
use crate::clock::now;
use crate::store::{Inner, blocking};

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Partitions whose small files became one.
    pub merged: usize,
    /// Files deleted that were removed from their table long enough ago.
    pub deleted: usize,
}

impl Inner {
    pub async fn compact(&self) -> Result<CompactReport, LakeError> {
        let mut report = CompactReport::default();
        let now = now();
        let today = now.day();
        {
            let mut raw = self.tables.raw.lock().await;
            report.merged += raw.compact(&today).await?;
            self.show_raw_files(&mut raw).await?;
            report.deleted += raw.vacuum(now).await?;
        }
        for table in self.tables.observations.values() {
            let mut table = table.lock().await;
            report.merged += table.compact(&today).await?;
            report.deleted += table.vacuum(now).await?;
        }
        for table in self.tables.facts.values() {
            report.deleted += table.lock().await.vacuum(now).await?;
        }
        if report != CompactReport::default() {
            let folder = self.folder.clone();
            blocking(move || folder.sync()).await?;
            tracing::debug!(report.merged, report.deleted, "compacted");
        }
        Ok(report)
    }
}
