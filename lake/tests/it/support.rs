//! A reader for events whose body is a JSON list of rows, and a feed that remembers.

use flowgauge_lake::model::{RawEvent, Row, Source, Table, Tenant, Time, canonical_json, fold, row_from_json};
use flowgauge_lake::{Feed, FeedBatch, Lake, LakeOptions, Normalise, Normalised};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub struct Reader;

impl Normalise for Reader {
    fn normalise(&self, raw: &RawEvent) -> Normalised {
        let event = raw.header("event").unwrap_or("rows").to_owned();
        let Ok(Value::Array(rows)) = serde_json::from_slice(&raw.body) else {
            return Normalised { event, problem: Some("not a list".into()), unknown: true, ..Normalised::default() };
        };
        let read = |row: &Value| row_from_json(Table::parse(row[0].as_str()?)?, &row[1]).ok();
        Normalised { event, observations: rows.iter().filter_map(read).collect(), ..Normalised::default() }
    }
}

#[derive(Default)]
pub struct Memory {
    rows: Mutex<Vec<(Table, Row)>>,
    events: Mutex<Vec<(String, bool)>>,
}

impl Feed for Memory {
    fn apply(&self, batch: FeedBatch) {
        for event in batch.events {
            if !event.kind.is_empty() {
                self.events.lock().unwrap().push((event.event_id.to_string(), batch.live));
            }
            self.rows.lock().unwrap().extend(event.rows);
        }
    }
}

impl Memory {
    pub fn count(&self) -> usize {
        self.rows.lock().unwrap().len()
    }

    pub fn events(&self) -> Vec<(String, bool)> {
        self.events.lock().unwrap().clone()
    }

    /// How often each row is there, by its event and its content.
    pub fn census(&self) -> BTreeMap<String, usize> {
        let mut census = BTreeMap::new();
        for (table, row) in self.rows.lock().unwrap().iter() {
            let line = format!("{} {} {} {} {}", table.name(), row.tenant, row.source, row.raw_event_id, canonical_json(table.spec(), row));
            *census.entry(line).or_default() += 1;
        }
        census
    }

    /// The latest state of every entity.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let mut groups: BTreeMap<String, (Table, Vec<Row>)> = BTreeMap::new();
        for (table, row) in self.rows.lock().unwrap().iter() {
            let spec = table.spec();
            let source = if spec.keyed_by_source { row.source.as_str() } else { "" };
            let key: Vec<String> = spec.key_columns().map(|i| format!("{:?}", row.cells[i])).collect();
            let group = groups.entry(format!("{} {} {source} {key:?}", table.name(), row.tenant)).or_insert((*table, Vec::new()));
            group.1.push(row.clone());
        }
        groups.into_iter().map(|(key, (table, rows))| (key, format!("{:?}", fold(table.spec(), &rows)))).collect()
    }
}

pub async fn open(options: LakeOptions) -> (Lake, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let lake = Lake::open(options, Arc::new(Reader), memory.clone()).await.unwrap();
    (lake, memory)
}

/// 2026-07-01, noon, and `minutes` later.
pub fn at(minutes: i64) -> Time {
    Time::parse("2026-07-01T12:00:00Z").unwrap().plus_seconds(minutes * 60)
}

pub fn event(delivery: &str, received_at: Time, rows: Value) -> RawEvent {
    let headers = vec![("event".to_owned(), "rows".to_owned())];
    let body = rows.to_string().into_bytes();
    RawEvent::new(Tenant::default(), Source::new("ci"), "test", Some(delivery.to_owned()), received_at, headers, body.into())
}

/// An event about one run and one of its jobs.
pub fn run(number: i64) -> RawEvent {
    let run = json!({"pipeline": "build", "run_id": format!("run {number}"), "attempt": 1, "result": "success", "created_at": at(number).to_string()});
    let job = json!({"run_id": format!("run {number}"), "job_id": "test", "result": "failure"});
    event(&format!("delivery {number}"), at(number), json!([["pipeline_runs", run], ["jobs", job]]))
}
