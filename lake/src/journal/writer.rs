//! The one thread that writes the journal.

use super::{Accepted, Durability, Place, Receipt, Request, State, Store};
use crate::LakeError;
use crate::folder::DataFolder;
use crate::model::{EventId, RawEvent};
use fjall::PersistMode;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use tokio::sync::{mpsc, oneshot};

/// Events that are synced together at most. A larger request (an import) is a batch of its own, so that it is there whole or not at all.
const BATCH: usize = 256;

type Answer = (oneshot::Sender<Result<Vec<Receipt>, LakeError>>, Vec<Receipt>);

pub(super) struct Writer {
    pub folder: Arc<DataFolder>,
    pub store: Store,
    pub state: Arc<State>,
    pub durability: Durability,
    pub accepted: Sender<Accepted>,
    /// The last sequence number given.
    pub last: u64,
    /// Answered and not written: only where [`Durability::Unsafe`] is asked for.
    pub held: Vec<(RawEvent, Vec<u8>)>,
}

impl Writer {
    pub fn run(mut self, mut waiting: mpsc::Receiver<Request>) {
        let mut carried = None;
        while let Some(first) = carried.take().or_else(|| waiting.blocking_recv()) {
            let mut count = first.events.len();
            let mut batch = vec![first];
            while count < BATCH {
                let Ok(request) = waiting.try_recv() else { break };
                count += request.events.len();
                if count > BATCH {
                    carried = Some(request);
                    break;
                }
                batch.push(request);
            }
            if self.state.stopped.load(Ordering::Acquire) {
                return;
            }
            match self.durability {
                Durability::Synced => self.store_then_answer(batch),
                Durability::Unsafe => self.answer_then_store(batch),
            }
        }
        if !self.state.stopped.load(Ordering::Acquire) {
            self.store_held();
        }
    }

    fn store_then_answer(&mut self, batch: Vec<Request>) {
        if let Err(refusal) = self.state.alive().and_then(|()| self.folder.has_space()) {
            for request in batch {
                let _ = request.reply.send(Err(refusal.clone()));
            }
            return;
        }
        let mut answers = Vec::with_capacity(batch.len());
        match self.store(batch, &mut answers) {
            Ok(accepted) => {
                self.state.acknowledged.store(self.last, Ordering::Release);
                for (reply, receipts) in answers {
                    // Whoever went away meanwhile is not told; the event is kept.
                    let _ = reply.send(Ok(receipts));
                }
                if !accepted.is_empty() {
                    let _ = self.accepted.send(accepted);
                }
            }
            Err(error) => {
                let reason = format!("a write failed ({error}); restart flowgauge once the disk works again");
                tracing::error!(%error, "the journal failed and takes no more events");
                let refusal = LakeError::Unavailable(self.state.failed.get_or_init(|| reason).clone());
                for (reply, _) in answers {
                    let _ = reply.send(Err(refusal.clone()));
                }
            }
        }
    }

    /// One atomic, synced batch. Every request gets its line in `answers`, also when it fails.
    fn store(&mut self, batch: Vec<Request>, answers: &mut Vec<Answer>) -> Result<Accepted, fjall::Error> {
        let mut write = self.store.database.batch().durability(Some(PersistMode::SyncData));
        let mut seen = HashSet::<EventId>::new();
        let mut accepted = Vec::new();
        let mut last = self.last;
        let mut failed = None;
        for request in batch {
            let mut receipts = Vec::with_capacity(request.events.len());
            for (event, bytes) in request.events {
                let event_id = event.event_id;
                let duplicate = !seen.insert(event_id)
                    || self.store.dedupe.contains_key(event_id.bytes()).unwrap_or_else(|error| {
                        failed.get_or_insert(error);
                        true
                    });
                receipts.push(Receipt { event_id, duplicate });
                if duplicate {
                    continue;
                }
                last += 1;
                write.insert(&self.store.events, last.to_be_bytes(), bytes);
                write.insert(&self.store.dedupe, *event_id.bytes(), Place { received_at: event.received_at, seq: last }.to_bytes());
                accepted.push((last, event));
            }
            answers.push((request.reply, receipts));
        }
        if let Some(error) = failed {
            return Err(error);
        }
        write.commit()?;
        self.last = last;
        self.grown(&accepted);
        Ok(accepted)
    }

    /// What a journal must not do; see [`Durability::Unsafe`]. What was answered is written when the next request comes, so that a
    /// killed process always loses something.
    fn answer_then_store(&mut self, batch: Vec<Request>) {
        self.store_held();
        for request in batch {
            let receipts = request.events.iter().map(|(event, _)| Receipt { event_id: event.event_id, duplicate: false }).collect();
            let _ = request.reply.send(Ok(receipts));
            self.held.extend(request.events);
        }
    }

    fn store_held(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let mut write = self.store.database.batch().durability(None);
        let mut accepted = Vec::new();
        for (event, bytes) in std::mem::take(&mut self.held) {
            self.last += 1;
            write.insert(&self.store.events, self.last.to_be_bytes(), bytes);
            let place = Place { received_at: event.received_at, seq: self.last };
            write.insert(&self.store.dedupe, *event.event_id.bytes(), place.to_bytes());
            accepted.push((self.last, event));
        }
        if let Err(error) = write.commit() {
            self.state.failed.get_or_init(|| error.to_string());
        }
        self.state.acknowledged.store(self.last, Ordering::Release);
        self.grown(&accepted);
        let _ = self.accepted.send(accepted);
    }

    fn grown(&self, accepted: &Accepted) {
        let bytes: usize = accepted.iter().map(|(_, event)| event.body.len()).sum();
        self.state.backlog.fetch_add(bytes as i64, Ordering::Relaxed);
    }
}
