//! How fast events become durable: `Lake::append` with 8 and 64 tasks that each wait for their answer, beside a bare loop over the
//! journal's database that syncs batches of the same size, and the disk's own `fdatasync`.
//!
//! `cargo run -p flowgauge-lake --example append_bench [FOLDER]`

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use flowgauge_lake::model::{RawEvent, Source, Tenant};
use flowgauge_lake::{Feed, FeedBatch, Lake, LakeOptions, Normalise, Normalised, clock};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const BODY: usize = 2048;
const TIME: Duration = Duration::from_secs(4);

struct Nothing;

impl Normalise for Nothing {
    fn normalise(&self, _: &RawEvent) -> Normalised {
        Normalised { event: "bench".into(), ..Normalised::default() }
    }
}

impl Feed for Nothing {
    fn apply(&self, _: FeedBatch) {}
}

/// Noise that does not compress, and a number: the client's own work must not be what is measured.
fn body(number: u64) -> Vec<u8> {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        std::iter::successors(Some(1), next).map(|state: u64| (state >> 56) as u8).take(BODY).collect()
    });
    let mut body = noise.clone();
    body[..8].copy_from_slice(&number.to_be_bytes());
    body
}

fn disk(folder: &Path, batch: usize) -> f64 {
    let mut file = File::create(folder.join("disk")).expect("the folder can be written");
    let bytes = vec![7; batch * BODY];
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < TIME {
        file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the file can be written");
        count += batch;
    }
    count as f64 / start.elapsed().as_secs_f64()
}

fn bare(folder: &Path, batch: usize) -> f64 {
    let database = Database::builder(folder.join(format!("bare{batch}"))).open().expect("a new database opens");
    let events = database.keyspace("events", KeyspaceCreateOptions::default).expect("a keyspace opens");
    let start = Instant::now();
    let mut count = 0_u64;
    while start.elapsed() < TIME {
        let mut write = database.batch().durability(Some(PersistMode::SyncData));
        for _ in 0..batch {
            count += 1;
            write.insert(&events, count.to_be_bytes(), body(count));
        }
        write.commit().expect("a batch can be written");
    }
    count as f64 / start.elapsed().as_secs_f64()
}

async fn lake(folder: &Path, tasks: usize) -> (f64, Duration, Duration) {
    let options = LakeOptions::new(folder.join(format!("lake{tasks}")));
    let lake = Lake::open(options, Arc::new(Nothing), Arc::new(Nothing)).await.expect("a new lake opens");
    let number = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let clients: Vec<_> = (0..tasks)
        .map(|_| {
            let (lake, number) = (lake.clone(), number.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while start.elapsed() < TIME {
                    let i = number.fetch_add(1, Ordering::Relaxed);
                    let headers = vec![("x-github-event".to_owned(), "workflow_run".to_owned())];
                    let (tenant, source) = (Tenant::default(), Source::new("bench"));
                    let event = RawEvent::new(tenant, source, "bench", Some(i.to_string()), clock::now(), headers, body(i).into());
                    let sent = Instant::now();
                    lake.append(vec![event]).await.expect("the lake takes events");
                    latencies.push(sent.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await.expect("a client ends"));
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    let flush = Instant::now();
    lake.applied().await;
    let report = lake.flush().await.expect("the lake can be flushed");
    println!("  (flush of {} events: {:.0?})", report.events, flush.elapsed());
    (rate, at(0.5), at(0.99))
}

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/append_bench".into());
    let folder = Path::new(&folder);
    for waiting in [8, 64] {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let disk = disk(folder, waiting);
        let bare = bare(folder, waiting);
        let (rate, median, p99) = lake(folder, waiting).await;
        println!("{waiting:3} waiting: disk {disk:8.0}/s, bare fjall {bare:8.0}/s, append {rate:8.0}/s, p50 {median:.2?}, p99 {p99:.2?}");
    }
    let _ = std::fs::remove_dir_all(folder);
}
