//! From the journal to the tables, exactly once.
//!
//! A flush takes everything applied up to an event `b`. The raw events go first, then each table of rows; each commit carries `b` as
//! its transaction, and a table takes only events beyond the transaction it has. When all are committed and the folder is synced, the view
//! of the raw events moves to the new files, and the journal forgets the events up to `b`. Wherever the process ends, the next one finds
//! each event in the journal, in a table, or in both with the transaction to tell.

use crate::LakeError;
use crate::model::arrow::{observation_batch, raw_event_batch};
use crate::model::{Row, Table};
use crate::raw::journal_part;
use crate::store::{CrashPoint, Inner, blocking};
use crate::tables::{Delta, RAW_EVENTS, Staged, with_day};
use crate::tail::Tail;
use arrow::array::RecordBatch;
use std::sync::Arc;

/// What a flush moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    pub events: u64,
    pub rows: u64,
}

/// Bodies that go into one file.
const RAW_FILE_BYTES: usize = 32 << 20;

impl Inner {
    pub async fn flush(&self) -> Result<FlushReport, LakeError> {
        let result = self.try_flush().await;
        self.memory.flush_ended();
        result
    }

    async fn try_flush(&self) -> Result<FlushReport, LakeError> {
        let mut flushing = self.flushing.lock().await;
        self.journal.alive()?;
        flushing.extend(self.memory.freeze());
        let last = flushing.last;
        if flushing.events == 0 {
            return Ok(FlushReport::default());
        }
        self.crash(CrashPoint::BeforeRaw)?;
        self.flush_raw(last).await?;
        self.crash(CrashPoint::AfterRaw)?;
        let rows = self.flush_rows(&mut flushing).await?;
        self.crash(CrashPoint::AfterTables)?;
        let folder = self.folder.clone();
        // A sync that failed may seem to work the next time, with the bytes gone: only a restart tells what the disk has.
        blocking(move || folder.sync()).await.inspect_err(|error| self.journal.fail(format!("{error}; restart flowgauge")))?;
        self.crash(CrashPoint::AfterSync)?;
        self.show_raw_files(&mut *self.tables.raw.lock().await).await?;
        let sources = self.memory.with_counters(|counters| counters.to_store());
        let journal = self.journal.clone();
        blocking(move || journal.trim(last, sources)).await?;
        self.memory.with_counters(|counters| counters.stored());
        let Tail { events, body_bytes, .. } = std::mem::take(&mut *flushing);
        self.journal.adjust_backlog(-(body_bytes as i64));
        self.crash(CrashPoint::AfterTrim)?;
        tracing::debug!(events, rows, seq = last, "flushed");
        Ok(FlushReport { events, rows })
    }

    async fn flush_raw(&self, last: u64) -> Result<(), LakeError> {
        let mut table = self.tables.raw.lock().await;
        let committed = table.committed().await?;
        if committed >= last {
            return Ok(());
        }
        let mut staged = Staged::default();
        let staging = self.stage_raw(&mut table, committed, last, &mut staged).await;
        if let Err(error) = staging {
            table.discard(&staged).await;
            return Err(error);
        }
        table.append(staged, last).await
    }

    async fn stage_raw(&self, table: &mut Delta, mut from: u64, last: u64, staged: &mut Staged) -> Result<(), LakeError> {
        let view = self.journal.snapshot();
        while from < last {
            let journal = view.clone();
            let part = blocking(move || {
                let (events, to) = journal_part(&journal, from, last, RAW_FILE_BYTES)?;
                let batch = with_day(&raw_event_batch(&events), "received_at").map_err(LakeError::table(RAW_EVENTS))?;
                Ok((batch, to))
            });
            let (batch, to) = part.await?;
            staged.extend(table.stage(batch).await?);
            from = to;
        }
        Ok(())
    }

    async fn flush_rows(&self, flushing: &mut Tail) -> Result<u64, LakeError> {
        let mut count = 0;
        for (&table, rows) in &mut flushing.rows {
            let mut delta = self.tables.observations[&table].lock().await;
            let committed = delta.committed().await?;
            let new = rows.after(committed).len();
            if new > 0 {
                let shared = rows.clone();
                let batch = blocking(move || rows_batch(table, shared.after(committed))).await?;
                let staged = delta.stage(batch).await?;
                delta.append(staged, flushing.last).await?;
                count += new as u64;
            }
            *rows = Arc::default();
            self.crash(CrashPoint::AmongTables)?;
        }
        Ok(count)
    }

    fn crash(&self, point: CrashPoint) -> Result<(), LakeError> {
        match self.options.crash_at {
            Some(at) if at == point => Err(LakeError::Unavailable(format!("a test ends it at {point:?}"))),
            _ => Ok(()),
        }
    }
}

fn rows_batch(table: Table, rows: &[Row]) -> Result<RecordBatch, LakeError> {
    with_day(&observation_batch(table.spec(), rows), "ingested_at").map_err(LakeError::table(table.name()))
}
