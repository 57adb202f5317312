//! The ledger against the metrics, and the deployments that are too young to tell.

use super::world::{facts, rows};
use flowgauge_lake::model::facts::{FactTable, LedgerEntry};
use flowgauge_lake::model::{EventId, Row, Source, Table, Tenant, Time, row_from_json};
use flowgauge_oracle::World;
use flowgauge_query::facts::{Facts, fact_rows};
use flowgauge_query::question::{Display, Question};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn answer(facts: &Facts, metric: &str, parameters: &[(&str, &str)]) -> Value {
    let parameters: Vec<(String, String)> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let now = Time::parse("2100-01-01T00:00:00Z").expect("a time");
    let question = Question::parse(metric, &parameters, now, Display::default()).expect("a question");
    let answer = flowgauge_query::run(&question, facts, now).await.expect("an answer");
    serde_json::to_value(&answer.series[0].points[0]).expect("plain data")
}

/// All that ever counted is what deployment frequency counts over all time, and each candidate stands once.
#[tokio::test]
async fn the_ledger_adds_up_to_the_frequency() {
    let mut counted_in_all = 0;
    for seed in 0..20 {
        let facts = facts(rows(&World::random(seed)));
        let ledger = fact_rows(&facts, FactTable::DeploymentLedger);
        let ledger: Vec<LedgerEntry> = ledger.iter().map(|cells| LedgerEntry::from_cells(cells).expect("a row of the ledger")).collect();
        let different: BTreeSet<(&str, &str)> = ledger.iter().map(|entry| (entry.deployment_id.as_str(), entry.source.as_str())).collect();
        assert_eq!(different.len(), ledger.len(), "seed {seed}");
        for entry in &ledger {
            let id = &entry.deployment_id;
            assert_eq!(entry.counted, entry.excluded_reason.is_none(), "seed {seed}, {id}");
            assert_eq!(entry.class.is_none(), entry.excluded_reason.as_deref() == Some("not_finished"), "seed {seed}, {id}");
            assert!(entry.reason.as_ref().is_some_and(|reason| !reason.is_empty()), "seed {seed}, {id}");
        }
        let counted = ledger.iter().filter(|entry| entry.counted).count();
        let point = answer(&facts, "deployment_frequency", &[("from", "1990-01-01"), ("to", "2100-01-01")]).await;
        assert_eq!(point["numerator"].as_f64().unwrap_or(0.0), counted as f64, "seed {seed}");
        counted_in_all += counted;
    }
    assert!(counted_in_all > 100, "{counted_in_all}");
}

#[tokio::test]
async fn young_deployments_without_a_failure_are_pending() {
    let deployment = |id: &str, at: &str| json!({"deployment_id": id, "service": id, "environment": "prod", "version": id, "outcome": "success", "finished_at": at});
    let said = [
        ("deployments", deployment("old", "2026-06-08T09:00:00Z")),
        // One day and no second before the moment asked about: mature.
        ("deployments", deployment("mature", "2026-06-09T12:00:00Z")),
        ("deployments", deployment("young", "2026-06-09T12:00:01Z")),
        ("deployments", deployment("younger", "2026-06-10T11:00:00Z")),
        ("deployments", deployment("failed", "2026-06-10T09:00:00Z")),
        ("incidents", json!({"incident_id": "1", "services": ["failed"], "started_at": "2026-06-10T10:00:00Z"})),
    ];
    let rows = said.iter().map(|(table, json)| {
        let table = Table::parse(table).expect("a public table");
        let observation = row_from_json(table, json).expect("the public schema");
        let row = Row {
            tenant: Tenant::default(),
            source: Source::new("import"),
            ingested_at: Time::default(),
            raw_event_id: EventId::default(),
            updated_at: None,
            cleared: Vec::new(),
            cells: observation.entity.into_cells(),
        };
        (table, row)
    });
    let facts = facts(rows);
    let at = |as_of: &'static str| [("from", "2026-06-01"), ("to", "2026-07-01"), ("as_of", as_of)];
    let noon = answer(&facts, "change_fail_rate", &at("2026-06-10T12:00:00Z")).await;
    assert_eq!((noon["n"].as_i64(), noon["numerator"].as_f64(), &noon["detail"]), (Some(5), Some(1.0), &json!({"pending": 2.0})));
    let later = answer(&facts, "change_fail_rate", &at("2026-06-12T12:00:00Z")).await;
    assert_eq!((later["numerator"].as_f64(), &later["detail"]), (Some(1.0), &json!({"pending": 0.0})));
}
