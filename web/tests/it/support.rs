//! A server without a socket, and a small shop to ask it about.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use flowgauge_lake::model::Time;
use flowgauge_web::config::{Config, Overrides};
use flowgauge_web::{App, router};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

pub struct Server {
    pub app: App,
    router: Router,
    _folder: TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a plain header"))
    }
}

impl Server {
    pub async fn start() -> Server {
        Server::with("", &[]).await
    }

    /// With a configuration and files beside it.
    pub async fn with(config: &str, files: &[(&str, &str)]) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files.iter().chain([&("flowgauge.toml", config)]) {
            std::fs::write(folder.path().join(name), content).expect("a file");
        }
        let overrides = Overrides {
            config: Some(folder.path().join("flowgauge.toml")),
            data: Some(folder.path().join("data")),
            ..Overrides::default()
        };
        let config = Config::load(&overrides).expect("a valid configuration");
        let app = App::open(config, overrides).await.expect("a data folder");
        Server { router: router(app.clone()), app, _folder: folder }
    }

    /// With the shop's history in it.
    pub async fn with_shop() -> (Server, Shop) {
        let server = Server::start().await;
        let shop = Shop::at(server.app.now());
        for (table, rows) in shop.rows() {
            server.rows(table, &rows).await;
        }
        (server, shop)
    }

    pub async fn call(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, address: &str) -> Reply {
        self.get_as(address, "*/*").await
    }

    pub async fn get_as(&self, address: &str, accept: &str) -> Reply {
        self.call(Request::get(address).header("accept", accept).body(Body::empty()).expect("a request")).await
    }

    /// An answer that must be a success.
    pub async fn json(&self, address: &str) -> Value {
        let reply = self.get(address).await;
        assert_eq!(reply.status, StatusCode::OK, "{address}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/json", "{address}");
        reply.json()
    }

    /// The sentence of a problem.
    pub async fn problem(&self, address: &str, status: u16) -> String {
        let reply = self.get(address).await;
        assert_eq!(reply.status.as_u16(), status, "{address}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json", "{address}");
        let problem = reply.json();
        assert_eq!(problem["status"], status, "{address}");
        problem["detail"].as_str().expect("a sentence").to_owned()
    }

    pub async fn post(&self, address: &str, body: impl Into<Body>) -> Reply {
        self.call(Request::post(address).body(body.into()).expect("a request")).await
    }

    /// Rows of our own schema, until every answer shows them. Gives the raw event's id.
    pub async fn rows(&self, table: &str, rows: &[Value]) -> String {
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        let reply = self.post(&format!("/v1/events/{table}"), lines.join("\n")).await;
        assert_eq!(reply.status, StatusCode::OK, "{table}: {}", reply.text());
        self.app.lake().applied().await;
        self.app.engine().refresh();
        reply.json()["event_id"].as_str().expect("an id").to_owned()
    }
}

/// Two services of one team over the last forty days.
pub struct Shop {
    now: Time,
}

pub const REPO: &str = "gitlab.acme.io/shop/checkout";

pub fn sha(n: usize) -> String {
    format!("{n:040x}")
}

impl Shop {
    pub fn at(now: Time) -> Shop {
        Shop { now }
    }

    /// So many hours ago.
    pub fn ago(&self, hours: i64) -> String {
        self.now.plus_seconds(-hours * 3600).to_string()
    }

    /// A deployment of commit `n` every second day, the first 40 days ago; the tenth failed and was repaired by the eleventh.
    fn rows(&self) -> Vec<(&'static str, Vec<Value>)> {
        let at = |n: usize| 24 * (40 - 2 * n as i64);
        let service = |name: &str| json!({"service": name, "team": "payments", "repo": format!("gitlab.acme.io/shop/{name}")});
        let commit = |n: usize| {
            let parents = if n == 1 { json!([]) } else { json!([sha(n - 1)]) };
            json!({"repo": REPO, "sha": sha(n), "parents": parents, "authored_at": self.ago(at(n) + 10), "message": format!("change {n}")})
        };
        let deployment = |n: usize| {
            json!({"deployment_id": format!("d{n}"), "service": "checkout", "environment": "prod", "repo": REPO, "sha": sha(n), "run_id": format!("r{n}"),
                "started_at": self.ago(at(n) + 1), "finished_at": self.ago(at(n)), "outcome": "success", "version": format!("1.{n}")})
        };
        let run = |n: usize| {
            json!({"pipeline": "build", "run_id": format!("r{n}"), "repo": REPO, "branch": "main", "sha": sha(n), "queued_at": self.ago(at(n) + 3),
                "started_at": self.ago(at(n) + 2), "finished_at": self.ago(at(n)), "result": if n == 5 { "failure" } else { "success" }})
        };
        let seen = |hours: i64, status: &str| {
            json!({"app": "checkout-prod", "observed_at": self.ago(hours), "service": "checkout", "environment": "prod", "sync_status": status,
                "compared_revisions": [sha(3)], "synced_revisions": [sha(3)], "health": "Healthy"})
        };
        vec![
            ("services", vec![service("checkout"), service("cart")]),
            ("commits", (1..=19).map(commit).collect()),
            (
                "changes",
                vec![
                    json!({"repo": REPO, "change_id": "7", "title": "=HYPERLINK(\"evil\")", "merged_at": self.ago(at(7)), "merge_sha": sha(7),
                    "labels": ["a", "b"], "additions": 5}),
                ],
            ),
            ("deployments", (1..=19).map(deployment).collect()),
            (
                "incidents",
                vec![
                    json!({"incident_id": "i1", "services": ["checkout"], "started_at": self.ago(at(10) - 2), "resolved_at": self.ago(at(10) - 5),
                    "title": "checkout is down", "severity": "high"}),
                ],
            ),
            ("pipeline_runs", (1..=19).map(run).collect()),
            ("jobs", vec![json!({"run_id": "r7", "job_id": "j1", "name": "test", "result": "success", "finished_at": self.ago(at(7))})]),
            ("gitops_observations", vec![seen(30, "Synced"), seen(20, "OutOfSync"), seen(10, "Synced"), seen(5, "OutOfSync")]),
        ]
    }
}
