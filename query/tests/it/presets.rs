//! Facts under presets: derived beside the configured ones from the same entities, kept up to date, forgotten when others are asked for;
//! and what `diff` says of two definitions.

use super::world::{facts, micros, question, rows};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{EventId, Row, Source, Table, Tenant, Time, row_from_json};
use flowgauge_lake::{AppliedEvent, Feed, FeedBatch};
use flowgauge_oracle::{Question as Asked, World};
use flowgauge_query::catalogue::CatalogueConfig;
use flowgauge_query::definitions::{AttributionScope, Definitions, presets};
use flowgauge_query::diff::{Side, diff};
use flowgauge_query::explain::{Page, PointId};
use flowgauge_query::facts::{Sets, Tenant as TenantFacts, fact_rows};
use flowgauge_query::question::{Display, Question};
use flowgauge_query::{Engine, Rules};
use serde_json::{Value, json};
use std::sync::Arc;

fn feed(engine: &Engine, rows: Vec<(Table, Row)>) {
    let event = AppliedEvent {
        tenant: Tenant::default(),
        source: Source::new("import"),
        kind: "import".to_owned(),
        event_id: EventId::default(),
        received_at: Time::from_seconds(0),
        event: String::new(),
        problem: None,
        unknown: false,
        rows,
    };
    engine.apply(FeedBatch { events: vec![event], live: false });
    engine.refresh();
}

fn row(table: &str, json: Value) -> (Table, Row) {
    let table = Table::parse(table).expect("a public table");
    let observation = row_from_json(table, &json).expect("the public schema");
    let row = Row {
        tenant: Tenant::default(),
        source: Source::new("import"),
        ingested_at: Time::from_seconds(0),
        raw_event_id: EventId::default(),
        updated_at: observation.updated_at,
        cleared: observation.cleared,
        cells: observation.entity.into_cells(),
    };
    (table, row)
}

fn deployment(id: &str, day: u32) -> (Table, Row) {
    let finished_at = format!("2026-06-{day:02}T08:00:00Z");
    let json = json!({"deployment_id": id, "service": "cart", "environment": "production", "version": id, "finished_at": finished_at, "outcome": "success"});
    row("deployments", json)
}

/// An incident of `service`, a day after that day's deployment.
fn incident(id: &str, service: &str, day: u32) -> (Table, Row) {
    let (at, over) = (format!("2026-06-{:02}T08:00:00Z", day + 1), format!("2026-06-{:02}T10:00:00Z", day + 1));
    row("incidents", json!({"incident_id": id, "services": [service], "created_at": at, "resolved_at": over}))
}

fn ask(metric: &str, preset: &str) -> Question {
    let pairs = [("from", "2026-06-01"), ("to", "2026-06-29"), ("preset", preset)];
    let pairs: Vec<(String, String)> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Question::parse(metric, &pairs, now(), Display::default()).expect("a question")
}

fn now() -> Time {
    Time::parse("2026-07-01T00:00:00Z").expect("a time")
}

/// What is derived beside the configured facts, in pieces, equals what is derived alone, at once.
#[test]
fn facts_beside_equal_facts_alone() {
    for seed in 0..6 {
        let rows = rows(&World::random(seed));
        let mut sets = Sets::new(Arc::new(CatalogueConfig::default()), Arc::new(Definitions::default()));
        let asked: Vec<_> = ["devlake_2023", "fourkeys", "gitlab"].map(|name| (name, presets::definitions(name).expect("a preset"))).into();
        for (i, (table, row)) in rows.iter().enumerate() {
            sets.apply(*table, row.clone());
            if i % 97 == 0 {
                sets.refresh();
                let (name, definitions) = &asked[i / 97 % 3];
                sets.under(name, definitions);
            }
        }
        let own = sets.refresh();
        let equal = |kept: &flowgauge_query::facts::Facts, alone: &flowgauge_query::facts::Facts, name: &str| {
            for &table in FactTable::ALL {
                assert_eq!(fact_rows(kept, table), fact_rows(alone, table), "seed {seed}, {name}, {}", table.name());
            }
        };
        equal(&own, &facts(rows.clone()), "flowgauge");
        for (name, definitions) in &asked {
            let mut alone = TenantFacts::new(Arc::new(CatalogueConfig::default()), definitions.clone());
            rows.iter().for_each(|(table, row)| alone.apply(*table, row.clone()));
            equal(&sets.under(name, definitions), &alone.refresh(), name);
        }
    }
}

/// Whatever a preset says, its answers are sane: no share without a whole, no negative time, the same every time.
#[tokio::test]
async fn every_preset_answers_every_question() {
    let world = World::random(3);
    let engine = Engine::new(Rules::default());
    feed(&engine, rows(&world));
    let mut with_value = 0;
    for preset in presets::names() {
        for asked in Asked::random(3, &world) {
            let question = Question { preset: presets::find(preset), ..question(&asked) };
            let answer = engine.ask(&Tenant::default(), &question, micros(asked.as_of)).await.expect("an answer");
            assert_eq!(answer.preset, preset);
            // A share of failures above one takes the score below its scale.
            if answer.metric == "dora_score" {
                continue;
            }
            for point in answer.series.iter().flat_map(|series| &series.points) {
                assert!(point.value.is_none_or(|value| value.is_finite() && value >= 0.0), "{preset}, {}: {point:?}", answer.metric);
                with_value += usize::from(point.value.is_some());
            }
        }
    }
    assert!(with_value > 100, "{with_value} values");
}

#[tokio::test]
async fn a_preset_is_kept_fresh_and_explains_itself() {
    let engine = Engine::new(Rules::default());
    let tenant = Tenant::default();
    feed(&engine, vec![deployment("1", 1), deployment("2", 2)]);
    let value = async |metric: &str, preset: &str| {
        let answer = engine.ask(&tenant, &ask(metric, preset), now()).await.expect("an answer");
        answer.series[0].points[0].clone()
    };
    // Two days of the first of four weeks: the lower one of 0, 0, 0, 2.
    assert_eq!(value("deployment_frequency", "devlake_2023").await.value, Some(0.0));
    feed(&engine, vec![deployment("3", 9), deployment("4", 16), incident("i", "cart", 16)]);
    assert_eq!(value("deployment_frequency", "devlake_2023").await.value, Some(1.0 / 7.0));
    // One of four deployments has an incident.
    let point = value("change_fail_rate", "devlake_2023").await;
    assert_eq!(point.value, Some(0.25));
    let id = PointId::parse(point.explain.as_deref().and_then(|address| address.rsplit('/').next()).expect("an id")).expect("an id");
    let found = engine.explain(&tenant, &id, Page { offset: 0, limit: 100 }, now()).await.expect("an explanation");
    assert_eq!((found.point.value, found.is_same, found.definition.preset.as_str()), (Some(0.25), true, "devlake_2023"));
    assert_eq!(found.definition.hash, presets::definitions("devlake_2023").expect("a preset").hash());
    // The rules that the statement read stand with the rows that it read.
    assert_eq!(found.buckets[0]["cfr_num"], "deployments");
    // More than are kept, and the first again.
    for preset in presets::names().chain(["devlake_2023"]) {
        assert_eq!(value("deployment_frequency", preset).await.n, 4, "{preset}");
    }
    feed(&engine, vec![deployment("5", 23)]);
    for preset in presets::names() {
        assert_eq!(value("deployment_frequency", preset).await.n, 5, "{preset}");
    }
}

#[tokio::test]
async fn the_configured_preset_is_meant_with_its_overrides() {
    let definitions = Definitions { attribution_max_lag: Some(3600), ..Definitions::default() };
    let engine = Engine::new(Rules { definitions: Arc::new(definitions.clone()), ..Rules::default() });
    let tenant = Tenant::default();
    feed(&engine, vec![deployment("1", 1), incident("i", "cart", 1)]);
    let answer = engine.ask(&tenant, &ask("change_fail_rate", "flowgauge"), now()).await.expect("an answer");
    assert_eq!((answer.definition.clone(), answer.series[0].points[0].value), (definitions.hash(), Some(0.0)));
    let configured = Definitions { preset: "gitlab".to_owned(), ..definitions };
    engine.reconfigure(Rules { definitions: Arc::new(configured), ..Rules::default() });
    let answer = engine.ask(&tenant, &ask("change_fail_rate", "flowgauge"), now()).await.expect("an answer");
    assert_eq!((answer.definition.clone(), answer.series[0].points[0].value), (Definitions::default().hash(), Some(1.0)));
}

#[tokio::test]
async fn a_difference_names_the_rows_that_moved() {
    let engine = Engine::new(Rules::default());
    let tenant = Tenant::default();
    // The second incident names a service that was never deployed: by service it belongs to none, by team to the last of cart.
    feed(&engine, vec![deployment("1", 1), deployment("2", 9), incident("i1", "cart", 1), incident("i2", "docs", 9)]);
    let new = Definitions { attribution_scope: AttributionScope::Team, ..Definitions::default() };
    let side = |facts| Side {
        facts,
        display: Display::default(),
        from: Time::parse("2026-06-01T00:00:00Z").expect("a time"),
        to: Time::parse("2026-06-29T00:00:00Z").expect("a time"),
        as_of: now(),
    };
    let (old, new) =
        (side(engine.facts(&tenant)), side(engine.facts_once(&tenant, &Rules { definitions: Arc::new(new), ..Rules::default() })));
    let found = diff(&old, &new, 20).await.expect("a difference");
    assert_eq!(found.switches.keys().collect::<Vec<_>>(), ["attribution_scope"]);
    let of = |id: &str| found.metrics.iter().find(|metric| metric.metric == id).expect("every metric is there");
    let rate = of("change_fail_rate");
    let value = |answered: &Option<flowgauge_query::diff::Answered>| answered.as_ref().and_then(|answered| answered.value);
    assert_eq!((value(&rate.answers.old), value(&rate.answers.new), rate.is_changed), (Some(0.5), Some(1.0), true));
    // The incident is attributed now, and there is a failure of the deployment by it.
    assert_eq!(rate.moved, 2);
    let how: Vec<_> = rate.rows.iter().map(|row| (row.how, row.about[0].table, row.about[0].key[0].as_str())).collect();
    assert_eq!(how, [("came", "deployments", "2"), ("changed", "incidents", "i2")]);
    let reason = |rows: &[serde_json::Map<String, Value>]| rows[0]["reason"].clone();
    assert_eq!((reason(&rate.rows[1].rows.old), reason(&rate.rows[1].rows.new)), (json!("unattributed"), json!("attributed")));
    let frequency = of("deployment_frequency");
    assert!(!frequency.is_changed && frequency.moved == 0);
    // A listing may be cut; its count is not.
    let cut = diff(&old, &new, 1).await.expect("a difference");
    let rate = cut.metrics.iter().find(|metric| metric.metric == "change_fail_rate").expect("it is there");
    assert_eq!((rate.moved, rate.rows.len()), (2, 1));
    assert!(diff(&old, &old, 20).await.expect("none").metrics.iter().all(|metric| !metric.is_changed && metric.moved == 0));
}
