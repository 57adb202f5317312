//! SIGHUP: another configuration without a restart; a wrong one changes nothing.

use crate::server::Server;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

async fn teams(http: &reqwest::Client, server: &Server) -> Vec<String> {
    let answer: Value = http
        .get(server.url("/api/v1/metrics/deployment_frequency?by=team"))
        .send()
        .await
        .expect("the server runs")
        .json()
        .await
        .expect("JSON");
    let series = answer["series"].as_array().expect("series").iter();
    series.map(|series| series["labels"]["team"].as_str().unwrap_or_default().to_owned()).collect()
}

fn configure(file: &Path, text: &str) {
    std::fs::write(file, text).expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_brings_another_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("flowgauge.toml");
    let owned_by = |team: &str| format!("[[service]]\nname = \"checkout\"\nteam = \"{team}\"\n");
    configure(&config, &owned_by("payments"));
    let server = Server::start(&folder.path().join("data"), &["--config", crate::server::text(&config)]);
    let http = reqwest::Client::new();
    let row = serde_json::json!({
        "deployment_id": "1", "service": "checkout", "environment": "production", "sha": "a".repeat(40),
        "finished_at": flowgauge_lake::clock::now().plus_seconds(-60).to_string(), "outcome": "success",
    });
    let response = http.post(server.url("/v1/events/deployments")).body(row.to_string()).send().await.expect("the server runs");
    assert!(response.status().is_success());
    let until = async |wanted: &str| {
        let since = Instant::now();
        while teams(&http, &server).await != [wanted] {
            assert!(since.elapsed() < DEADLINE, "the team is not {wanted} after {DEADLINE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until("payments").await;

    configure(&config, &owned_by("checkout-crew"));
    server.hang_up();
    until("checkout-crew").await;

    // A wrong file, then a right one: the first left no trace, or the second would not be read.
    configure(&config, "[[service]]\nnome = \"checkout\"\n");
    server.hang_up();
    assert_eq!(teams(&http, &server).await, ["checkout-crew"]);
    configure(&config, &owned_by("payments"));
    server.hang_up();
    until("payments").await;
    server.stop();
}
