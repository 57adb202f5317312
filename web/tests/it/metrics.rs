//! The exposition: the same figures as the API, two forms of the same series, nothing where there is nothing.

use crate::support::{Server, Shop};
use flowgauge_lake::model::Time;
use flowgauge_web::exposition;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Samples by name and labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let sample = |line: &str| line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.parse().expect("a number")));
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

async fn scraped(server: &Server, accept: &str) -> String {
    let reply = server.get_as("/metrics", accept).await;
    assert_eq!(reply.status.as_u16(), 200);
    reply.text().to_owned()
}

#[tokio::test]
async fn the_figures_are_those_of_the_api() {
    let (server, _) = Server::with_shop().await;
    exposition::refresh(&server.app).await;
    let samples = samples(&scraped(&server, "*/*").await);
    let end = Time::from_micros((samples["dora_snapshot_timestamp_seconds"] * 1e6).round() as i64);
    let place = "environment=\"prod\",service=\"checkout\",team=\"payments\"";
    for (window, days) in [("7d", 7), ("30d", 30), ("90d", 90)] {
        let question = format!("by=team,service,environment&from={}&to={end}&as_of={end}", end.plus_seconds(-days * 86_400));
        for (id, name, stat) in [
            ("deployment_frequency", "dora_deployments_per_day", ""),
            ("lead_time", "dora_lead_time_quantile_seconds", ",stat=\"p50\""),
            ("change_fail_rate", "dora_change_failure_ratio", ""),
            ("rework_rate", "dora_rework_rate_ratio", ""),
            ("deployment_success_rate", "dora_deployment_success_rate_ratio", ""),
            ("drift_ratio", "dora_drift_ratio_ratio", ""),
            ("recovery_time", "dora_recovery_time_quantile_seconds", ",stat=\"p50\""),
        ] {
            let answer = server.json(&format!("/api/v1/metrics/{id}?{question}")).await;
            let point = &answer["series"][0]["points"][0];
            let series = format!("{name}{{{place},window=\"{window}\"{stat}}}");
            assert_eq!(samples.get(&series).copied(), point["value"].as_f64(), "{series}");
            if answer["unit"] == "1" {
                let part = format!("{name}_numerator{{{place},window=\"{window}\"}}");
                assert_eq!(samples.get(&part).copied(), point["numerator"].as_f64().filter(|_| point["value"].is_f64()), "{part}");
            }
        }
    }
    assert_eq!(samples[&format!("dora_window_deployments{{{place},window=\"30d\"}}")], 14.0);
    assert_eq!(samples["dora_deployments_total{service=\"checkout\",team=\"payments\",environment=\"prod\",outcome=\"success\"}"], 19.0);
    assert_eq!(samples["dora_lead_time_seconds_bucket{service=\"checkout\",environment=\"prod\",le=\"14400\"}"], 0.0);
    assert_eq!(samples["dora_lead_time_seconds_bucket{service=\"checkout\",environment=\"prod\",le=\"86400\"}"], 18.0);
    assert_eq!(samples["dora_lead_time_seconds_count{service=\"checkout\",environment=\"prod\"}"], 18.0);
    assert_eq!(samples["dora_gitops_out_of_sync{application=\"checkout-prod\",environment=\"prod\"}"], 1.0);
    assert!(samples["dora_drift_seconds_total{application=\"checkout-prod\",environment=\"prod\"}"] >= 15.0 * 3600.0);
    assert!(samples.contains_key("dora_pipeline_duration_seconds{service=\"checkout\",team=\"payments\",window=\"90d\",stat=\"p95\"}"));
    assert!(samples.contains_key("dora_mttr_seconds{service=\"checkout\",team=\"payments\",window=\"90d\",stat=\"p50\"}"));
    assert_eq!(samples["dora_collector_up{collector=\"import\",kind=\"flowgauge\"}"], 1.0);
    assert!(samples["dora_last_event_timestamp_seconds{collector=\"import\",kind=\"flowgauge\"}"] > 1.7e9);
    assert_eq!(samples["dora_series_dropped_total"], 0.0);
    // Nobody deploys the cart: there is nothing to say of it.
    assert!(!samples.keys().any(|series| series.contains("cart")));
}

#[tokio::test]
async fn both_forms_hold_the_same_series() {
    let (server, shop) = Server::with_shop().await;
    let odd =
        json!({"deployment_id": "odd", "service": "a\\b\"c\nd", "environment": "prod", "outcome": "success", "finished_at": shop.ago(10)});
    server.rows("deployments", &[odd]).await;
    exposition::refresh(&server.app).await;
    let plain = server.get("/metrics").await;
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let open = server.get_as("/metrics", accept).await;
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.text().ends_with("\n# EOF\n") && open.text().contains("# TYPE dora_deployments counter\n"));
    assert!(plain.text().contains("# TYPE dora_deployments_total counter\n"));
    assert!(plain.text().contains("service=\"a\\\\b\\\"c\\nd\""));
    // Only how bounds are written differs.
    let series = |text: &str| -> BTreeMap<String, f64> {
        let all = samples(text).into_iter().filter(|(name, _)| name.starts_with("dora_"));
        all.map(|(name, value)| (name.replace(".0\"}", "\"}"), value)).collect()
    };
    assert_eq!(series(plain.text()), series(open.text()));
    for line in plain.text().lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        assert!(line.split_once(' ').is_some_and(|(_, help)| help.len() > 10), "{line}");
    }
    assert!(!plain.text().contains("NaN"));
}

#[tokio::test]
async fn without_data_there_are_no_figures() {
    let server = Server::start().await;
    exposition::refresh(&server.app).await;
    let names: Vec<String> = samples(&scraped(&server, "*/*").await).into_keys().filter(|name| name.starts_with("dora_")).collect();
    let own = ["dora_build_info", "dora_scrape_duration_seconds", "dora_series_dropped_total", "dora_snapshot_timestamp_seconds"];
    assert_eq!(names.iter().map(|name| name.split('{').next().unwrap()).collect::<Vec<_>>(), own);
}

#[tokio::test]
async fn news_show_soon() {
    let server = Server::start().await;
    let task = tokio::spawn(exposition::keep_fresh(server.app.clone()));
    let shop = Shop::at(server.app.now());
    let deployment =
        json!({"deployment_id": "d", "service": "cart", "environment": "prod", "outcome": "failure", "finished_at": shop.ago(1)});
    server.rows("deployments", &[deployment]).await;
    let shown = async {
        while !scraped(&server, "*/*").await.contains("outcome=\"failure\"") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), shown).await.expect("the deployment shows");
    task.abort();
}

#[tokio::test]
async fn a_counter_never_falls() {
    let (server, shop) = Server::with_shop().await;
    // Two tellings, until it turns out that they are of one commit: then they are one deployment.
    let telling = |id: &str, evidence: &str, sha: Option<&str>| json!({"deployment_id": id, "service": "cart", "environment": "prod", "outcome": "success", "finished_at": shop.ago(20), "evidence": evidence, "sha": sha});
    server.rows("deployments", &[telling("a", "deployment", Some("abc1234")), telling("b", "job", None)]).await;
    let total = "dora_deployments_total{service=\"cart\",team=\"payments\",environment=\"prod\",outcome=\"success\"}";
    exposition::refresh(&server.app).await;
    let before = samples(&scraped(&server, "*/*").await)[total];
    server.rows("deployments", &[telling("b", "job", Some("abc1234"))]).await;
    exposition::refresh(&server.app).await;
    let facts = server.json("/api/v1/deployments?service=cart").await["data"].as_array().unwrap().len();
    assert_eq!((before, facts, samples(&scraped(&server, "*/*").await)[total]), (2.0, 1, 2.0));
}
