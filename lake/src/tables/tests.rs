use super::*;
use crate::clock::now;
use crate::model::arrow::{fact_batch, observation_batch, observation_rows};
use crate::model::facts::FactTable;
use crate::model::{Cell, EventId, Row, Source, Tenant, Time};
use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Schema};
use futures::TryStreamExt;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

fn job(number: i64, received: i64) -> Row {
    let mut cells = vec![Cell::Null; Table::Job.spec().columns.len()];
    cells[0] = Cell::Text(format!("run {number}"));
    cells[1] = Cell::Text("job".into());
    cells[2] = Cell::Integer(1);
    cells[5] = Cell::Texts(vec!["a".into(), "b".into()]);
    Row {
        tenant: Tenant::default(),
        source: Source::new("ci"),
        ingested_at: Time::from_seconds(received),
        raw_event_id: EventId::from_bytes([received as u8; 16]),
        updated_at: None,
        cleared: Vec::new(),
        cells,
    }
}

fn jobs(rows: &[Row]) -> RecordBatch {
    with_day(&observation_batch(Table::Job.spec(), rows), "ingested_at").unwrap()
}

async fn open(folder: &Path) -> Delta {
    Delta::open(folder, observation_layout(Table::Job.spec())).await.unwrap()
}

async fn append(delta: &mut Delta, rows: &[Row], seq: u64) {
    let staged = delta.stage(jobs(rows)).await.unwrap();
    delta.append(staged, seq).await.unwrap();
}

/// The day of the small files: the merges below are those of the present day.
const TODAY: &str = "1970-01-01";

async fn read(delta: &Delta) -> Vec<Row> {
    let mut rows = Vec::new();
    for file in delta.files().await.unwrap() {
        let batches: Vec<_> = delta.file(&file).read(None).await.unwrap().try_collect().await.unwrap();
        batches.iter().for_each(|batch| rows.extend(observation_rows(Table::Job.spec(), batch).unwrap()));
    }
    rows
}

fn log(folder: &Path, name: &str) -> String {
    let mut files: Vec<_> = fs::read_dir(folder.join(name).join("_delta_log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

fn files_on_disk(folder: &Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            if path.is_dir() { files_on_disk(&path) } else { usize::from(path.extension().is_some_and(|extension| extension == "parquet")) }
        })
        .sum()
}

#[tokio::test]
async fn rows_lie_sorted_in_a_file_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut delta = open(folder.path()).await;
    let hostile = Row { tenant: Tenant::new("../a b/ü=%2F"), ..job(7, 5) };
    append(&mut delta, &[job(2, 3), job(1, 5), hostile.clone(), job(1, 90_000)], 9).await;
    let files = delta.files().await.unwrap();
    let places: Vec<_> = files.iter().map(|file| (file.tenant.as_str(), file.period.as_str())).collect();
    assert_eq!(places, [("../a b/ü=%2F", "1970-01-01"), ("default", "1970-01-01"), ("default", "1970-01-02")]);
    assert_eq!(read(&delta).await, [hostile, job(1, 5), job(2, 3), job(1, 90_000)]);
    assert_eq!(delta.committed().await.unwrap(), 9);
    assert!(fs::read_dir(folder.path()).unwrap().count() == 1, "nothing is written beside the table");
    let log = log(folder.path(), "jobs");
    assert!(log.contains(r#""minReaderVersion":1,"minWriterVersion":2"#), "{log}");
    assert!(log.contains(r#""txn":{"appId":"flowgauge","version":9"#), "{log}");
}

#[tokio::test]
async fn a_column_that_is_new_is_null_in_old_rows() {
    let folder = tempfile::tempdir().unwrap();
    let now = observation_layout(Table::Job.spec());
    let fields: Vec<_> = now.schema.fields().iter().filter(|f| f.name() != "cache_hit" && f.name() != "needs").cloned().collect();
    let before = Layout { schema: Arc::new(Schema::new(fields)), ..observation_layout(Table::Job.spec()) };
    let mut delta = Delta::open(folder.path(), before).await.unwrap();
    append(&mut delta, &[job(1, 1)], 1).await;

    let mut delta = open(folder.path()).await;
    assert_eq!(delta.committed().await.unwrap(), 1);
    append(&mut delta, &[job(2, 2)], 2).await;
    let old = |mut row: Row| {
        row.cells[5] = Cell::Null;
        row
    };
    assert_eq!(read(&delta).await.into_iter().collect::<Vec<_>>().len(), 2);
    assert!(read(&delta).await.contains(&old(job(1, 1))) && read(&delta).await.contains(&job(2, 2)));
    assert!(log(folder.path(), "jobs").contains(r#""minReaderVersion":1,"minWriterVersion":2"#));

    // Old and new files merge into one.
    for seq in 3..12 {
        append(&mut delta, &[job(seq as i64, seq as i64)], seq).await;
    }
    let mut before = read(&delta).await;
    assert_eq!(delta.compact(TODAY).await.unwrap(), 1);
    before.sort_by_key(|row| format!("{row:?}"));
    let mut after = read(&delta).await;
    after.sort_by_key(|row| format!("{row:?}"));
    assert_eq!(before, after);
    assert_eq!((delta.files().await.unwrap().len(), delta.committed().await.unwrap()), (1, 11));
    // Nothing is added a second time.
    assert_eq!(open(folder.path()).await.files().await.unwrap(), delta.files().await.unwrap());
}

#[tokio::test]
async fn compaction_keeps_each_row_once_and_deletes_only_what_was_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut delta = open(folder.path()).await;
    for seq in 1..=9 {
        // One row comes nine times, each time received later; the others once.
        append(&mut delta, &[job(0, 100 - seq), job(seq, seq)], seq as u64).await;
    }
    let stray = folder.path().join("jobs/tenant=default/day=1970-01-01/stray.parquet");
    fs::write(&stray, "not in the log").unwrap();
    assert_eq!(delta.compact(TODAY).await.unwrap(), 1);
    assert_eq!(delta.compact(TODAY).await.unwrap(), 0);
    let mut expected = vec![job(0, 91)];
    expected.extend((1..=9).map(|n| job(n, n)));
    assert_eq!(read(&delta).await, expected);
    assert_eq!(read(&open(folder.path()).await).await, expected);
    assert!(
        log(folder.path(), "jobs")
            .lines()
            .filter(|line| line.starts_with(r#"{"remove""#))
            .all(|line| line.contains(r#""dataChange":false"#))
    );

    assert_eq!(files_on_disk(&folder.path().join("jobs/tenant=default")), 11);
    assert_eq!(delta.vacuum(now().plus_seconds(3500)).await.unwrap(), 0);
    assert_eq!(delta.vacuum(now().plus_seconds(3700)).await.unwrap(), 9);
    assert_eq!(delta.vacuum(now().plus_seconds(3700)).await.unwrap(), 0);
    assert_eq!(open(folder.path()).await.vacuum(now().plus_seconds(3700)).await.unwrap(), 0);
    assert_eq!(files_on_disk(&folder.path().join("jobs/tenant=default")), 2);
    assert!(stray.exists());
    assert_eq!(read(&delta).await, expected);
}

#[tokio::test]
async fn a_day_that_is_over_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut delta = open(folder.path()).await;
    for seq in 1..=3 {
        append(&mut delta, &[job(seq, seq), job(seq, seq + 86_400)], seq as u64).await;
    }
    assert_eq!(delta.compact("1970-01-02").await.unwrap(), 1);
    let days: Vec<_> = delta.files().await.unwrap().into_iter().map(|file| file.period).collect();
    assert_eq!(days, ["1970-01-01", "1970-01-02", "1970-01-02", "1970-01-02"]);
    assert_eq!(delta.compact("1970-01-02").await.unwrap(), 0);
    assert_eq!(delta.compact("1970-01-03").await.unwrap(), 1);
    assert_eq!((delta.files().await.unwrap().len(), read(&delta).await.len()), (2, 6));
}

#[tokio::test]
async fn the_log_stays_short() {
    let folder = tempfile::tempdir().unwrap();
    let mut delta = open(folder.path()).await;
    for seq in 1..=25 {
        append(&mut delta, &[job(seq, seq)], seq as u64).await;
    }
    let names: Vec<_> = fs::read_dir(folder.path().join("jobs/_delta_log"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".checkpoint.parquet")).count(), 2, "{names:?}");
    let mut again = open(folder.path()).await;
    assert_eq!((again.committed().await.unwrap(), read(&again).await.len()), (25, 25));
}

#[tokio::test]
async fn two_writers_both_get_through() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = open(folder.path()).await;
    append(&mut one, &[job(0, 0)], 1).await;
    let mut two = open(folder.path()).await;
    for seq in 2..9 {
        append(&mut one, &[job(seq, seq)], seq as u64).await;
    }
    // Behind by seven commits, of the same application.
    append(&mut two, &[job(9, 9)], 9).await;
    assert_eq!((read(&two).await.len(), two.committed().await.unwrap()), (9, 9));
    // Behind again, and what it would merge is still there.
    assert_eq!(one.compact(TODAY).await.unwrap(), 0);
    append(&mut one, &[job(10, 10)], 10).await;
    assert_eq!(two.compact(TODAY).await.unwrap(), 1);
    let again = open(folder.path()).await;
    assert_eq!((read(&again).await.len(), again.files().await.unwrap().len()), (10, 2));
    // What is said to be committed already is not committed twice.
    append(&mut two, &[job(11, 11)], 11).await;
    let staged = one.stage(jobs(&[job(11, 11)])).await.unwrap();
    one.append(staged, 11).await.unwrap();
    assert_eq!(read(&open(folder.path()).await).await.iter().filter(|row| **row == job(11, 11)).count(), 1);
}

#[tokio::test]
async fn months_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let table = FactTable::Pipelines;
    let mut delta = Delta::open(folder.path(), fact_layout(table.spec())).await.unwrap();
    let tenant = Tenant::default();
    let fact = |run: &str| {
        let mut cells = vec![Cell::Null; table.spec().columns.len()];
        cells[0] = Cell::Text(run.into());
        cells[1] = Cell::Integer(1);
        cells[2] = Cell::Text("ci".into());
        cells[4] = Cell::Text("build".into());
        cells
    };
    let batch = |month: &str, runs: &[&str]| {
        let cells: Vec<_> = runs.iter().map(|run| fact(run)).collect();
        let rows: Vec<_> = cells.iter().map(|cells| (&tenant, cells.as_slice())).collect();
        with_constant(&fact_batch(table.spec(), &rows), "month", month).unwrap()
    };
    let months = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let runs = async |delta: &Delta| {
        let mut runs = BTreeSet::new();
        for file in delta.files().await.unwrap() {
            let batches: Vec<_> = delta.file(&file).read(Some(&["run_id"])).await.unwrap().try_collect().await.unwrap();
            for batch in batches {
                batch["run_id"].as_string::<i32>().iter().for_each(|run| {
                    runs.insert(format!("{} {}", file.period, run.unwrap()));
                });
            }
        }
        runs.into_iter().collect::<Vec<_>>()
    };
    delta.replace("default", &months(&["2026-05"]), batch("2026-05", &[])).await.unwrap();
    assert!(!folder.path().join("pipeline_facts").exists());
    delta.replace("default", &months(&["2026-05"]), batch("2026-05", &["a", "b"])).await.unwrap();
    delta.replace("default", &months(&["2026-06"]), batch("2026-06", &["c"])).await.unwrap();
    delta.replace("other", &months(&["2026-06"]), batch("2026-06", &[])).await.unwrap();
    delta.replace("default", &months(&["2026-05"]), batch("2026-05", &["a"])).await.unwrap();
    assert_eq!(runs(&delta).await, ["2026-05 a", "2026-06 c"]);
    delta.replace("default", &months(&["2026-05"]), batch("2026-05", &[])).await.unwrap();
    let again = Delta::open(folder.path(), fact_layout(table.spec())).await.unwrap();
    assert_eq!(runs(&again).await, ["2026-06 c"]);
}

#[test]
fn a_repeated_raw_event_is_the_one_received_first() {
    use crate::model::RawEvent;
    use crate::model::arrow::{raw_event_batch, raw_events};
    let event = |delivery: &str, at: i64| {
        let (tenant, source) = (Tenant::default(), Source::new("a"));
        RawEvent::new(tenant, source, "k", Some(delivery.into()), Time::from_seconds(at), Vec::new(), format!("body {at}").into())
    };
    let batch = with_day(&raw_event_batch(&[event("x", 5), event("y", 1), event("x", 2)]), "received_at").unwrap();
    let merged = rows::sorted(&batch, &raw_layout().order, true).unwrap();
    let mut events = raw_events(&merged).unwrap();
    events.sort_by_key(|event| event.received_at);
    assert_eq!(events, [event("y", 1), event("x", 2)]);
    assert_eq!(rows::sorted(&batch, &raw_layout().order, false).unwrap().num_rows(), 3);
}

#[test]
fn a_batch_conforms_by_name() {
    let batch = jobs(&[job(1, 1)]);
    let fields = vec![
        batch.schema().field_with_name("run_id").unwrap().clone(),
        arrow::datatypes::Field::new("later", arrow::datatypes::DataType::Int32, true),
    ];
    let narrow = conform(&batch, &Arc::new(Schema::new(fields))).unwrap();
    assert_eq!(narrow["run_id"].as_string::<i32>().value(0), "run 1");
    assert_eq!(narrow["later"].as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [None]);
}
