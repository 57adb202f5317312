//! The journal: where an event becomes durable before it is acknowledged, and lies until the tables have it.
//!
//! One thread writes. It takes the requests that wait, writes their events and dedupe keys as one atomic batch, syncs once and answers
//! them all; it never waits for more to come. A batch that fails stops the journal for good: what the disk has then is known
//! only after a restart.

mod codec;
mod torn;
mod writer;

use crate::LakeError;
use crate::folder::DataFolder;
use crate::model::{EventId, RawEvent, Time};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

type KeyAndValue = (Vec<u8>, Vec<u8>);

/// When an event is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After it is on the disk.
    #[default]
    Synced,
    #[doc = "control of the crash test only: acknowledged before it is written, never synced, never checked for repetition"]
    Unsafe,
}

/// The answer to one event of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub event_id: EventId,
    /// It was here before: nothing was stored.
    pub duplicate: bool,
}

/// Requests that may wait for the writer; one more is told to come again.
const WAITING_REQUESTS: usize = 1024;

/// Events in the order in which they were accepted.
pub(crate) type Accepted = Vec<(u64, RawEvent)>;

struct Request {
    events: Vec<(RawEvent, Vec<u8>)>,
    reply: oneshot::Sender<Result<Vec<Receipt>, LakeError>>,
}

pub(crate) struct Journal {
    store: Store,
    state: Arc<State>,
    /// Bytes above which no more are taken, if the flushes do not keep up.
    backlog_limit: i64,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer and everybody else look at.
#[derive(Default)]
struct State {
    /// The highest sequence number that was acknowledged (or was there when the journal was opened).
    acknowledged: AtomicU64,
    /// Bytes of bodies that were accepted and not yet trimmed.
    backlog: AtomicI64,
    failed: OnceLock<String>,
    /// Set when the lake goes away: the writer answers no more.
    stopped: AtomicBool,
}

impl State {
    fn alive(&self) -> Result<(), LakeError> {
        self.failed.get().map_or(Ok(()), |reason| Err(LakeError::Unavailable(reason.clone())))
    }
}

#[derive(Clone)]
struct Store {
    database: Database,
    /// Sequence number (big endian) to raw event, until the tables have it.
    events: Keyspace,
    /// Event id to receive time and sequence number, for good: it tells repetitions, and where an event is to be found.
    dedupe: Keyspace,
    /// Counters by kind of event, as of the last trim.
    sources: Keyspace,
    /// `trimmed`: the last sequence number that went to the tables.
    marks: Keyspace,
}

const TRIMMED: &str = "trimmed";

/// Where an event is to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub received_at: Time,
    pub seq: u64,
}

impl Place {
    fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.received_at.micros().to_be_bytes());
        bytes[8..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Place> {
        let (micros, seq) = bytes.split_first_chunk::<8>()?;
        let seq = u64::from_be_bytes(seq.try_into().ok()?);
        Some(Place { received_at: Time::from_micros(i64::from_be_bytes(*micros)), seq })
    }
}

impl Journal {
    /// `floor` is the highest sequence number that any table knows; `accepted` gets what is durable, in order.
    pub fn open(
        folder: &Arc<DataFolder>,
        durability: Durability,
        backlog_limit: usize,
        accepted: std_mpsc::Sender<Accepted>,
        floor: u64,
    ) -> Result<Journal, LakeError> {
        let path = folder.journal();
        torn::mend(&path)?;
        let is_new = !path.join("version").exists();
        let database = Database::builder(&path).manual_journal_persist(true).open().map_err(LakeError::journal)?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default).map_err(LakeError::journal);
        let store = Store {
            events: keyspace("events")?,
            dedupe: keyspace("dedupe")?,
            sources: keyspace("sources")?,
            marks: keyspace("marks")?,
            database,
        };
        // The new database's files and folders become durable before the first acknowledgement rests on them.
        if is_new {
            folder.sync()?;
        }
        let last = store.last()?.max(floor);
        let state = Arc::new(State { acknowledged: AtomicU64::new(last), ..State::default() });
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        let writer = writer::Writer {
            folder: folder.clone(),
            store: store.clone(),
            state: state.clone(),
            durability,
            accepted,
            last,
            held: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || writer.run(waiting)).map_err(LakeError::journal)?;
        let backlog_limit = i64::try_from(backlog_limit).unwrap_or(i64::MAX);
        Ok(Journal { store, state, backlog_limit, requests: Mutex::new(Some(requests)), writer: Mutex::new(Some(thread)) })
    }

    pub async fn append(&self, events: Vec<RawEvent>) -> Result<Vec<Receipt>, LakeError> {
        self.alive()?;
        if self.state.backlog.load(Ordering::Relaxed) > self.backlog_limit {
            return Err(LakeError::Busy);
        }
        // Encoded here, so that the one writer has less to do.
        let events = events
            .into_iter()
            .map(|event| {
                let bytes = codec::encode(&event);
                (event, bytes)
            })
            .collect();
        let (reply, answer) = oneshot::channel();
        let request = Request { events, reply };
        let sent = match &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(requests) => requests.try_send(request),
            None => return Err(closed()),
        };
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LakeError::Busy,
            mpsc::error::TrySendError::Closed(_) => closed(),
        })?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// An error if the journal takes nothing more.
    pub fn alive(&self) -> Result<(), LakeError> {
        self.state.alive()
    }

    /// From here on every append is refused.
    pub fn fail(&self, reason: String) {
        self.state.failed.get_or_init(|| reason);
    }

    pub fn acknowledged(&self) -> u64 {
        self.state.acknowledged.load(Ordering::Acquire)
    }

    /// Bytes of bodies that the journal has beside those accepted since it was opened (positive), or that were trimmed (negative).
    pub fn adjust_backlog(&self, bytes: i64) {
        self.state.backlog.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A state of the journal that later appends and trims do not change.
    pub fn snapshot(&self) -> JournalView {
        JournalView { snapshot: self.store.database.snapshot(), store: self.store.clone() }
    }

    /// Forgets the events up to `seq` and keeps the counters that include them, both or neither.
    pub fn trim(&self, seq: u64, sources: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), LakeError> {
        let mut batch = self.store.database.batch().durability(Some(PersistMode::SyncData));
        for entry in self.store.events.range(..=seq.to_be_bytes()) {
            batch.remove(&self.store.events, entry.key().map_err(LakeError::journal)?);
        }
        for (key, value) in sources {
            batch.insert(&self.store.sources, key, value);
        }
        batch.insert(&self.store.marks, TRIMMED, seq.to_be_bytes());
        batch.commit().map_err(|error| {
            self.fail(format!("it could not be trimmed ({error}); restart flowgauge once the disk works again"));
            LakeError::journal(error)
        })
    }

    pub fn sources(&self) -> Result<Vec<KeyAndValue>, LakeError> {
        let pair = |entry: fjall::Guard| entry.into_inner().map(|(key, value)| (key.to_vec(), value.to_vec()));
        self.store.sources.iter().map(|entry| pair(entry).map_err(LakeError::journal)).collect()
    }

    /// Takes no more requests and waits for the writer's last batch. With `abandon` what waits is not answered.
    pub fn close(&self, abandon: bool) {
        if abandon {
            self.state.stopped.store(true, Ordering::Release);
        }
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            self.fail("its writer stopped; restart flowgauge".into());
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close(true);
    }
}

fn closed() -> LakeError {
    LakeError::Unavailable("it is closed".into())
}

impl Store {
    fn last(&self) -> Result<u64, LakeError> {
        let trimmed = self.marks.get(TRIMMED).map_err(LakeError::journal)?;
        let event = self.events.last_key_value().map(fjall::Guard::key).transpose().map_err(LakeError::journal)?;
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_be_bytes);
        Ok(trimmed.map_or(0, |bytes| number(&bytes)).max(event.map_or(0, |bytes| number(&bytes))))
    }

    fn place(&self, id: EventId) -> Result<Option<Place>, LakeError> {
        Ok(self.dedupe.get(id.bytes()).map_err(LakeError::journal)?.and_then(|bytes| Place::from_bytes(&bytes)))
    }
}

/// The journal at one moment.
#[derive(Clone)]
pub(crate) struct JournalView {
    snapshot: Snapshot,
    store: Store,
}

impl JournalView {
    /// Where the event with this id is, if it was ever accepted.
    pub fn place(&self, id: EventId) -> Result<Option<Place>, LakeError> {
        self.store.place(id)
    }

    pub fn event(&self, seq: u64) -> Result<Option<RawEvent>, LakeError> {
        let bytes = self.snapshot.get(&self.store.events, seq.to_be_bytes()).map_err(LakeError::journal)?;
        bytes.map(|bytes| read(seq, &bytes)).transpose()
    }

    /// The events after `seq`, in order.
    pub fn events_after(&self, seq: u64) -> impl Iterator<Item = Result<(u64, RawEvent), LakeError>> + use<> {
        self.snapshot.range(&self.store.events, seq.saturating_add(1).to_be_bytes()..).map(|entry| {
            let (key, value) = entry.into_inner().map_err(LakeError::journal)?;
            let seq = u64::from_be_bytes(key.as_ref().try_into().map_err(LakeError::journal)?);
            Ok((seq, read(seq, &value)?))
        })
    }
}

fn read(seq: u64, bytes: &[u8]) -> Result<RawEvent, LakeError> {
    codec::decode(&bytes::Bytes::copy_from_slice(bytes)).ok_or_else(|| LakeError::Journal(format!("event {seq} is spoiled")))
}

#[cfg(test)]
mod tests;
