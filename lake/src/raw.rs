//! Reading the raw events back: from the files of their table, and from the journal for what is not there yet.

use crate::LakeError;
use crate::journal::JournalView;
use crate::model::arrow::{raw_event_batch, raw_event_schema, raw_events};
use crate::model::{EventId, RawEvent, Tenant, Time};
use crate::store::{Inner, blocking};
use crate::tables::{BatchStream, Delta, RAW_EVENTS, TableFile, conform};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::{Arc, PoisonError};

/// Where the raw events are: in these files up to `flushed`, in the journal beyond. Replaced as one, so that nobody sees an event twice
/// or not at all.
#[derive(Clone)]
pub(crate) struct RawView {
    pub files: Arc<Vec<TableFile>>,
    pub flushed: u64,
}

/// Which raw events, and what of them.
#[derive(Clone, Debug, Default)]
pub struct RawScan {
    /// Columns of `raw_events`, in this order; all of them without.
    pub columns: Option<Vec<String>>,
    /// Whole days (UTC) that have nothing from `from` on, or before `to`, are left out; what is left is not cut to the second.
    pub from: Option<Time>,
    pub to: Option<Time>,
}

impl RawScan {
    fn schema(&self) -> Result<SchemaRef, LakeError> {
        let schema = raw_event_schema();
        let Some(columns) = &self.columns else { return Ok(schema) };
        let positions: Result<Vec<_>, _> = columns.iter().map(|name| schema.index_of(name)).collect();
        let schema = positions.and_then(|positions| schema.project(&positions)).map_err(LakeError::table(RAW_EVENTS))?;
        Ok(Arc::new(schema))
    }

    fn takes(&self, day: &str) -> bool {
        self.from.is_none_or(|from| *day >= *from.day()) && self.to.is_none_or(|to| *day <= *to.day())
    }
}

/// Bodies of the journal that are read at once.
const PART_BYTES: usize = 8 << 20;

impl Inner {
    /// The raw events of one moment.
    fn raw_view(&self) -> (RawView, JournalView) {
        // The journal is trimmed only after the view has moved: under the lock the two belong together.
        let view = self.raw.read().unwrap_or_else(PoisonError::into_inner);
        (view.clone(), self.journal.snapshot())
    }

    /// Moves the view to the table's present files. The table's lock is held, so that views follow each other in order.
    pub async fn show_raw_files(&self, table: &mut Delta) -> Result<(), LakeError> {
        let flushed = table.committed().await?;
        let files = Arc::new(table.files().await?);
        *self.raw.write().unwrap_or_else(PoisonError::into_inner) = RawView { files, flushed };
        Ok(())
    }

    pub async fn raw_event(&self, tenant: &Tenant, id: EventId) -> Result<Option<RawEvent>, LakeError> {
        let (view, journal) = self.raw_view();
        let (place, event) = blocking(move || {
            let place = journal.place(id)?;
            let event = place.map(|place| journal.event(place.seq)).transpose()?.flatten();
            Ok((place, event))
        })
        .await?;
        let Some(place) = place else { return Ok(None) };
        if event.is_some() {
            return Ok(event.filter(|event| event.tenant == *tenant));
        }
        let day = place.received_at.day();
        for file in view.files.iter().filter(|file| file.tenant == tenant.as_str() && file.period == day) {
            let file = self.tables.raw_file(file);
            let batches: Vec<RecordBatch> = file.find("event_id", &id.to_string()).await?.try_collect().await?;
            for batch in &batches {
                if let Some(event) = raw_events(batch).map_err(LakeError::table(RAW_EVENTS))?.into_iter().next() {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    pub fn raw_batches(&self, tenant: &Tenant, scan: RawScan) -> Result<BatchStream, LakeError> {
        let schema = scan.schema()?;
        let (view, journal) = self.raw_view();
        let wanted = view.files.iter().filter(|file| file.tenant == tenant.as_str() && scan.takes(&file.period));
        let files: Vec<_> = wanted.map(|file| self.tables.raw_file(file)).collect();
        let columns = scan.columns.clone();
        let stored = stream::iter(files)
            .then(move |file| {
                let columns = columns.clone();
                async move {
                    let names: Option<Vec<&str>> = columns.as_ref().map(|columns| columns.iter().map(String::as_str).collect());
                    file.read(names.as_deref()).await
                }
            })
            .try_flatten();
        let all = stored.chain(tail(journal, view.flushed, tenant.clone(), scan));
        Ok(all.map(move |batch| conform(&batch?, &schema).map_err(LakeError::table(RAW_EVENTS))).boxed())
    }
}

/// What the journal has beyond `flushed`, in parts.
fn tail(journal: JournalView, flushed: u64, tenant: Tenant, scan: RawScan) -> BatchStream {
    let next = move |from: Option<u64>| {
        let (journal, tenant, scan) = (journal.clone(), tenant.clone(), scan.clone());
        async move {
            let Some(from) = from else { return Ok(None) };
            let part = blocking(move || {
                let (mut events, to) = journal_part(&journal, from, u64::MAX, PART_BYTES)?;
                events.retain(|event| event.tenant == tenant && scan.takes(&event.received_at.day()));
                Ok((raw_event_batch(&events), (to < u64::MAX).then_some(to)))
            });
            part.await.map(Some)
        }
    };
    stream::try_unfold(Some(flushed), next).boxed()
}

/// The journal's events after `from`: up to `last`, or until they have `bytes` bytes. With the number up to which they reach.
pub(crate) fn journal_part(journal: &JournalView, from: u64, last: u64, bytes: usize) -> Result<(Vec<RawEvent>, u64), LakeError> {
    let mut events = Vec::new();
    let mut size = 0;
    for entry in journal.events_after(from) {
        let (seq, event) = entry?;
        if seq > last {
            break;
        }
        size += event.body.len();
        events.push(event);
        if size >= bytes {
            return Ok((events, seq));
        }
    }
    Ok((events, last))
}
