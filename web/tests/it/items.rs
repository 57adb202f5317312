//! Single things: their lineage both ways, down to the bytes that came in.

use crate::support::{REPO, Server, sha};
use axum::http::StatusCode;
use serde_json::{Value, json};

fn all<'a>(value: &'a Value, member: &str, column: &str) -> Vec<&'a str> {
    value[member].as_array().unwrap_or_else(|| panic!("{member}")).iter().map(|row| row[column].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_deployment_leads_both_ways_and_down_to_the_bytes() {
    let (server, _) = Server::with_shop().await;
    let item = server.json("/api/v1/deployments/d10").await;
    assert_eq!((item["data"]["kind"].as_str(), item["row"]["run_id"].as_str()), (Some("release"), Some("r10")));
    assert_eq!(item["previous"]["deployment_id"], "d9");
    assert_eq!(all(&item, "next", "deployment_id"), ["d11"]);
    assert_eq!(all(&item, "changes", "sha"), [sha(10), sha(10)]);
    assert_eq!(all(&item, "failures", "reason"), ["incident"]);
    assert_eq!(all(&item, "incidents", "incident_id"), ["i1"]);
    assert_eq!(all(&item, "runs", "run_id"), ["r10"]);

    let event = &item["raw_events"][0];
    let href = event["href"].as_str().unwrap();
    let raw = server.json(href).await;
    assert_eq!(
        (raw["event_id"].clone(), raw["kind"].as_str(), raw["body_encoding"].as_str()),
        (event["event_id"].clone(), Some("flowgauge"), Some("utf-8"))
    );
    assert!(raw["body"].as_str().unwrap().contains("\"d10\""));
    let bytes = server.get(&format!("{href}?format=bytes")).await;
    assert_eq!(bytes.text(), raw["body"].as_str().unwrap());
    assert_eq!((bytes.header("content-type"), bytes.header("x-content-type-options")), ("application/octet-stream", "nosniff"));
    assert!(bytes.header("content-disposition").starts_with("attachment"));
}

#[tokio::test]
async fn every_kind_has_its_lineage() {
    let (server, _) = Server::with_shop().await;
    let incident = server.json("/api/v1/incidents/i1").await;
    assert_eq!((all(&incident, "deployments", "deployment_id"), all(&incident, "links", "rule")), (vec!["d10"], vec!["latest_deployment"]));
    let change = server.json(&format!("/api/v1/changes/{REPO}/7")).await;
    assert_eq!(change["data"]["additions"], 5);
    assert_eq!((all(&change, "commits", "sha"), all(&change, "deployments", "deployment_id")), (vec![sha(7).as_str()], vec!["d7"]));
    let run = server.json("/api/v1/runs/r7").await;
    assert_eq!((run["data"]["pipeline"].as_str(), run["facts"][0]["queue_seconds"].as_f64()), (Some("build"), Some(3600.0)));
    assert_eq!((all(&run, "jobs", "job_id"), all(&run, "deployments", "deployment_id")), (vec!["j1"], vec!["d7"]));
    let job = server.json("/api/v1/jobs/j1").await;
    assert_eq!((job["data"]["name"].as_str(), all(&job, "runs", "run_id")), (Some("test"), vec!["r7"]));
    let application = server.json("/api/v1/applications/checkout-prod").await;
    assert_eq!(application["data"]["sync_status"], "OutOfSync");
    assert_eq!((all(&application, "episodes", "class").len(), all(&application, "deployments", "service").len()), (2, 19));
    let drift = server.json("/api/v1/drift/checkout-prod").await;
    assert_eq!(drift["episodes"], application["episodes"]);
    for item in [&incident, &change, &run, &job, &application] {
        assert!(item["raw_events"][0]["href"].as_str().is_some_and(|href| href.starts_with("/api/v1/raw/")));
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_there_twice() {
    let (server, shop) = Server::with_shop().await;
    for address in
        ["deployments/x", "changes/x", "changes/a/b/1", "incidents/x", "runs/x", "jobs/x", "applications/x", "deployments/d1?source=other"]
    {
        let detail = server.problem(&format!("/api/v1/{address}"), 404).await;
        assert!(detail.contains("there is no") || detail.contains("is no change"), "{address}: {detail}");
    }
    let other = json!({"deployment_id": "d1", "source": "other", "service": "cart", "environment": "prod", "outcome": "success", "finished_at": shop.ago(100)});
    server.rows("deployments", &[other]).await;
    let reply = server.get("/api/v1/deployments/d1").await;
    assert_eq!(reply.status, StatusCode::CONFLICT);
    let problem = reply.json();
    assert_eq!((problem["parameter"].as_str(), &problem["choices"]), (Some("source"), &json!(["import", "other"])));
    assert!(problem["detail"].as_str().unwrap().contains("?source="));
    assert_eq!(server.json("/api/v1/deployments/d1?source=other").await["data"]["service"], "cart");
    assert_eq!(server.json("/api/v1/deployments/d1?source=import").await["data"]["service"], "checkout");
}
