//! Before and after, over HTTP.

use crate::support::Server;
use serde_json::{Value, json};

const WINDOWS: &str = "before=2026-05-01..2026-05-31&after=2026-05-31..2026-06-30";

/// A deployment at ten on so many days after the first of May.
fn deployment(service: &str, day: usize) -> Value {
    let (month, day) = if day < 31 { (5, day + 1) } else { (6, day - 30) };
    json!({"deployment_id": format!("{service}-{month}-{day}"), "version": format!("{month}.{day}"), "service": service, "environment": "prod",
        "outcome": "success", "finished_at": format!("2026-{month:02}-{day:02}T10:00:00Z")})
}

fn figure(answer: &Value, id: &str) -> Value {
    answer["data"].as_array().unwrap().iter().find(|figure| figure["metric"] == id).unwrap_or_else(|| panic!("{id} in {answer}")).clone()
}

#[tokio::test]
async fn two_windows_are_compared() {
    let server = Server::start().await;
    // Twelve in the thirty days from the first of May, twenty-four in the thirty after; pay has two and two.
    let cart = (0..24).step_by(2).chain(30..54).map(|day| deployment("cart", day));
    let pay = [3, 4, 33, 34].map(|day| deployment("pay", day));
    server.rows("deployments", &cart.chain(pay).collect::<Vec<_>>()).await;
    server.rows("services", &[json!({"service": "cart", "team": "front"}), json!({"service": "pay", "team": "back"})]).await;

    let answer = server.json(&format!("/api/v1/compare?{WINDOWS}&team=front")).await;
    assert_eq!(answer["before"], json!({"from": "2026-05-01T00:00:00Z", "to": "2026-05-31T00:00:00Z"}));
    assert_eq!(answer["filters"], json!({"team": ["front"]}));
    let frequency = figure(&answer, "deployment_frequency");
    assert_eq!((frequency["before"]["value"].as_f64(), frequency["after"]["n"].as_i64()), (Some(0.4), Some(24)));
    assert_eq!((&frequency["better"], &frequency["unit"], &frequency["verdict"]), (&json!("up"), &json!("1/d"), &json!("not_significant")));
    let effect = &frequency["effect"];
    assert_eq!(
        (&effect["kind"], effect["value"].as_f64(), &effect["ci"]["method"]),
        (&json!("rate_ratio"), Some(2.0), &json!("clopper_pearson"))
    );
    assert!(
        (effect["ci"]["lo"].as_f64().unwrap() - 0.961_929).abs() < 1e-6
            && (frequency["p_value"].as_f64().unwrap() - 0.065_245).abs() < 1e-6
    );
    // Each value can be opened, and what was drawn upon stays inside.
    assert!(frequency["after"]["explain"].as_str().unwrap().starts_with("/api/v1/explain/") && frequency["after"].get("sample").is_none());
    assert_eq!(figure(&answer, "lead_time")["verdict"], "insufficient");
    assert_eq!(figure(&answer, "lead_time")["effect"], Value::Null);

    let both = server.json(&format!("/api/v1/compare?{WINDOWS}")).await;
    let mix = &figure(&both, "deployment_frequency")["mix"];
    assert_eq!((mix["services"].as_i64(), mix["left_out"].as_i64(), mix["reversed"].as_bool()), (Some(2), Some(0), Some(false)));
    let several = server.json(&format!("/api/v1/compare?{WINDOWS}&service=cart&service=pay")).await;
    assert_eq!(several["data"][0]["before"]["n"], 14);
}

#[tokio::test]
async fn slips_are_named() {
    let server = Server::start().await;
    for (parameters, named) in [
        ("after=2026-05-31..2026-06-30", "`before` is missing"),
        ("before=2026-05-01&after=2026-05-31..2026-06-30", "`2026-05-01` is no value for `before`"),
        ("before=2026-05-01..2026-05-31&after=2026-05-31..tomorrow", "`tomorrow` is no value for `after`"),
        ("before=2026-05-01..2026-06-01&after=2026-05-31..2026-06-30", "no value may count on both sides"),
        ("before=2026-05-01..2026-05-31&after=2026-05-31..2026-06-30&teem=a", "did you mean `team`?"),
        ("before=2026-05-01..2026-05-31&after=2026-05-31..2026-06-30&format=csv", "`csv`"),
    ] {
        let said = server.problem(&format!("/api/v1/compare?{parameters}"), 400).await;
        assert!(said.contains(named), "{said}");
    }
}
