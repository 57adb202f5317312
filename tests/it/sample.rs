//! The sample shop through the real receivers, signed, with its git history, against what the oracle answers about what the
//! generator knows. No number here is the product's own.

use crate::expected;
use crate::numbers::{difference, parameters, plain};
use crate::server::{Server, flowgauge, text};
use flowgauge_oracle::Question;
use flowgauge_sample_data::{Delivery, Shop, sign};
use futures::{StreamExt, TryStreamExt, stream};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 32;
const HOOKS: [&str; 4] = ["gitlab", "github", "argocd", "pagerduty"];
const TOKEN: &str = "a token that may write";

fn secret(hook: &str) -> String {
    format!("the secret of {hook}")
}

fn configure(folder: &Path) -> PathBuf {
    let mut config = String::from("[[reader]]\nname = \"ci\"\ntoken_file = \"token\"\nscope = \"write\"\n");
    std::fs::write(folder.join("token"), TOKEN).expect("a file");
    for hook in HOOKS {
        std::fs::write(folder.join(hook), secret(hook)).expect("a file");
        config.push_str(&format!("[[source]]\nname = \"{hook}\"\nkind = \"{hook}\"\nsecret_file = \"{hook}\"\n"));
    }
    let path = folder.join("flowgauge.toml");
    std::fs::write(&path, config).expect("a file");
    path
}

struct Client<'a> {
    http: reqwest::Client,
    server: &'a Server,
}

impl Client<'_> {
    async fn post(&self, delivery: Delivery) -> (u16, Value) {
        let mut request = self.http.post(self.server.url(&format!("/hooks/{}", delivery.hook))).body(delivery.body);
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("the server runs");
        (response.status().as_u16(), serde_json::from_slice(&response.bytes().await.expect("a body")).unwrap_or_default())
    }

    async fn signed(&self, mut delivery: Delivery) -> Result<Value, String> {
        sign(delivery.hook, &secret(delivery.hook), &mut delivery);
        let hook = delivery.hook;
        match self.post(delivery).await {
            (200, answer) => Ok(answer),
            (status, answer) => Err(format!("{hook}: {status} {answer}")),
        }
    }

    async fn ask(&self, question: &Question) -> Value {
        let url = self.server.url(&format!("/api/v1/metrics/{}", question.metric));
        let mut url = reqwest::Url::parse(&url).expect("an address");
        url.query_pairs_mut().extend_pairs(parameters(question));
        let response = self.http.get(url).bearer_auth(TOKEN).send().await.expect("the server runs");
        let mut answer: Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("an answer");
        assert!(answer["series"].is_array(), "{answer}");
        plain(answer["series"].take())
    }

    async fn count(&self, table: &str) -> u64 {
        let body = json!({"query": format!("select count(*) n from {table}")}).to_string();
        let request =
            self.http.post(self.server.url("/api/v1/sql")).bearer_auth(TOKEN).header("content-type", "application/json").body(body);
        let answer: Value =
            serde_json::from_slice(&request.send().await.expect("the server runs").bytes().await.expect("a body")).expect("an answer");
        answer[0]["n"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }
}

/// Neither without proof nor with the wrong one.
async fn refuses_what_is_not_proven(client: &Client<'_>, shop: &Shop) {
    for hook in HOOKS {
        let delivery = shop.deliveries().find(|delivery| delivery.hook == hook).expect("every hook has deliveries");
        assert_eq!(client.post(delivery.clone()).await.0, 401, "{hook} without a signature");
        let mut forged = delivery;
        sign(hook, "not the secret", &mut forged);
        assert_eq!(client.post(forged).await.0, 401, "{hook} with a wrong signature");
    }
    assert_eq!(client.count("raw_events").await, 0);
}

/// Posts everything and gives a few deliveries back, drawn by lot.
async fn post_all(client: &Client<'_>, shop: &Arc<Shop>, keep: usize) -> Vec<Delivery> {
    let (sender, made) = tokio::sync::mpsc::channel(4 * CONNECTIONS);
    let shop = shop.clone();
    let making = tokio::task::spawn_blocking(move || {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let (mut kept, all) = (Vec::new(), shop.deliveries().len() as u32);
        for delivery in shop.deliveries() {
            if random.next_u32() % all < keep as u32 + 200 && kept.len() < keep {
                kept.push(delivery.clone());
            }
            sender.blocking_send(delivery).expect("somebody takes deliveries");
        }
        kept
    });
    let made = stream::unfold(made, |mut made| async move { made.recv().await.map(|delivery| (delivery, made)) });
    made.map(Ok)
        .try_for_each_concurrent(CONNECTIONS, |delivery| async { client.signed(delivery).await.map(drop) })
        .await
        .expect("every payload is taken");
    making.await.expect("the payloads can be made")
}

fn repositories(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).expect("the folder can be read").map_while(Result::ok).map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "git") {
            found.push(path);
        } else if path.is_dir() {
            found.extend(repositories(&path));
        }
    }
    found
}

fn backfill(clones: &Path, server: &Server, token: &Path) {
    for folder in repositories(clones) {
        let name = folder.strip_prefix(clones).expect("below").with_extension("");
        let output =
            flowgauge(&["backfill", "git", text(&folder), "--repo", text(&name), "--server", &server.base, "--token-file", text(token)]);
        assert!(output.status.success(), "{}: {}", name.display(), String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_shop_is_answered_as_the_oracle_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(folder.path());
    let shop = Arc::new(tokio::task::spawn_blocking(|| Shop::generate(1, 0)).await.expect("the shop can be made"));
    let oracle = {
        let shop = shop.clone();
        tokio::task::spawn_blocking(move || {
            let world = expected::world(&shop);
            expected::FILES.map(|(name, from, bucket)| (name, expected::file(&world, from, bucket)))
        })
    };
    let server = Server::start(&folder.path().join("data"), &["--config", text(&config)]);
    let client = Client { http: reqwest::Client::new(), server: &server };
    refuses_what_is_not_proven(&client, &shop).await;

    let started = Instant::now();
    let kept = post_all(&client, &shop, 2_000).await;
    println!("{} payloads in {:.1?}", shop.deliveries().len(), started.elapsed());
    let clones = folder.path().join("clones");
    shop.write_git(&clones).expect("the git history can be written");
    tokio::task::block_in_place(|| backfill(&clones, &server, &folder.path().join("token")));

    let mut wrong = Vec::new();
    let truth = shop.truth();
    let deadline = Instant::now() + Duration::from_secs(30);
    // Nobody sends `services`: the product finds them in what is sent.
    for (table, rows) in truth.tables.iter().filter(|(table, _)| **table != "services") {
        // Rows show a moment after they are acknowledged.
        while client.count(table).await != rows.len() as u64 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ours = client.count(table).await;
        println!("{table}: {ours} rows, {} known to the generator", rows.len());
        if ours != rows.len() as u64 {
            wrong.push(format!("{table}: {ours} rows against {}", rows.len()));
        }
    }

    let mut before = Vec::new();
    for (name, (csv, answers)) in oracle.await.expect("the oracle answers") {
        let stored = std::fs::read_to_string(expected::path(name)).unwrap_or_default();
        if stored != csv {
            wrong.push(format!("{name}.csv is not what the oracle says; write it anew with target/debug/examples/expected"));
        }
        for (question, theirs) in answers {
            let ours = client.ask(&question).await;
            let theirs = plain(theirs);
            compare(name, &question, &ours, &theirs, &mut wrong);
            before.push((question, ours));
        }
    }

    let answers: Vec<_> = stream::iter(&kept).map(|delivery| client.signed(delivery.clone())).buffer_unordered(CONNECTIONS).collect().await;
    assert!(answers.len() > 1_500 && answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer["duplicate"] == true)));
    for (question, ours) in &before {
        assert_eq!(&client.ask(question).await, ours, "{} changed by repetitions", question.metric);
    }
    println!("{} of {} answers repeated after {} repetitions", before.len(), before.len(), answers.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Tells every point that differs.
fn compare(name: &str, question: &Question, ours: &Value, theirs: &Value, wrong: &mut Vec<String>) {
    let (Some(a), Some(b)) = (ours.as_array(), theirs.as_array()) else {
        return wrong.push(format!("{name} {}: no series", question.metric));
    };
    let teams = |series: &[Value]| series.iter().map(|series| series["labels"].clone()).collect::<Vec<_>>();
    if teams(a) != teams(b) {
        return wrong.push(format!("{name} {}: series {:?} against {:?}", question.metric, teams(a), teams(b)));
    }
    for (a, b) in a.iter().zip(b) {
        let points = a["points"].as_array().into_iter().flatten().zip(b["points"].as_array().into_iter().flatten());
        for (x, y) in points {
            if let Some(difference) = difference("", x, y) {
                wrong.push(format!(
                    "{name} {} {} {}: {difference} (n {} against {})",
                    question.metric, a["labels"], x["start"], x["n"], y["n"]
                ));
            }
        }
    }
}
