//! Order and repetition of arrival never matter.

use crate::support::{at, event, open};
use flowgauge_lake::LakeOptions;
use flowgauge_lake::model::{Observation, RawEvent, Row, Source, Table, Tenant, Time, fold, row_from_json};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Events about two runs and a deployment, as a provider might send them: partly, late, again, taken back.
fn events() -> Vec<RawEvent> {
    let run = |delivery: &str, run: &str, more: Value| {
        let mut row = json!({"pipeline": "build", "run_id": run, "attempt": 1});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event(delivery, at(0), json!([["pipeline_runs", row]]))
    };
    let deployment = |delivery: &str, more: Value| {
        let mut row = json!({"deployment_id": "7", "service": "checkout", "environment": "prod"});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event(delivery, at(1), json!([["deployments", row]]))
    };
    vec![
        run("a", "1", json!({"result": "queued", "created_at": at(0).to_string()})),
        run("b", "1", json!({"result": "in_progress", "started_at": at(1).to_string(), "branch": "main"})),
        run("c", "1", json!({"result": "success", "finished_at": at(9).to_string()})),
        run("d", "1", json!({"result": "failure", "finished_at": at(8).to_string()})),
        run("e", "2", json!({"result": "in_progress", "updated_at": at(5).to_string()})),
        run("f", "2", json!({"result": "queued", "updated_at": at(6).to_string()})),
        deployment("g", json!({"outcome": "success", "finished_at": at(30).to_string()})),
        deployment("h", json!({"outcome": "success", "finished_at": at(20).to_string(), "sha": "abc"})),
        deployment("i", json!({"cleared": ["sha"], "updated_at": at(40).to_string()})),
    ]
}

/// Twice each, the receive times as they come.
fn twice_in_order(order: &[usize]) -> Vec<RawEvent> {
    let events = events();
    order.iter().enumerate().map(|(i, &n)| RawEvent { received_at: at(100 + i as i64), ..events[n % events.len()].clone() }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_twice_in_any_order_gives_the_same() {
    let count = events().len();
    let orders: [Vec<usize>; 3] =
        [(0..2 * count).collect(), (0..2 * count).rev().collect(), (0..2 * count).map(|i| i * 7 % (2 * count)).collect()];
    let mut results = Vec::new();
    for order in orders {
        let folder = tempfile::tempdir().unwrap();
        let (lake, memory) = open(LakeOptions::new(folder.path())).await;
        let mut duplicates = 0;
        for (i, sent) in twice_in_order(&order).into_iter().enumerate() {
            duplicates += usize::from(lake.append(vec![sent]).await.unwrap()[0].duplicate);
            if i == count / 2 {
                lake.applied().await;
                lake.flush().await.unwrap();
            }
        }
        assert_eq!(duplicates, count);
        lake.applied().await;
        let live = memory.folded();
        lake.close().await.unwrap();
        let (_lake, memory) = open(LakeOptions::new(folder.path())).await;
        assert_eq!(memory.folded(), live);
        results.push(live);
    }
    assert_eq!(results[0].len(), 3);
    assert!(results.iter().all(|result| *result == results[0]));
}

fn observation() -> impl Strategy<Value = Row> {
    let moment = || proptest::option::of(0..4_i64);
    let result = prop::sample::select(vec![None, Some("queued"), Some("in_progress"), Some("success"), Some("failure")]);
    (result, moment(), moment(), moment(), any::<bool>(), 0..3_i64).prop_map(|(result, finished, started, updated, clears, received)| {
        let time = |minutes: Option<i64>| minutes.map(|minutes| at(minutes).to_string());
        let row = json!({
            "deployment_id": "1", "service": "s", "environment": "prod", "outcome": result, "finished_at": time(finished),
            "started_at": time(started), "updated_at": time(updated), "cleared": if clears { vec!["started_at"] } else { vec![] },
        });
        let Observation { entity, updated_at, cleared, .. } = row_from_json(Table::Deployment, &row).unwrap();
        Row {
            tenant: Tenant::default(),
            source: Source::new("a"),
            ingested_at: Time::from_seconds(received),
            raw_event_id: flowgauge_lake::model::EventId::from_bytes([received as u8; 16]),
            updated_at,
            cleared,
            cells: entity.into_cells(),
        }
    })
}

proptest! {
    #[test]
    fn a_fold_knows_no_order_and_no_repetition(
        (rows, shuffled) in prop::collection::vec(observation(), 1..7).prop_flat_map(|rows| {
            let twice: Vec<Row> = rows.iter().chain(&rows).cloned().collect();
            (Just(rows), Just(twice).prop_shuffle())
        })
    ) {
        let spec = Table::Deployment.spec();
        prop_assert_eq!(fold(spec, &rows), fold(spec, &shuffled));
    }
}
