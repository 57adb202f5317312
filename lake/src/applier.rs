//! After an event is durable and acknowledged it is read: normalised, counted, put into the tail and fed to whoever answers questions.
//! One thread does it, in the journal's order.

use crate::journal::Accepted;
use crate::model::{EventId, Observation, RawEvent, Row, Source, Table, Tenant, Time};
use crate::sources::{Counters, Seen};
use crate::tail::Tail;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::sync::{Notify, watch};

/// Reads a raw event: a pure function, so that a replay gives equal rows.
pub trait Normalise: Send + Sync {
    fn normalise(&self, raw: &RawEvent) -> Normalised;
}

/// What a raw event says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalised {
    /// Name of the event for the counters, as the provider calls it.
    pub event: String,
    pub observations: Vec<Observation>,
    /// Why it could not be read (wholly); it is kept raw and counted. Never quotes the payload.
    pub problem: Option<String>,
    /// No reader knows this kind of event.
    pub unknown: bool,
}

/// Whoever answers questions from memory.
pub trait Feed: Send + Sync {
    /// In journal order, one call at a time, after the events are durable.
    fn apply(&self, batch: FeedBatch);
}

pub struct FeedBatch {
    pub events: Vec<AppliedEvent>,
    /// False while the lake is being opened.
    pub live: bool,
}

/// What became of one event. While the lake is being opened, rows of the tables come grouped: then `kind` and `event` are empty,
/// `event_id` is the zero id, and only each row itself says where it comes from.
pub struct AppliedEvent {
    pub tenant: Tenant,
    pub source: Source,
    pub kind: String,
    pub event_id: EventId,
    pub received_at: Time,
    pub event: String,
    pub problem: Option<String>,
    pub unknown: bool,
    pub rows: Vec<(Table, Row)>,
}

/// Events, and bytes of them, that are fed together at most.
const BATCH: usize = 1024;
const BATCH_BYTES: usize = 4 << 20;

pub(crate) struct Applier {
    pub normalise: Arc<dyn Normalise>,
    pub feed: Arc<dyn Feed>,
    pub memory: Arc<Memory>,
    /// How far the journal has been applied.
    pub applied: watch::Sender<u64>,
    pub flush_bytes: usize,
    pub flush_needed: Arc<Notify>,
}

/// What the applier writes and the flush takes.
#[derive(Default)]
pub(crate) struct Memory {
    /// Locked before `counters`; both together where an event must be in both or in neither.
    tail: Mutex<Tail>,
    counters: Mutex<Counters>,
    pace: Mutex<Pace>,
    paced: Condvar,
}

/// How the applier and the flush wait for each other.
#[derive(Default)]
struct Pace {
    /// Flushes that have ended, well or not.
    flushes: u64,
    /// No flush will come before the applier is through.
    closing: bool,
    /// What is not applied yet is left to the next start.
    abandoned: bool,
}

/// The tail at this many times the size of a flush: one must end before more is applied.
const FULL: usize = 4;

impl Memory {
    pub fn new(counters: Counters) -> Self {
        Memory { counters: Mutex::new(counters), ..Memory::default() }
    }

    /// Everything applied so far, which is now being flushed.
    pub fn freeze(&self) -> Tail {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        self.with_counters(Counters::freeze);
        std::mem::take(&mut *tail)
    }

    pub fn flush_ended(&self) {
        self.change_pace(|pace| pace.flushes += 1);
    }

    /// The applier waits for no flush any more; with `abandon` it stops after the events it is at.
    pub fn close(&self, abandon: bool) {
        self.change_pace(|pace| {
            pace.closing = true;
            pace.abandoned |= abandon;
        });
    }

    fn change_pace(&self, change: impl FnOnce(&mut Pace)) {
        change(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner));
        self.paced.notify_all();
    }

    fn wait_for_a_flush(&self) {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let before = pace.flushes;
        drop(self.paced.wait_while(pace, |pace| pace.flushes == before && !pace.closing));
    }

    pub fn with_counters<T>(&self, act: impl FnOnce(&mut Counters) -> T) -> T {
        act(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Applier {
    /// Runs until the journal is closed. `false` if the feed failed, which leaves what it shows unknown.
    pub fn run(&self, accepted: &Receiver<Accepted>) -> bool {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Ok(events) = accepted.recv() else { return true };
                waiting.extend(events);
            }
            while waiting.len() < BATCH {
                let Ok(events) = accepted.try_recv() else { break };
                waiting.extend(events);
            }
            let events = part(&mut waiting);
            match catch_unwind(AssertUnwindSafe(|| self.apply(events, true, &BTreeMap::new()))) {
                Err(_) => return false,
                // An import can say more than fits into memory: then the tables take it in turns.
                Ok(bytes) if bytes >= FULL * self.flush_bytes => self.memory.wait_for_a_flush(),
                Ok(_) => {}
            }
            if self.memory.pace.lock().unwrap_or_else(PoisonError::into_inner).abandoned {
                return true;
            }
        }
    }

    /// `stored` says which rows the tables have already (a crash between the tables of a flush): those are not taken again.
    /// Returns how large the tail is now.
    pub fn apply(&self, events: Vec<(u64, RawEvent)>, live: bool, stored: &BTreeMap<Table, u64>) -> usize {
        let Some(last) = events.last().map(|(seq, _)| *seq) else { return 0 };
        let mut tail = Tail { last, ..Tail::default() };
        let mut applied = Vec::with_capacity(events.len());
        for (seq, raw) in events {
            let normalised = self.read(&raw);
            let rows: Vec<(Table, Row)> = normalised
                .observations
                .into_iter()
                .map(|observation| stamped(observation, &raw))
                .filter(|(table, _)| stored.get(table).is_none_or(|stored| seq > *stored))
                .collect();
            tail.events += 1;
            tail.body_bytes += raw.body.len();
            for (table, row) in &rows {
                tail.push(seq, *table, row.clone());
            }
            applied.push(AppliedEvent {
                tenant: raw.tenant,
                source: raw.source,
                kind: raw.kind,
                event_id: raw.event_id,
                received_at: raw.received_at,
                event: normalised.event,
                problem: normalised.problem,
                unknown: normalised.unknown,
                rows,
            });
        }
        let waiting = self.remember(tail, &applied);
        self.feed.apply(FeedBatch { events: applied, live });
        self.applied.send_replace(last);
        if waiting >= self.flush_bytes {
            self.flush_needed.notify_one();
        }
        waiting
    }

    /// Hostile bytes must not stop what is behind them: a reader that panics makes its event unreadable, no more.
    fn read(&self, raw: &RawEvent) -> Normalised {
        catch_unwind(AssertUnwindSafe(|| self.normalise.normalise(raw))).unwrap_or_else(|_| {
            tracing::error!(source = %raw.source, kind = raw.kind, event_id = %raw.event_id, "the reader of an event panicked");
            Normalised { problem: Some("the reader failed on this event".into()), ..Normalised::default() }
        })
    }

    fn remember(&self, later: Tail, events: &[AppliedEvent]) -> usize {
        let mut tail = self.memory.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(later);
        self.memory.with_counters(|counters| {
            for event in events {
                counters.count(&Seen {
                    tenant: &event.tenant,
                    source: &event.source,
                    kind: &event.kind,
                    event: &event.event,
                    received_at: event.received_at,
                    problem: event.problem.as_deref(),
                    unknown: event.unknown,
                });
            }
        });
        tail.bytes()
    }
}

/// The first of what waits.
fn part(waiting: &mut VecDeque<(u64, RawEvent)>) -> Vec<(u64, RawEvent)> {
    let mut bytes = 0;
    let fits = |(_, event): &&(u64, RawEvent)| {
        let first = bytes == 0;
        bytes += event.body.len() + 1;
        first || bytes <= BATCH_BYTES
    };
    let count = waiting.iter().take(BATCH).take_while(fits).count();
    waiting.drain(..count).collect()
}

fn stamped(observation: Observation, raw: &RawEvent) -> (Table, Row) {
    let table = observation.entity.table();
    let row = Row {
        tenant: raw.tenant.clone(),
        source: observation.source.unwrap_or_else(|| raw.source.clone()),
        ingested_at: raw.received_at,
        raw_event_id: raw.event_id,
        updated_at: observation.updated_at,
        cleared: observation.cleared,
        cells: observation.entity.into_cells(),
    };
    (table, row)
}
