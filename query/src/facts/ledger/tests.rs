//! Ledgers worked out by hand.

use super::*;
use crate::catalogue::CatalogueConfig;
use crate::facts::{Tenant, fact_rows};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{EventId, Row, Table, Tenant as TenantId, row_from_json};
use serde_json::{Value, json};
use std::sync::Arc;

fn ledger(rows: &[(Table, Value)]) -> BTreeMap<String, LedgerEntry> {
    let mut tenant = Tenant::new(Arc::new(CatalogueConfig::default()), Arc::new(Definitions::default()));
    for (table, json) in rows {
        let observation = row_from_json(*table, json).expect("the public schema");
        let row = Row {
            tenant: TenantId::default(),
            source: observation.source.unwrap_or_else(|| Source::new("import")),
            ingested_at: Time::default(),
            raw_event_id: EventId::default(),
            updated_at: observation.updated_at,
            cleared: observation.cleared,
            cells: observation.entity.into_cells(),
        };
        tenant.apply(*table, row);
    }
    let entries = fact_rows(&tenant.refresh(), FactTable::DeploymentLedger);
    let entries = entries.iter().map(|cells| LedgerEntry::from_cells(cells).expect("a row of the ledger"));
    entries.map(|entry| (entry.deployment_id.clone(), entry)).collect()
}

/// A success of `checkout` in `prod` at that hour of 1 June, and what else is said of it.
fn deployment(id: &str, hour: u32, more: &Value) -> (Table, Value) {
    let mut row = json!({"deployment_id": id, "service": "checkout", "environment": "prod", "outcome": "success",
        "finished_at": format!("2026-06-01T{hour:02}:00:00Z")});
    for (name, value) in more.as_object().expect("columns") {
        row[name] = value.clone();
    }
    (Table::Deployment, row)
}

fn shown(ledger: &BTreeMap<String, LedgerEntry>, id: &str) -> (Option<&'static str>, bool, Option<String>) {
    let entry = &ledger[id];
    (entry.class.map(DeploymentClass::as_str), entry.counted, entry.excluded_reason.clone())
}

#[test]
fn each_deployment_has_its_class() {
    let ledger = ledger(&[
        deployment("d1", 1, &json!({"version": "1"})),
        deployment("d2", 2, &json!({"version": "2"})),
        deployment("d3", 3, &json!({"version": "2"})),
        deployment("d4", 4, &json!({"version": "3", "outcome": "failure", "took_effect": false})),
        deployment("d5", 5, &json!({"version": "1"})),
        deployment("d6", 6, &json!({"version": "2", "config_sha": "aa"})),
        deployment("d7", 7, &json!({"version": "2", "config_sha": "bb"})),
        deployment("d8", 8, &json!({"version": "4", "kind": "hotfix"})),
        deployment("d9", 9, &json!({"version": "5"})),
        (Table::Verdict, json!({"verdict_id": "v", "deployment_id": "d9", "kind": "revert", "decided_at": "2026-06-02T00:00:00Z"})),
        deployment("d10", 10, &json!({"version": "6", "outcome": "timeout", "took_effect": true})),
        deployment("d11", 11, &json!({"version": "7", "outcome": "cancellation"})),
        deployment(
            "d12",
            12,
            &json!({"version": "8", "outcome": "in_progress", "finished_at": null, "started_at": "2026-06-01T12:00:00Z"}),
        ),
    ]);
    let not = |reason: &str| Some(reason.to_owned());
    for (id, class, excluded) in [
        ("d1", "bootstrap", None),
        ("d2", "release", None),
        ("d3", "no_op", not("no_op")),
        ("d4", "failed_before_effect", not("not_successful")),
        ("d5", "rollback", None),
        // Back to version 2, which first ran after version 1.
        ("d6", "roll_forward", None),
        ("d7", "config_only", not("config_only")),
        ("d8", "hotfix", None),
        ("d9", "revert", None),
        // It failed, but its version ran.
        ("d10", "release", not("not_successful")),
        ("d11", "failed_before_effect", not("not_successful")),
    ] {
        assert_eq!(shown(&ledger, id), (Some(class), excluded.is_none(), excluded), "{id}");
        assert!(ledger[id].reason.as_ref().is_some_and(|reason| !reason.is_empty()), "{id}");
    }
    assert_eq!(shown(&ledger, "d12"), (None, false, not("not_finished")));
    assert_eq!(ledger["d9"].reason.as_deref(), Some("said by a person"));
    assert_eq!(ledger["d4"].reason.as_deref(), Some("ended with failure before it changed what runs"));
    assert_eq!(ledger["d11"].reason.as_deref(), Some("ended with cancellation, and nothing says that it changed what runs"));
    assert_eq!(ledger.len(), 12);
}

#[test]
fn what_its_source_calls_a_release_is_one_even_if_it_is_the_first() {
    let ledger = ledger(&[deployment("d1", 1, &json!({"version": "1", "kind": "release"}))]);
    assert_eq!(shown(&ledger, "d1"), (Some("release"), true, None));
}

#[test]
fn the_first_that_took_effect_is_the_bootstrap() {
    let ledger = ledger(&[
        deployment("d1", 1, &json!({"version": "1", "outcome": "failure"})),
        deployment("d2", 2, &json!({"version": "2"})),
        deployment("d3", 3, &json!({"version": "3"})),
    ]);
    let classes: Vec<_> = ["d1", "d2", "d3"].iter().map(|id| shown(&ledger, id).0.expect("a class")).collect();
    assert_eq!(classes, ["failed_before_effect", "bootstrap", "release"]);
}

#[test]
fn one_version_over_several_environments_counts_once() {
    let to = |id, hour, environment: &str, version: &str| deployment(id, hour, &json!({"environment": environment, "version": version}));
    let ledger = ledger(&[
        to("eu1", 1, "prod-eu", "1"),
        to("staging", 1, "staging", "1"),
        to("us1", 2, "prod-us", "1"),
        to("eu2", 5, "prod-eu", "2"),
        // Three hours later: longer than the two of `fanout_window`.
        to("us2", 8, "prod-us", "2"),
    ]);
    assert_eq!(shown(&ledger, "eu1"), (Some("bootstrap"), true, None));
    assert_eq!(shown(&ledger, "us1"), (Some("fan_out_member"), false, Some("fan_out_member".to_owned())));
    assert_eq!(shown(&ledger, "staging"), (Some("bootstrap"), false, Some("not_production".to_owned())));
    assert_eq!((shown(&ledger, "eu2").0, shown(&ledger, "us2").0), (Some("release"), Some("release")));
    let group = |id: &str| ledger[id].deployment_group.clone();
    assert_eq!((group("eu1"), group("us1")), (Some("eu1".to_owned()), Some("eu1".to_owned())));
    assert_eq!((group("staging"), group("eu2"), group("us2")), (None, None, None));
    assert_eq!(ledger["us1"].reason.as_deref(), Some("the version of eu1 in prod-eu, in one more environment"));
}

#[test]
fn other_evidence_is_listed_with_what_it_tells_of() {
    let ledger = ledger(&[
        deployment("job", 1, &json!({"sha": "aa", "evidence": "job", "source": "ci"})),
        deployment("sync", 1, &json!({"sha": "aa", "evidence": "gitops_sync", "finished_at": "2026-06-01T01:04:00Z"})),
    ]);
    assert_eq!(shown(&ledger, "sync"), (Some("bootstrap"), true, None));
    assert_eq!(shown(&ledger, "job"), (Some("duplicate_evidence"), false, Some("duplicate_evidence".to_owned())));
    assert_eq!((ledger["job"].duplicate_of.as_deref(), ledger["job"].source.as_str()), (Some("sync"), "ci"));
}

#[test]
fn what_may_be_one_but_does_not_link_is_suspected() {
    let at = |id, minute: u32, evidence: &str, more: Value| {
        let mut row = json!({"finished_at": format!("2026-06-01T10:{minute:02}:00Z"), "evidence": evidence});
        for (name, value) in more.as_object().expect("columns") {
            row[name] = value.clone();
        }
        deployment(id, 10, &row)
    };
    let ledger = ledger(&[
        at("a", 0, "deployment", json!({"sha": "aa"})),
        // Fifteen minutes later, the end included; `production` is `prod`.
        at("b", 15, "gitops_sync", json!({"digest": "sha256:1", "environment": "production"})),
        // Sixteen minutes after that.
        at("c", 31, "job", json!({"sha": "cc"})),
        // The same kind of evidence: two jobs are two deployments.
        at("d", 33, "job", json!({"sha": "dd"})),
        // Of another environment.
        at("e", 34, "gitops_sync", json!({"sha": "ee", "environment": "staging"})),
        // Links to `d`, and is its second witness. `c` may be told by it too, but has a job of its own.
        at("f", 35, "event", json!({"sha": "dd"})),
    ]);
    let suspects = |id: &str| ledger[id].suspected_duplicate_of.clone().unwrap_or_default();
    assert_eq!((suspects("a"), suspects("b")), (vec!["b".to_owned()], vec!["a".to_owned()]));
    for id in ["c", "d", "e", "f"] {
        assert_eq!(suspects(id), Vec::<String>::new(), "{id}");
    }
    assert_eq!(ledger["f"].duplicate_of.as_deref(), Some("d"));
    // Suspected is not excluded.
    assert!(ledger["a"].counted && ledger["b"].counted);
}

#[test]
fn operations_without_a_deployment_are_listed() {
    let seen = |app: &str, hour: u32, more: Value| {
        let mut row = json!({"app": app, "service": "checkout", "environment": "prod", "source": "controller", "sync_status": "Synced",
            "op_phase": "Succeeded", "op_started_at": format!("2026-06-01T{hour:02}:00:00Z"), "op_finished_at": format!("2026-06-01T{hour:02}:01:00Z"),
            "observed_at": format!("2026-06-01T{hour:02}:02:00Z"), "images": ["registry/checkout:1"], "op_self_heal": false, "op_partial": false});
        for (name, value) in more.as_object().expect("columns") {
            row[name] = value.clone();
        }
        (Table::GitopsObservation, row)
    };
    let sync = json!({"evidence": "gitops_sync", "source": "controller", "version": "1"});
    let ledger = ledger(&[
        deployment("checkout-prod@2026-06-01T01:00:00Z@aa", 1, &sync),
        seen("checkout-prod", 1, json!({})),
        seen("checkout-prod", 2, json!({"op_self_heal": true, "op_partial": true})),
        seen("checkout-prod", 3, json!({"op_partial": true})),
        seen("checkout-prod", 4, json!({"op_partial": true, "hooks": ["migrate:Succeeded"]})),
        // It shows images, so it may have been a dry run.
        seen("checkout-prod", 5, json!({})),
        seen("shop-prod", 6, json!({"images": null, "service": "shop"})),
        // Seen twice, the second time when it was over.
        seen("shop-prod", 7, json!({"images": [], "service": "shop", "op_phase": "Running", "op_finished_at": null})),
        seen("shop-prod", 7, json!({"images": [], "service": "shop", "observed_at": "2026-06-01T07:30:00Z"})),
        // Still running.
        seen("shop-prod", 8, json!({"images": null, "op_phase": "Running", "op_finished_at": null})),
        // A source that makes no deployments of its operations: nothing follows from there being none.
        seen("cart-prod", 9, json!({"images": null, "source": "import"})),
    ]);
    let found: Vec<(&str, &str)> =
        ledger.values().map(|entry| (entry.deployment_id.as_str(), entry.class.map_or("", DeploymentClass::as_str))).collect();
    assert_eq!(
        found,
        [
            ("checkout-prod@2026-06-01T01:00:00Z@aa", "bootstrap"),
            ("checkout-prod@2026-06-01T02:00:00Z", "self_heal"),
            ("checkout-prod@2026-06-01T03:00:00Z", "partial_sync"),
            ("checkout-prod@2026-06-01T04:00:00Z", "hook_only_sync"),
            ("shop-prod@2026-06-01T06:00:00Z", "app_of_apps_parent"),
            ("shop-prod@2026-06-01T07:00:00Z", "app_of_apps_parent"),
        ]
    );
    let heal = &ledger["checkout-prod@2026-06-01T02:00:00Z"];
    assert_eq!((heal.service.as_deref(), heal.environment.as_deref(), heal.tier), (Some("checkout"), Some("prod"), Some(Tier::Production)));
    assert_eq!((heal.at, heal.counted), (Time::parse("2026-06-01T02:01:00Z"), false));
}
