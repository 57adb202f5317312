//! The real Prometheus scrapes the real server: every series arrives, with the values of the API.

use crate::server::Server;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);

struct Prometheus {
    child: Child,
    base: String,
}

impl Prometheus {
    fn start(folder: &Path, target: &str) -> Prometheus {
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: flowgauge\n    static_configs: [{{targets: [\"{target}\"]}}]\n"
        );
        std::fs::write(&config, text).expect("a file");
        // Prometheus does not tell which port it was given, so it is told one that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is installed: `make tools`");
        Prometheus { child, base: format!("http://127.0.0.1:{port}") }
    }

    /// The value of an expression that gives one, once it gives it.
    async fn value(&self, http: &reqwest::Client, expression: &str, since: Instant) -> f64 {
        loop {
            let answer = http.get(format!("{}/api/v1/query", self.base)).query(&[("query", expression)]).send().await;
            if let Ok(answer) = answer
                && let Ok(answer) = answer.json::<Value>().await
                && let Some(value) = answer["data"]["result"][0]["value"][1].as_str()
            {
                return value.parse().expect("a number");
            }
            assert!(since.elapsed() < DEADLINE, "{expression} has no value after {DEADLINE:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What promtool says of an exposition.
fn lint(exposition: &str) -> String {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: `make tools`");
    child.stdin.take().expect("a pipe").write_all(exposition.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_reads_what_the_api_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"), &[]);
    let http = reqwest::Client::new();
    // Three deployments of one service within the last week, one of them failed by its own account.
    let finished = |hours: i64| flowgauge_lake::clock::now().plus_seconds(-3600 * hours).to_string();
    let rows = [("1", 100, "success"), ("2", 80, "failure"), ("3", 60, "success"), ("4", 40, "success")].map(|(id, hours, outcome)| {
        serde_json::json!({
            "deployment_id": id, "service": "checkout", "environment": "production", "repo": "git.example/shop/checkout", "sha": id.repeat(40), "finished_at": finished(hours),
            "outcome": outcome, "took_effect": true,
        })
        .to_string()
    });
    let response = http.post(server.url("/v1/events/deployments")).body(rows.join("\n")).send().await.expect("the server runs");
    assert!(response.status().is_success());

    // What else names series: a commit that one of them brought, a change, a run, an incident.
    let repo = "git.example/shop/checkout";
    let others = [
        ("commits", serde_json::json!({"repo": repo, "sha": "1".repeat(40), "parents": [], "authored_at": finished(200)})),
        ("commits", serde_json::json!({"repo": repo, "sha": "3".repeat(40), "parents": ["1".repeat(40)], "authored_at": finished(90)})),
        (
            "changes",
            serde_json::json!({"repo": repo, "change_id": "7", "opened_at": finished(99), "merged_at": finished(90), "additions": 5, "deletions": 2}),
        ),
        (
            "pipeline_runs",
            serde_json::json!({"pipeline": "ci", "run_id": "1", "repo": repo, "queued_at": finished(81), "started_at": finished(80), "finished_at": finished(79), "result": "success"}),
        ),
        (
            "incidents",
            serde_json::json!({"incident_id": "1", "services": ["checkout"], "started_at": finished(79), "resolved_at": finished(70)}),
        ),
    ];
    for (table, row) in others {
        let response = http.post(server.url(&format!("/v1/events/{table}"))).body(row.to_string()).send().await.expect("the server runs");
        assert!(response.status().is_success(), "{table}");
    }
    let prometheus = Prometheus::start(folder.path(), server.base.trim_start_matches("http://"));
    let since = Instant::now();
    let ended = prometheus.value(&http, "sum(dora_deployments_total{service=\"checkout\"})", since).await;
    assert_eq!(ended, 4.0);
    // Three successes in seven days; one failure among four that took effect.
    let rate = prometheus.value(&http, "dora_deployments_per_day{service=\"checkout\",window=\"7d\"}", since).await;
    assert!((rate - 3.0 / 7.0).abs() < 1e-9, "{rate}");
    let window = prometheus.value(&http, "dora_window_deployments{service=\"checkout\",window=\"30d\"}", since).await;
    let failed = prometheus.value(&http, "dora_change_failure_ratio{service=\"checkout\",window=\"7d\"}", since).await;
    assert_eq!((window, failed), (3.0, 0.25));
    assert_eq!(prometheus.value(&http, "up{job=\"flowgauge\"}", since).await, 1.0);
    // Every kind of series has arrived, and no name or help breaks the rules of the house.
    assert_eq!(prometheus.value(&http, "dora_change_size_lines{window=\"30d\",stat=\"p50\",service=\"checkout\"}", since).await, 7.0);
    let text = http.get(server.url("/metrics")).send().await.expect("the server runs").text().await.expect("a text");
    let names = ["dora_lead_time_quantile_seconds", "dora_review_time_seconds", "dora_retry_rate_ratio", "dora_pipeline_duration_seconds"];
    for name in names.into_iter().chain(["dora_pipeline_queue_time_seconds", "dora_mttr_seconds", "dora_recovery_time_quantile_seconds"]) {
        assert!(text.contains(&format!("\n{name}{{")), "{name} is missing");
    }
    assert_eq!(lint(&text), "");
    // The control: what promtool objects to is heard.
    assert!(lint("# HELP dora_size_count Lines.\n# TYPE dora_size_count gauge\ndora_size_count 1\n").contains("_count"));
    server.stop();
}
