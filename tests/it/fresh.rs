//! What is acknowledged shows: in the API, in `/metrics` and on a page, all within two seconds of the answer.

use crate::server::Server;
use flowgauge_lake::clock;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Where the test gives up; what is promised is two seconds, what was measured is printed.
const DEADLINE: Duration = Duration::from_secs(10);

async fn get(http: &reqwest::Client, url: &str) -> String {
    let response = http.get(url).send().await.expect("the server runs");
    if response.status().is_success() { response.text().await.expect("a text") } else { String::new() }
}

/// Polls until `shows`; how long after `since` that was.
async fn until(http: &reqwest::Client, url: &str, since: Instant, shows: impl Fn(&str) -> bool) -> Duration {
    loop {
        let text = get(http, url).await;
        if shows(&text) {
            return since.elapsed();
        }
        assert!(since.elapsed() < DEADLINE, "{url} does not show it after {DEADLINE:?}:\n{}", &text[..text.len().min(4000)]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The sum of all samples of a metric with this label.
fn total(exposition: &str, name: &str, label: &str) -> f64 {
    let lines = exposition.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_event_shows_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let http = reqwest::Client::new();
    let mut slowest = Duration::ZERO;
    for round in 1..=5_u32 {
        let id = format!("fresh-{round}");
        let finished = clock::now().plus_seconds(-60).to_datetime().to_rfc3339();
        let row = serde_json::json!({
            "deployment_id": id, "service": "checkout", "environment": "production", "sha": format!("{round:040}"), "finished_at": finished, "outcome": "success",
        });
        let response = http.post(server.url("/v1/events/deployments")).body(row.to_string()).send().await.expect("the server runs");
        let since = Instant::now();
        assert!(response.status().is_success());
        let (api, metrics, page) =
            (server.url("/api/v1/metrics/deployment_frequency?service=checkout"), server.url("/metrics"), server.url("/services/checkout"));
        let (api, metrics, page) = tokio::join!(
            until(&http, &api, since, |text| {
                let answer: Value = serde_json::from_str(text).unwrap_or_default();
                answer["series"][0]["points"][0]["n"] == round
            }),
            until(&http, &metrics, since, |text| total(text, "dora_deployments_total", "service=\"checkout\"") == f64::from(round)),
            until(&http, &page, since, |text| text.contains(&id)),
        );
        println!("round {round}: API {api:.0?}, /metrics {metrics:.0?}, page {page:.0?}");
        slowest = slowest.max(api).max(metrics).max(page);
    }
    println!("the slowest showed after {slowest:.0?}");
    server.stop();
}
