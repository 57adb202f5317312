//! The lake as others use it: append, ask, flush, close.

use crate::LakeError;
use crate::applier::{AppliedEvent, Applier, Feed, FeedBatch, Memory, Normalise};
use crate::compact::CompactReport;
use crate::flush::FlushReport;
use crate::folder::DataFolder;
use crate::journal::{Durability, Journal, Receipt};
use crate::model::arrow::observation_rows;
use crate::model::facts::FactTable;
use crate::model::{Cell, EventId, RawEvent, Row, Source, Table, Tenant, Time};
use crate::raw::{RawScan, RawView};
use crate::sources::{Counters, SourceStats};
use crate::tables::{BatchStream, Tables};
use crate::tail::Tail;
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How a lake is opened.
#[derive(Clone, Debug)]
pub struct LakeOptions {
    /// The data folder; made if it is not there.
    pub path: PathBuf,
    pub durability: Durability,
    /// The tail goes to the tables when it has this many bytes (64 MB) …
    pub flush_bytes: usize,
    /// … or is this old (15 minutes).
    pub flush_every: Duration,
    /// Where a flush stops as if the process had ended there.
    #[doc(hidden)]
    pub crash_at: Option<CrashPoint>,
}

impl LakeOptions {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        LakeOptions {
            path: path.into(),
            durability: Durability::Synced,
            flush_bytes: 64 << 20,
            flush_every: Duration::from_secs(15 * 60),
            crash_at: None,
        }
    }
}

/// The steps of a flush after which a test ends it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    BeforeRaw,
    AfterRaw,
    /// After the first table of rows.
    AmongTables,
    AfterTables,
    AfterSync,
    AfterTrim,
}

impl CrashPoint {
    pub const ALL: &'static [CrashPoint] = &[
        CrashPoint::BeforeRaw,
        CrashPoint::AfterRaw,
        CrashPoint::AmongTables,
        CrashPoint::AfterTables,
        CrashPoint::AfterSync,
        CrashPoint::AfterTrim,
    ];
}

/// What Flowgauge knows, and keeps. Cheap to clone; the last clone that goes releases the folder.
#[derive(Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub options: LakeOptions,
    pub folder: Arc<DataFolder>,
    pub journal: Arc<Journal>,
    pub tables: Tables,
    pub memory: Arc<Memory>,
    /// One flush at a time, and what an earlier one could not finish.
    pub flushing: tokio::sync::Mutex<Tail>,
    pub raw: RwLock<RawView>,
    applied: watch::Receiver<u64>,
    applier: Mutex<Option<JoinHandle<()>>>,
    background: Mutex<Option<tokio::task::JoinHandle<()>>>,
    closing: Arc<Notify>,
}

impl Lake {
    /// Opens the folder and feeds everything that is known: first the rows of the tables, then the events of the journal.
    pub async fn open(options: LakeOptions, normalise: Arc<dyn Normalise>, feed: Arc<dyn Feed>) -> Result<Lake, LakeError> {
        Lake::open_with(options, |_| Ok(normalise), feed).await
    }

    /// As `open`, with a normaliser that needs something of the folder (a tenant's key).
    pub async fn open_with(
        options: LakeOptions,
        normalise: impl FnOnce(&DataFolder) -> Result<Arc<dyn Normalise>, LakeError>,
        feed: Arc<dyn Feed>,
    ) -> Result<Lake, LakeError> {
        let path = options.path.clone();
        let folder = Arc::new(blocking(move || DataFolder::open(&path)).await?);
        let normalise = normalise(&folder)?;
        let tables = Tables::open(&folder.tables()).await?;
        let stored = tables.committed().await?;
        let (raw_committed, files) = {
            let mut raw = tables.raw.lock().await;
            (raw.committed().await?, raw.files().await?)
        };
        let floor = stored.values().copied().max().unwrap_or(0).max(raw_committed);
        let (accepted, waiting) = channel();
        let journal = {
            let (folder, durability) = (folder.clone(), options.durability);
            let limit = BACKLOG.max(4 * options.flush_bytes);
            Arc::new(blocking(move || Journal::open(&folder, durability, limit, accepted, floor)).await?)
        };
        let memory = Arc::new(Memory::new(Counters::load(journal.sources()?)?));
        let (sender, applied) = watch::channel(0);
        let flush_needed = Arc::new(Notify::new());
        let applier = Applier {
            normalise,
            feed: feed.clone(),
            memory: memory.clone(),
            applied: sender,
            flush_bytes: options.flush_bytes,
            flush_needed: flush_needed.clone(),
        };
        feed_tables(&tables, feed.as_ref()).await?;
        let applier = {
            let journal = journal.clone();
            blocking(move || replay(&journal, applier, &stored)).await?
        };
        let inner = Arc::new(Inner {
            folder,
            journal,
            tables,
            memory,
            flushing: tokio::sync::Mutex::default(),
            raw: RwLock::new(RawView { files: Arc::new(files), flushed: raw_committed }),
            applied,
            applier: Mutex::default(),
            background: Mutex::default(),
            closing: Arc::default(),
            options,
        });
        let weak = Arc::downgrade(&inner);
        let run = move || {
            if !applier.run(&waiting)
                && let Some(inner) = weak.upgrade()
            {
                inner.journal.fail("what was stored could not be taken in; restart flowgauge".into());
            }
        };
        let thread = std::thread::Builder::new().name("applier".into()).spawn(run).map_err(LakeError::journal)?;
        *lock(&inner.applier) = Some(thread);
        let task = background(Arc::downgrade(&inner), flush_needed, inner.closing.clone(), inner.options.flush_every);
        *lock(&inner.background) = Some(tokio::spawn(task));
        Ok(Lake { inner })
    }

    pub fn path(&self) -> &Path {
        self.inner.folder.path()
    }

    pub fn folder(&self) -> &DataFolder {
        &self.inner.folder
    }

    /// Returns when the events are durable, all or none of them; a repetition is told by its receipt.
    /// What they say shows a moment later, see [`Lake::applied`].
    pub async fn append(&self, events: Vec<RawEvent>) -> Result<Vec<Receipt>, LakeError> {
        self.inner.journal.append(events).await
    }

    /// Returns when everything acknowledged so far has been fed.
    pub async fn applied(&self) {
        let target = self.inner.journal.acknowledged();
        let mut applied = self.inner.applied.clone();
        // An error means that the applier is gone; nothing more will be applied.
        let _ = applied.wait_for(|seq| *seq >= target).await;
    }

    /// Moves what has been applied into the tables, makes them durable and trims the journal.
    pub async fn flush(&self) -> Result<FlushReport, LakeError> {
        self.inner.flush().await
    }

    /// Merges small files, keeps repeated rows once, and deletes what was replaced more than an hour ago.
    pub async fn compact(&self) -> Result<CompactReport, LakeError> {
        self.inner.compact().await
    }

    /// Puts these rows in the place of all that the tenant has in the months named (`2026-06`), a table's months in one commit.
    pub async fn write_facts(&self, table: FactTable, tenant: &Tenant, months: BTreeMap<String, Vec<Vec<Cell>>>) -> Result<(), LakeError> {
        self.inner.write_facts(table, tenant, months).await
    }

    /// The facts of a tenant as they were last written.
    pub async fn fact_batches(&self, table: FactTable, tenant: &Tenant) -> Result<BatchStream, LakeError> {
        self.inner.fact_batches(table, tenant).await
    }

    /// The raw events of a tenant at this moment, file by file, then those that are only in the journal. Each once, whatever is
    /// flushed meanwhile.
    pub async fn raw_batches(&self, tenant: &Tenant, scan: RawScan) -> Result<BatchStream, LakeError> {
        self.inner.raw_batches(tenant, scan)
    }

    /// The event as it came; `None` if the tenant has none with this id.
    pub async fn raw_event(&self, tenant: &Tenant, id: EventId) -> Result<Option<RawEvent>, LakeError> {
        self.inner.raw_event(tenant, id).await
    }

    /// What came in, by source, kind and event.
    pub fn source_stats(&self, tenant: &Tenant) -> Vec<SourceStats> {
        self.inner.memory.with_counters(|counters| counters.stats(tenant))
    }

    /// Takes no more events, finishes those it has, and brings them into the tables.
    pub async fn close(self) -> Result<(), LakeError> {
        self.inner.closing.notify_one();
        let background = lock(&self.inner.background).take();
        if let Some(task) = background {
            // It finishes the flush that it is in.
            let _ = task.await;
        }
        let inner = self.inner.clone();
        blocking(move || {
            inner.journal.close(false);
            inner.memory.close(false);
            inner.join_applier();
            Ok(())
        })
        .await?;
        self.inner.flush().await.map(|_| ())
    }
}

/// Events of the journal, and bytes of them, that are fed together while the lake is being opened.
const REPLAY_BATCH: usize = 1024;
const REPLAY_BYTES: usize = 4 << 20;

/// Unflushed bytes above which no more are taken, if the flushes do not keep up.
const BACKLOG: usize = 256 << 20;

impl Inner {
    fn join_applier(&self) {
        let applier = lock(&self.applier).take();
        if applier.is_some_and(|applier| applier.thread().id() != std::thread::current().id() && applier.join().is_err()) {
            tracing::error!("the applier stopped");
        }
    }
}

impl Drop for Inner {
    /// Nothing is flushed: what is acknowledged is in the journal. Waits for the two threads, so that the folder is free afterwards.
    fn drop(&mut self) {
        if let Some(task) = lock(&self.background).take() {
            task.abort();
        }
        self.journal.close(true);
        self.memory.close(true);
        self.join_applier();
    }
}

/// Feeds the events that the journal still has.
fn replay(journal: &Journal, applier: Applier, stored: &BTreeMap<Table, u64>) -> Result<Applier, LakeError> {
    let mut events = Vec::new();
    let mut bytes = 0;
    for entry in journal.snapshot().events_after(0) {
        let (seq, event) = entry?;
        journal.adjust_backlog(event.body.len() as i64);
        bytes += event.body.len();
        events.push((seq, event));
        if events.len() == REPLAY_BATCH || bytes >= REPLAY_BYTES {
            bytes = 0;
            applier.apply(std::mem::take(&mut events), false, stored);
        }
    }
    applier.apply(events, false, stored);
    applier.applied.send_replace(journal.acknowledged());
    Ok(applier)
}

async fn feed_tables(tables: &Tables, feed: &dyn Feed) -> Result<(), LakeError> {
    for (&table, delta) in &tables.observations {
        let delta = delta.lock().await;
        for file in delta.files().await? {
            let mut batches = delta.file(&file).read(None).await?;
            while let Some(batch) = batches.try_next().await? {
                let rows = observation_rows(table.spec(), &batch).map_err(LakeError::table(table.name()))?;
                feed.apply(FeedBatch { events: stored_rows(table, rows).into_iter().collect(), live: false });
            }
        }
    }
    Ok(())
}

fn stored_rows(table: Table, rows: Vec<Row>) -> Option<AppliedEvent> {
    let first = rows.first()?;
    Some(AppliedEvent {
        tenant: first.tenant.clone(),
        source: Source::new(""),
        kind: String::new(),
        event_id: EventId::default(),
        received_at: rows.iter().map(|row| row.ingested_at).max().unwrap_or(Time::MIN),
        event: String::new(),
        problem: None,
        unknown: false,
        rows: rows.into_iter().map(|row| (table, row)).collect(),
    })
}

/// Flushes when the tail is large or old.
async fn background(lake: Weak<Inner>, flush_needed: Arc<Notify>, closing: Arc<Notify>, every: Duration) {
    loop {
        tokio::select! {
            () = closing.notified() => return,
            () = flush_needed.notified() => {}
            () = tokio::time::sleep(every) => {}
        }
        let Some(inner) = lake.upgrade() else { return };
        if let Err(error) = inner.flush().await {
            tracing::error!(%error, "the tail could not be flushed, it stays in the journal");
        } else if let Err(error) = inner.compact().await {
            tracing::error!(%error, "the tables could not be compacted");
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what waits for the disk where it may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, LakeError> + Send + 'static) -> Result<T, LakeError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(LakeError::Unavailable(error.to_string())))
}
