//! How many signed webhooks of 2 KB a second become durable over HTTP, and how long the slowest of a hundred waits: at 8 and at 64
//! connections, beside, in this process and without HTTP, signature and reading: appends to a lake, a bare loop over the journal's
//! database that syncs as many events at once, and the disk's own `fdatasync` of as many bytes.
//!
//! `ingest_load [URL SECRET]`: without a URL it starts the server that was built beside it, on a folder of its own.

#![expect(clippy::print_stdout, reason = "a program that reports what it measured")]

use bytes::Bytes;
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use flowgauge_lake::model::{RawEvent, Source, Tenant};
use flowgauge_lake::{Feed, FeedBatch, Lake, LakeOptions, Normalise, Normalised, clock};
use flowgauge_sample_data::{Delivery, Shop, sign};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(10);
/// How long a bare loop turns.
const BARE_TIME: Duration = Duration::from_secs(5);
const SECRET: &str = "load";

struct Nothing;

impl Normalise for Nothing {
    fn normalise(&self, _: &RawEvent) -> Normalised {
        Normalised { event: "load".into(), ..Normalised::default() }
    }
}

impl Feed for Nothing {
    fn apply(&self, _: FeedBatch) {}
}

/// The server that this program started; ends with it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(folder: &Path) -> (Server, String) {
    let here = std::env::current_exe().expect("this program has a path");
    let binary = here.parent().and_then(Path::parent).expect("it lies in a profile's examples").join("flowgauge");
    std::fs::write(folder.join("secret"), SECRET).expect("a file");
    let config = folder.join("flowgauge.toml");
    std::fs::write(&config, "[[source]]\nname = \"github\"\nkind = \"github\"\nsecret_file = \"secret\"\n").expect("a file");
    let mut command = Command::new(&binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(config)
        .arg("--data")
        .arg(folder.join("data"))
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let mut lines = BufReader::new(child.stderr.take().expect("stderr is a pipe")).lines().map_while(Result::ok);
    let found = lines.by_ref().find_map(|line| line.split_once("serving http://").map(|(_, rest)| rest.to_owned()));
    let address: String =
        found.expect("the server says where it is").chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
    std::thread::spawn(move || lines.filter(|line| line.contains("ERROR")).for_each(|line| println!("server: {line}")));
    (Server(child), format!("http://{address}"))
}

/// A real payload of about 2 KB, signed once: the client's own work must not be what is measured.
fn payload(secret: &str) -> Delivery {
    let shop = Shop::generate(1, 0);
    let fits = |delivery: &Delivery| delivery.hook == "github" && (1_700..2_400).contains(&delivery.body.len());
    let mut delivery = shop.deliveries().find(fits).expect("the shop has a payload of 2 KB");
    sign("github", secret, &mut delivery);
    delivery.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-github-delivery"));
    delivery
}

/// Events a second, median and 99th percentile.
type Measured = (f64, Duration, Duration);

/// Runs `clients` copies of `request` for a while: requests a second, median, 99th percentile.
async fn run<F: Future<Output = ()> + Send>(clients: usize, request: impl Fn(u64) -> F + Clone + Send + 'static) -> Measured {
    let number = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (request, number) = (request.clone(), number.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while start.elapsed() < TIME {
                    let sent = Instant::now();
                    request(number.fetch_add(1, Ordering::Relaxed)).await;
                    latencies.push(sent.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a client ends"));
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    (rate, at(0.5), at(0.99))
}

async fn over_http(base: &str, delivery: &Delivery, clients: usize) -> Measured {
    let http = reqwest::Client::builder().pool_max_idle_per_host(clients).tcp_nodelay(true).build().expect("a client");
    let url = format!("{base}/hooks/github");
    let (delivery, body) = (Arc::new(delivery.clone()), Bytes::from(delivery.body.clone()));
    run(clients, move |number| {
        let (delivery, mut request) = (delivery.clone(), http.post(&url).body(body.clone()));
        async move {
            for (name, value) in &delivery.headers {
                request = request.header(name, value);
            }
            let response = request.header("X-GitHub-Delivery", format!("load-{clients}-{number}")).send().await.expect("the server runs");
            assert!(response.status().is_success(), "{}", response.status());
            response.bytes().await.expect("an answer");
        }
    })
    .await
}

async fn lake(folder: &Path, delivery: &Delivery, clients: usize) -> Measured {
    let options = LakeOptions::new(folder.join(format!("lake{clients}")));
    let lake = Lake::open(options, Arc::new(Nothing), Arc::new(Nothing)).await.expect("a new lake opens");
    let body = Bytes::from(delivery.body.clone());
    run(clients, move |number| {
        let (lake, body) = (lake.clone(), body.clone());
        async move {
            let (tenant, source) = (Tenant::default(), Source::new("load"));
            let event = RawEvent::new(tenant, source, "github", Some(format!("load-{number}")), clock::now(), Vec::new(), body);
            lake.append(vec![event]).await.expect("the lake takes events");
        }
    })
    .await
}

/// Turns a loop that makes `events` durable at once: events a second, and how long a turn takes.
fn turns(events: usize, mut turn: impl FnMut()) -> Measured {
    let start = Instant::now();
    let mut latencies = Vec::new();
    while start.elapsed() < BARE_TIME {
        let began = Instant::now();
        turn();
        latencies.push(began.elapsed());
    }
    let rate = (latencies.len() * events) as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    (rate, at(0.5), at(0.99))
}

fn database(folder: &Path, delivery: &Delivery, batch: usize) -> Measured {
    let database = Database::builder(folder.join(format!("database{batch}"))).open().expect("a new database opens");
    let events = database.keyspace("events", KeyspaceCreateOptions::default).expect("a keyspace opens");
    let mut count = 0_u64;
    turns(batch, || {
        let mut write = database.batch().durability(Some(PersistMode::SyncData));
        for _ in 0..batch {
            count += 1;
            write.insert(&events, count.to_be_bytes(), delivery.body.as_slice());
        }
        write.commit().expect("a batch can be written");
    })
}

fn disk(folder: &Path, delivery: &Delivery, batch: usize) -> Measured {
    let mut file = File::create(folder.join("disk")).expect("the folder can be written");
    let bytes = delivery.body.repeat(batch);
    turns(batch, || file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the file can be written"))
}

#[tokio::main]
async fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let folder = std::env::temp_dir().join(format!("flowgauge-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let secret = given.get(1).map_or(SECRET, String::as_str);
    let delivery = payload(secret);
    let (server, base) = match given.first() {
        Some(url) => (None, url.trim_end_matches('/').to_owned()),
        None => {
            let (server, base) = start(&folder);
            (Some(server), base)
        }
    };
    println!("payloads of {} bytes; bare loops write as many at once as there are connections", delivery.body.len());
    println!("{:<14}{:>12}{:>14}{:>10}{:>10}", "", "connections", "events/s", "p50", "p99");
    for clients in [8, 64] {
        let rows = [
            ("HTTP", over_http(&base, &delivery, clients).await),
            ("lake append", lake(&folder, &delivery, clients).await),
            ("bare append", database(&folder, &delivery, clients)),
            ("fdatasync", disk(&folder, &delivery, clients)),
        ];
        for (name, (rate, median, p99)) in rows {
            println!("{name:<14}{clients:>12}{rate:>14.0}{:>10}{:>10}", format!("{median:.1?}"), format!("{p99:.1?}"));
        }
    }
    drop(server);
    std::fs::remove_dir_all(&folder).ok();
}
