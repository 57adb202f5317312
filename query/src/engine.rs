//! The engine: takes in rows as they become durable, keeps the facts of every tenant fresh, and answers. What a question sees is
//! one picture (`Facts`), whole and unchanging; the next picture replaces it at once.

use crate::answer::Answer;
use crate::catalogue::CatalogueConfig;
use crate::definitions::{Definitions, presets};
use crate::entities::Stored;
use crate::error::QueryError;
use crate::facts::{Facts, Sets, fact_rows};
use crate::question::{Display, Question};
use crate::scope::Subject;
use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use flowgauge_lake::model::arrow::{fact_batch, observation_batch};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Cell, EventId, Row, Source, Table, Tenant, Time};
use flowgauge_lake::{Feed, FeedBatch};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;

/// What the engine needs to know besides the events: may change while it runs.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub catalogue: Arc<CatalogueConfig>,
    pub definitions: Arc<Definitions>,
    pub display: Display,
}

/// Answers that are kept, of one picture; then memory starts anew: who asks with a moment of their own never asks again.
const CACHED_ANSWERS: usize = 2000;

#[derive(Default)]
struct Cache {
    version: u64,
    answers: HashMap<Question, Arc<Answer>>,
    tables: HashMap<&'static str, RecordBatch>,
}

/// A picture that questions are asked of, and what was answered from it.
#[derive(Default)]
struct View {
    facts: RwLock<Facts>,
    cache: Mutex<Cache>,
}

impl View {
    fn facts(&self) -> Facts {
        self.facts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn version(&self) -> u64 {
        self.facts.read().unwrap_or_else(PoisonError::into_inner).version
    }

    fn show(&self, facts: Facts) {
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) = facts;
    }
}

/// The view of a preset, and the version of the configured picture that it was derived beside.
struct Beside {
    version: u64,
    view: Arc<View>,
}

struct Slot {
    state: Mutex<Sets>,
    own: Arc<View>,
    presets: Mutex<BTreeMap<&'static str, Beside>>,
}

impl Slot {
    /// Brings the configured picture up to date.
    fn refresh(&self, state: &mut Sets) {
        if state.is_dirty() {
            // The picture changes while the state is still held: pictures never go back.
            self.own.show(state.refresh());
        }
    }

    /// The view of a preset, if nothing has come in since it was derived.
    fn fresh(&self, preset: &'static str) -> Option<Arc<View>> {
        let version = self.own.version();
        locked(&self.presets).get(preset).filter(|beside| beside.version == version).map(|beside| beside.view.clone())
    }

    /// The view of a preset, derived on first use and brought up to date afterwards.
    fn under(&self, preset: &'static str, definitions: &Arc<Definitions>) -> Arc<View> {
        let mut state = locked(&self.state);
        self.refresh(&mut state);
        let facts = state.under(preset, definitions);
        let version = self.own.version();
        let mut presets = locked(&self.presets);
        presets.retain(|name, _| state.keeps(name));
        let beside = presets.entry(preset).or_insert_with(|| Beside { version, view: Arc::default() });
        beside.version = version;
        beside.view.show(facts);
        beside.view.clone()
    }
}

/// Answers questions about every tenant.
pub struct Engine {
    rules: RwLock<Rules>,
    slots: RwLock<BTreeMap<Tenant, Arc<Slot>>>,
    changed: Notify,
    refreshed: tokio::sync::watch::Sender<u64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Engine {
            rules: RwLock::new(rules),
            slots: RwLock::default(),
            changed: Notify::new(),
            refreshed: tokio::sync::watch::channel(0).0,
        })
    }

    pub fn rules(&self) -> Rules {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn slot(&self, tenant: &Tenant) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return slot.clone();
        }
        let rules = self.rules();
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(tenant.clone()).or_insert_with(|| {
            let mut state = Sets::new(rules.catalogue, rules.definitions);
            let own = View { facts: RwLock::new(state.refresh()), cache: Mutex::default() };
            Arc::new(Slot { state: Mutex::new(state), own: Arc::new(own), presets: Mutex::default() })
        });
        slot.clone()
    }

    fn tenants(&self) -> Vec<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The picture as it is now.
    pub fn facts(&self, tenant: &Tenant) -> Facts {
        self.slot(tenant).own.facts()
    }

    /// The picture as it is now under a preset; `None`: under the configured definitions.
    pub async fn facts_under(&self, tenant: &Tenant, preset: Option<&'static str>) -> Result<Facts, QueryError> {
        Ok(self.view(&self.slot(tenant), preset).await?.facts())
    }

    /// The picture as it is now under other rules. It is derived for this once.
    pub fn facts_once(&self, tenant: &Tenant, rules: &Rules) -> Facts {
        locked(&self.slot(tenant).state).once(rules.catalogue.clone(), rules.definitions.clone())
    }

    async fn view(&self, slot: &Arc<Slot>, preset: Option<&'static str>) -> Result<Arc<View>, QueryError> {
        // The configured preset is meant with what the configuration says otherwise.
        let other = preset.filter(|preset| *preset != self.rules().definitions.preset);
        let Some((preset, definitions)) = other.and_then(|preset| Some((preset, presets::definitions(preset)?))) else {
            return Ok(slot.own.clone());
        };
        if let Some(view) = slot.fresh(preset) {
            return Ok(view);
        }
        // The first time takes as long as reading everything at a start.
        let slot = slot.clone();
        let derived = tokio::task::spawn_blocking(move || slot.under(preset, &definitions)).await;
        derived.map_err(|error| QueryError::Engine(DataFusionError::External(Box::new(error))))
    }

    /// Brings every tenant's picture up to date; does nothing for those that nothing touched.
    pub fn refresh(&self) {
        for slot in self.tenants() {
            slot.refresh(&mut locked(&slot.state));
        }
        self.refreshed.send_modify(|count| *count += 1);
    }

    /// Another configuration: facts are derived anew from the same entities.
    pub fn reconfigure(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules.clone();
        for slot in self.tenants() {
            let mut state = locked(&slot.state);
            state.reconfigure(rules.catalogue.clone(), rules.definitions.clone());
            locked(&slot.presets).clear();
        }
        self.refresh();
    }

    /// Grows with every refresh: what surfaces with a picture of their own wait for.
    pub fn refreshes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.refreshed.subscribe()
    }

    /// Keeps the pictures fresh while events come in. A refresh that takes long is followed by a pause twice as long, so that bulk
    /// loading is not slowed by pictures that nobody could look at.
    pub async fn keep_fresh(self: Arc<Self>) {
        loop {
            self.changed.notified().await;
            let engine = self.clone();
            let started = tokio::time::Instant::now();
            if tokio::task::spawn_blocking(move || engine.refresh()).await.is_err() {
                tracing::error!("a refresh of the facts failed; the last picture stays until the next event");
            }
            let pause = (2 * started.elapsed()).clamp(Duration::from_millis(50), Duration::from_millis(1000));
            tokio::time::sleep(pause).await;
        }
    }

    /// Answers a question, from memory where the same was asked of the same picture.
    pub async fn ask(&self, tenant: &Tenant, question: &Question, now: Time) -> Result<Arc<Answer>, QueryError> {
        let view = self.view(&self.slot(tenant), question.preset).await?;
        let facts = view.facts();
        if let Some(answer) = cached(&view, facts.version, question) {
            return Ok(answer);
        }
        let answer = Arc::new(crate::run(question, &facts, now).await?);
        let mut cache = locked(&view.cache);
        if cache.version == facts.version {
            if cache.answers.len() >= CACHED_ANSWERS {
                cache.answers.clear();
            }
            cache.answers.insert(question.clone(), answer.clone());
        }
        Ok(answer)
    }

    /// The folded view of an observation table, as of the picture that is shown.
    pub fn entity_batch(&self, tenant: &Tenant, table: Table) -> RecordBatch {
        let slot = self.slot(tenant);
        kept(&slot.own, table.name(), |_| {
            let state = locked(&slot.state);
            let rows: Vec<Row> = state.entities().table(table).map(|(_, stored)| folded_row(tenant, stored)).collect();
            observation_batch(table.spec(), &rows)
        })
    }

    /// A fact table.
    pub fn fact_batch(&self, tenant: &Tenant, table: FactTable) -> RecordBatch {
        kept(&self.slot(tenant).own, table.name(), |facts| {
            let rows = fact_rows(facts, table);
            let rows: Vec<(&Tenant, &[Cell])> = rows.iter().map(|cells| (tenant, cells.as_slice())).collect();
            fact_batch(table.spec(), &rows)
        })
    }

    /// The raw events that told of a subject.
    pub fn raw_events(&self, tenant: &Tenant, subject: &Subject) -> Vec<EventId> {
        let Some(first) = subject.key.first() else { return Vec::new() };
        let slot = self.slot(tenant);
        let state = locked(&slot.state);
        let found = state.entities().with_first(subject.table, first);
        found.filter(|(_, stored)| is_about(subject, stored.source(), stored.cells())).flat_map(|(_, stored)| stored.raw_events()).collect()
    }

    /// The entities whose first key column is `first`, each with its source, folded row, and the raw events behind it.
    pub fn find(&self, tenant: &Tenant, table: Table, first: &str) -> Vec<Found> {
        let slot = self.slot(tenant);
        let state = locked(&slot.state);
        let found = state.entities().with_first(table, first).map(|(_, stored)| Found {
            source: stored.source().clone(),
            row: folded_row(tenant, stored),
            raw_events: stored.raw_events(),
        });
        found.collect()
    }
}

/// Whether an entity has the key of this subject.
fn is_about(subject: &Subject, source: &Source, cells: &[Cell]) -> bool {
    let spec = subject.table.spec();
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Integer(number) => number.to_string(),
        Cell::Time(at) => at.to_string(),
        _ => String::new(),
    };
    subject.source.as_ref().is_none_or(|wanted| wanted == source)
        && spec.key_columns().map(|column| text(&cells[column])).eq(subject.key.iter().cloned())
}

/// What was answered from this picture.
fn cached(view: &View, version: u64, question: &Question) -> Option<Arc<Answer>> {
    let mut cache = locked(&view.cache);
    if cache.version < version {
        *cache = Cache { version, ..Cache::default() };
    }
    if cache.version == version { cache.answers.get(question).cloned() } else { None }
}

/// A table of the present picture: made once, then kept until the picture changes.
fn kept(view: &View, name: &'static str, make: impl FnOnce(&Facts) -> RecordBatch) -> RecordBatch {
    let facts = view.facts();
    {
        let cache = locked(&view.cache);
        if let Some(batch) = cache.tables.get(name).filter(|_| cache.version == facts.version) {
            return batch.clone();
        }
    }
    let batch = make(&facts);
    let mut cache = locked(&view.cache);
    if cache.version < facts.version {
        *cache = Cache { version: facts.version, ..Cache::default() };
    }
    if cache.version == facts.version {
        cache.tables.insert(name, batch.clone());
    }
    batch
}

/// An entity as a single item shows it.
pub struct Found {
    pub source: Source,
    pub row: Row,
    pub raw_events: Vec<EventId>,
}

fn folded_row(tenant: &Tenant, stored: &Stored) -> Row {
    Row {
        tenant: tenant.clone(),
        source: stored.source().clone(),
        ingested_at: stored.ingested_at(),
        raw_event_id: stored.last_event(),
        updated_at: stored.updated_at(),
        cleared: Vec::new(),
        cells: stored.cells().to_vec(),
    }
}

impl Feed for Engine {
    fn apply(&self, batch: FeedBatch) {
        for event in batch.events {
            if event.rows.is_empty() {
                continue;
            }
            let slot = self.slot(&event.tenant);
            let mut state = locked(&slot.state);
            for (table, row) in event.rows {
                state.apply(table, row);
            }
        }
        if batch.live {
            self.changed.notify_one();
        }
    }
}
