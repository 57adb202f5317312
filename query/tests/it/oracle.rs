//! The product against the oracle on random worlds. The oracle shares no code with the product (a test reads its manifest).

use super::world::{facts, micros, question, rows};
use flowgauge_lake::model::{EventId, Row, Source, Table, Tenant as TenantId, Time, row_from_json};
use flowgauge_oracle::{Question as Asked, World, answer};
use flowgauge_query::catalogue::CatalogueConfig;
use flowgauge_query::definitions::Definitions;
use flowgauge_query::facts::Tenant;
use serde_json::Value;
use std::sync::Arc;

/// Where two answers differ, or `None`. Numbers may differ in the last digits.
fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            let close = (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1e-3);
            (!close).then(|| format!("{path}: {a} against {b}"))
        }
        (Value::String(a), Value::String(b)) if a != b => match (Time::parse(a), Time::parse(b)) {
            (Some(x), Some(y)) if x == y => None,
            _ => Some(format!("{path}: `{a}` against `{b}`")),
        },
        // A bound that only draws tell: the oracle says between which values it lies.
        (Value::Number(found), Value::Object(bounds)) if bounds.contains_key("between") => {
            let found = found.as_f64().unwrap_or(f64::NAN);
            let bounds: Vec<f64> = bounds["between"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            (found < bounds[0] - 1e-6 || found > bounds[1] + 1e-6).then(|| format!("{path}: {found} is not in {bounds:?}"))
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return Some(format!("{path}: {} against {} items", a.len(), b.len()));
            }
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| difference(&format!("{path}[{i}]"), a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            names.into_iter().find_map(|name| match (a.get(name), b.get(name)) {
                (Some(a), Some(b)) => difference(&format!("{path}.{name}"), a, b),
                (found, _) => Some(format!("{path}.{name}: only {} has it", if found.is_some() { "the product" } else { "the oracle" })),
            })
        }
        (a, b) => (a != b).then(|| format!("{path}: {a} against {b}")),
    }
}

/// The first point that differs, as both have it.
fn differing_point(ours: &Value, theirs: &Value) -> String {
    let points = |answer: &Value| -> Vec<Value> {
        let series = answer.as_array().into_iter().flatten();
        series
            .flat_map(|series| series["points"].as_array().into_iter().flatten().map(|point| serde_json::json!([series["labels"], point])))
            .collect()
    };
    let pairs = points(ours).into_iter().zip(points(theirs));
    let first = pairs.into_iter().find(|(a, b)| difference("", a, b).is_some());
    first.map_or_else(String::new, |(a, b)| format!("  product {a}\n  oracle  {b}"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
fn the_oracle_agrees_on_random_worlds() {
    let worlds: u64 = std::env::var("FLOWGAUGE_ORACLE_WORLDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (mut questions, mut differences) = (0, Vec::new());
    for seed in 0..worlds {
        let world = World::random(seed);
        let facts = facts(rows(&world));
        for asked in Asked::random(seed, &world) {
            questions += 1;
            let question = question(&asked);
            let found = runtime.block_on(flowgauge_query::run(&question, &facts, micros(asked.as_of))).expect("an answer");
            let mut ours = serde_json::to_value(&found.series).expect("plain data");
            for series in ours.as_array_mut().into_iter().flatten() {
                for point in series["points"].as_array_mut().into_iter().flatten() {
                    let point = point.as_object_mut().expect("a point");
                    ["detail", "explain"].iter().for_each(|name| drop(point.remove(*name)));
                }
            }
            let theirs = answer(&world, &asked);
            if let Some(difference) = difference("", &ours, &theirs) {
                let window = format!("{} .. {} as of {} {:?} {}", asked.from, asked.to, asked.as_of, asked.bucket, asked.tz);
                let points = differing_point(&ours, &theirs);
                differences.push(format!(
                    "seed {seed}, {} by {:?} {:?} {window}\n  {difference}\n{points}",
                    asked.metric, asked.by, asked.filters
                ));
            }
        }
    }
    println!("{worlds} worlds, {questions} questions, {} differences", differences.len());
    assert!(differences.is_empty(), "{} of {questions}:\n{}", differences.len(), differences[..differences.len().min(25)].join("\n"));
}

#[test]
fn order_and_repetition_never_matter() {
    for seed in 0..10 {
        let rows = rows(&World::random(seed));
        let straight = facts(rows.clone());
        let mut shuffled: Vec<_> = rows.iter().chain(&rows).cloned().collect();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        // In pieces, as they would come in: what is kept up to date must equal what is built anew.
        let mut tenant = Tenant::new(Arc::new(CatalogueConfig::default()), Arc::new(Definitions::default()));
        for (i, (table, row)) in shuffled.into_iter().enumerate() {
            tenant.apply(table, row);
            if i % 97 == 0 {
                tenant.refresh();
            }
        }
        let pieces = tenant.refresh();
        for &table in flowgauge_lake::model::facts::FactTable::ALL {
            let (a, b) = (flowgauge_query::facts::fact_rows(&straight, table), flowgauge_query::facts::fact_rows(&pieces, table));
            assert_eq!(a, b, "seed {seed}, {}", table.name());
        }
    }
}

/// What a row said first and another takes back must leave no trace: not in the catalogue, not among the runs of a repository.
#[test]
fn what_is_said_otherwise_later_leaves_no_trace() {
    let said = |table: &str, json: Value| {
        let table = Table::parse(table).expect("a public table");
        let observation = row_from_json(table, &json).expect("the public schema");
        let cells = observation.entity.into_cells();
        let (source, updated_at) = (Source::new("import"), observation.updated_at);
        let row = Row {
            tenant: TenantId::default(),
            source,
            ingested_at: Time::default(),
            raw_event_id: EventId::default(),
            updated_at,
            cleared: observation.cleared,
            cells,
        };
        (table, row)
    };
    let rows = [
        said(
            "deployments",
            serde_json::json!({"deployment_id": "1", "service": "cart", "environment": "prod", "repo": "h/alpha/cart",
            "updated_at": "2026-01-01T00:00:00Z"}),
        ),
        said(
            "deployments",
            serde_json::json!({"deployment_id": "1", "service": "cart", "environment": "prod", "repo": "h/beta/cart",
            "updated_at": "2026-01-02T00:00:00Z", "outcome": "success", "finished_at": "2026-01-02T00:00:00Z"}),
        ),
        said("pipeline_runs", serde_json::json!({"pipeline": "ci", "run_id": "7", "created_at": "2026-01-01T00:00:00Z"})),
        said(
            "pipeline_runs",
            serde_json::json!({"pipeline": "ci", "run_id": "7", "repo": "h/beta/cart", "result": "success",
            "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:10:00Z"}),
        ),
    ];
    let rebuilt = facts(rows.iter().rev().cloned());
    let mut tenant = Tenant::new(Arc::new(CatalogueConfig::default()), Arc::new(Definitions::default()));
    let mut kept = tenant.refresh();
    for (table, row) in rows {
        tenant.apply(table, row);
        kept = tenant.refresh();
    }
    assert_eq!(kept.catalogue.team("cart"), Some("beta"));
    for &table in flowgauge_lake::model::facts::FactTable::ALL {
        let (a, b) = (flowgauge_query::facts::fact_rows(&kept, table), flowgauge_query::facts::fact_rows(&rebuilt, table));
        assert_eq!(a, b, "{}", table.name());
    }
    assert_eq!(flowgauge_query::facts::fact_rows(&kept, flowgauge_lake::model::facts::FactTable::Pipelines).len(), 1);
}

#[test]
fn the_oracle_stands_on_its_own() {
    let manifest = include_str!("../../../tests/oracle/Cargo.toml");
    for forbidden in ["flowgauge-", "datafusion", "arrow", "deltalake", "parquet"] {
        let depends = manifest.lines().skip_while(|line| *line != "[dependencies]").any(|line| line.starts_with(forbidden));
        assert!(!depends, "the oracle must not depend on {forbidden}");
    }
}
