//! `kill -9` at any moment loses nothing that was acknowledged and doubles nothing, while tables are flushed and compacted all the
//! time. The control, which acknowledges before it writes, must not pass the same check.

use crate::server::{Server, json, text};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CLIENTS: usize = 16;
/// A tail of this size goes to the tables: many flushes in every round.
const FLUSH_BYTES: &str = "30000";

/// A round is over after a number of acknowledgements drawn below this, or, on a slow disk, after this time.
const MOST: usize = 400;
const ROUND: Duration = Duration::from_millis(2500);

/// Deployments that were acknowledged, each with the id of its raw event.
type Acknowledged = Arc<Mutex<BTreeMap<String, String>>>;

fn row(id: &str) -> String {
    format!(
        r#"{{"deployment_id":"{id}","service":"checkout","environment":"production","sha":"{id}","finished_at":"2026-06-01T10:00:00Z","outcome":"success"}}"#
    )
}

/// Sends a row; the event's id and whether it was known, if it was acknowledged.
async fn send(http: &reqwest::Client, url: &str, id: &str) -> Option<(String, bool)> {
    let response = http.post(url).body(row(id)).send().await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    let answer: Value = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
    Some((answer["event_id"].as_str()?.to_owned(), answer["duplicate"] == true))
}

/// Sends rows, each twice, until the server is gone. Counts repetitions that were not recognised.
async fn client(url: String, number: Arc<AtomicU64>, acknowledged: Acknowledged) -> usize {
    let http = reqwest::Client::new();
    let mut unrecognised = 0;
    loop {
        let id = format!("d{:07}", number.fetch_add(1, Ordering::Relaxed));
        let Some((event, _)) = send(&http, &url, &id).await else { return unrecognised };
        acknowledged.lock().expect("no client panics").insert(id.clone(), event);
        let Some((_, known)) = send(&http, &url, &id).await else { return unrecognised };
        unrecognised += usize::from(!known);
    }
}

/// What is wrong after `rounds` kills, in words; and how many were acknowledged.
async fn rounds(folder: &Path, rounds: usize, more: &[&str]) -> (Vec<String>, usize) {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let number = Arc::new(AtomicU64::new(0));
    let acknowledged = Acknowledged::default();
    let (mut unrecognised, mut forgotten) = (0, 0);
    let arguments: Vec<&str> = ["--flush-bytes", FLUSH_BYTES].iter().chain(more).copied().collect();
    for round in 0..rounds {
        let server = Server::start(folder, &arguments);
        let url = server.url("/v1/events/deployments");
        // What was acknowledged before the kill is known after it.
        let http = reqwest::Client::new();
        let last: Vec<String> = acknowledged.lock().expect("no client panics").keys().rev().take(CLIENTS).cloned().collect();
        for id in last {
            let (_, known) = send(&http, &url, &id).await.expect("the server runs");
            forgotten += usize::from(!known);
        }
        let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(url.clone(), number.clone(), acknowledged.clone()))).collect();
        let enough = acknowledged.lock().expect("no client panics").len() + random.next_u32() as usize % MOST;
        let deadline = Instant::now() + ROUND;
        while acknowledged.lock().expect("no client panics").len() < enough && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill();
        for client in clients {
            unrecognised += client.await.expect("a client ends");
        }
        println!("round {round}: {} acknowledged so far", acknowledged.lock().expect("no client panics").len());
    }
    let acknowledged = std::mem::take(&mut *acknowledged.lock().expect("no client panics"));
    let mut wrong = check(folder, &acknowledged);
    if unrecognised + forgotten > 0 {
        wrong.push(format!("{unrecognised} repetitions were not recognised at once, {forgotten} not after a restart"));
    }
    (wrong, acknowledged.len())
}

fn check(folder: &Path, acknowledged: &BTreeMap<String, String>) -> Vec<String> {
    let query = |statement: &str| json(&["query", "--data", text(folder), "--format", "json", statement]);
    let strings = |rows: Value, column: &str| -> Vec<String> {
        rows.as_array().expect("rows").iter().map(|row| row[column].as_str().expect("a text").to_owned()).collect()
    };
    let rows = strings(query("select deployment_id from deployments"), "deployment_id");
    let raw = strings(query("select event_id from raw_events"), "event_id");
    let (once, raw_once): (BTreeSet<_>, BTreeSet<_>) = (rows.iter().collect(), raw.iter().collect());
    let facts = query("select count(*) n, count(distinct deployment_id) ids from deployment_facts");
    println!("{} rows, {} raw events, facts {facts}", rows.len(), raw.len());
    let lost = acknowledged.keys().filter(|id| !once.contains(id)).count();
    let lost_raw = acknowledged.values().filter(|id| !raw_once.contains(id)).count();
    let found = [
        (lost, "acknowledged rows are lost"),
        (lost_raw, "acknowledged raw events are lost"),
        (rows.len() - once.len(), "rows are doubled"),
        (raw.len() - raw_once.len(), "raw events are doubled"),
        (once.len().abs_diff(raw_once.len()), "more raw events than rows, or fewer"),
    ];
    found.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}

/// Whether flushes and compactions happened: without table files the test would only be one of the journal.
fn parquet_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok).map(|entry| entry.path());
    entries
        .map(|path| if path.is_dir() { parquet_files(&path) } else { usize::from(path.extension().is_some_and(|e| e == "parquet")) })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_survives_being_killed_twenty_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let (wrong, acknowledged) = rounds(folder.path(), 20, &[]).await;
    let files = parquet_files(folder.path());
    println!("{acknowledged} acknowledged over 20 kills, {files} parquet files");
    assert!(wrong.is_empty(), "{wrong:?} of {acknowledged}");
    assert!(acknowledged > 200 && files > 10, "the test did not do much: {acknowledged} acknowledged, {files} files");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_that_acknowledges_too_early_fails_the_same_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let (wrong, acknowledged) = rounds(folder.path(), 12, &["--unsafe-control"]).await;
    println!("control: {wrong:?} of {acknowledged}");
    assert!(wrong.iter().any(|text| text.contains("lost")), "{wrong:?}");
    assert!(wrong.iter().any(|text| text.contains("doubled")), "{wrong:?}");
}
