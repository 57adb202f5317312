//! Journal and tables as one: whoever reads sees each event once, whatever is moved meanwhile.

use crate::support::{at, open, run};
use arrow::array::AsArray;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Cell, RawEvent, Tenant};
use flowgauge_lake::{FlushReport, Lake, LakeError, LakeOptions, RawScan};
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::time::Duration;

async fn deliveries(lake: &Lake, scan: RawScan) -> Vec<String> {
    let batches: Vec<_> = lake.raw_batches(&Tenant::default(), scan).await.unwrap().try_collect().await.unwrap();
    let mut all: Vec<String> = batches
        .iter()
        .flat_map(|batch| batch["delivery_id"].as_string::<i32>().iter().map(|delivery| delivery.unwrap().to_owned()).collect::<Vec<_>>())
        .collect();
    all.sort();
    all
}

fn expected(count: i64) -> Vec<String> {
    let mut all: Vec<String> = (0..count).map(|number| format!("delivery {number}")).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_each_event_once_while_it_moves() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, memory) = open(LakeOptions::new(folder.path())).await;
    let mut count = 0;
    for _ in 0..12 {
        lake.append((count..count + 20).map(run).collect()).await.unwrap();
        count += 20;
        lake.applied().await;
        let flush = tokio::spawn({
            let lake = lake.clone();
            async move { (lake.flush().await, lake.compact().await) }
        });
        while !flush.is_finished() {
            assert_eq!(deliveries(&lake, RawScan::default()).await, expected(count));
            let event = run(count - 7);
            assert_eq!(lake.raw_event(&Tenant::default(), event.event_id).await.unwrap(), Some(event));
        }
        let (flushed, compacted) = flush.await.unwrap();
        assert_eq!(flushed.unwrap(), FlushReport { events: 20, rows: 40 });
        compacted.unwrap();
    }
    assert_eq!(memory.count(), 2 * count as usize);
    assert_eq!(lake.flush().await.unwrap(), FlushReport::default());
    let columns = Some(vec!["body".to_owned(), "delivery_id".to_owned()]);
    assert_eq!(deliveries(&lake, RawScan { columns, ..RawScan::default() }).await, expected(count));
    let later = RawScan { from: Some(at(24 * 60)), ..RawScan::default() };
    assert!(deliveries(&lake, later).await.is_empty());
    let columns = Some(vec!["bodi".to_owned()]);
    assert!(matches!(lake.raw_batches(&Tenant::default(), RawScan { columns, ..RawScan::default() }).await, Err(LakeError::Table { .. })));
    let others: Vec<_> = lake.raw_batches(&Tenant::new("other"), RawScan::default()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(others.iter().map(|batch| batch.num_rows()).sum::<usize>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_import_is_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, memory) = open(LakeOptions::new(folder.path())).await;
    let receipts = lake.append((0..3000).map(run).collect()).await.unwrap();
    assert!(receipts.iter().all(|receipt| !receipt.duplicate));
    let again = lake.append((0..3000).map(run).collect()).await.unwrap();
    assert!(again.iter().all(|receipt| receipt.duplicate));
    lake.applied().await;
    assert_eq!(memory.count(), 6000);
    assert!(memory.events().iter().all(|(_, live)| *live));
    lake.close().await.unwrap();
    let (lake, memory) = open(LakeOptions::new(folder.path())).await;
    assert_eq!(memory.count(), 6000);
    assert_eq!(lake.source_stats(&Tenant::default())[0].count, 3000);
    assert!(memory.events().is_empty(), "all of it is in the tables");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_is_flushed_by_its_size_and_by_its_age() {
    let by_size = |options| LakeOptions { flush_bytes: 1, ..options };
    let by_age = |options| LakeOptions { flush_every: Duration::from_millis(1), ..options };
    for change in [&by_size as &dyn Fn(LakeOptions) -> LakeOptions, &by_age] {
        let folder = tempfile::tempdir().unwrap();
        let (lake, _) = open(change(LakeOptions::new(folder.path()))).await;
        for number in 1..=5 {
            lake.append(vec![run(number)]).await.unwrap();
        }
        // With a tail that is full at once, each event waits for the flush of the one before it.
        lake.applied().await;
        let log = folder.path().join("tables/jobs/_delta_log/00000000000000000001.json");
        // Ends by the test's own time limit if it never happens.
        while !log.exists() {
            tokio::task::yield_now().await;
        }
        assert_eq!(deliveries(&lake, RawScan::default()).await, (1..=5).map(|n| format!("delivery {n}")).collect::<Vec<_>>());
        lake.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_lake_is_free_and_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = open(LakeOptions::new(folder.path())).await;
    let clone = lake.clone();
    lake.append(vec![run(1)]).await.unwrap();
    lake.close().await.unwrap();
    assert!(matches!(clone.append(vec![run(2)]).await, Err(LakeError::Unavailable(_))));
    assert_eq!(deliveries(&clone, RawScan::default()).await, ["delivery 1"]);
    drop(clone);
    let (lake, memory) = open(LakeOptions::new(folder.path())).await;
    assert_eq!(memory.count(), 2);
    assert_eq!(lake.path(), folder.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_panics_costs_its_event_only() {
    struct Panics;
    impl flowgauge_lake::Normalise for Panics {
        fn normalise(&self, raw: &RawEvent) -> flowgauge_lake::Normalised {
            assert_ne!(raw.delivery_id.as_deref(), Some("delivery 1"));
            crate::support::Reader.normalise(raw)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = std::sync::Arc::new(crate::support::Memory::default());
    let lake = Lake::open(LakeOptions::new(folder.path()), std::sync::Arc::new(Panics), memory.clone()).await.unwrap();
    lake.append((0..3).map(run).collect()).await.unwrap();
    lake.applied().await;
    assert_eq!(memory.count(), 4);
    assert_eq!(lake.source_stats(&Tenant::default()).iter().map(|stats| stats.problems).sum::<u64>(), 1);
    assert_eq!(lake.raw_event(&Tenant::default(), run(1).event_id).await.unwrap(), Some(run(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_are_written_by_month() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = open(LakeOptions::new(folder.path())).await;
    let table = FactTable::DeploymentFailures;
    let fact = |id: &str| {
        let mut cells = vec![Cell::Null; table.spec().columns.len()];
        for i in [0, 1, 2, 3, 4] {
            cells[i] = Cell::Text(id.into());
        }
        cells[5] = Cell::Time(at(0));
        cells
    };
    let ids = async |tenant: &Tenant| {
        let batches: Vec<_> = lake.fact_batches(table, tenant).await.unwrap().try_collect().await.unwrap();
        let all = batches
            .iter()
            .flat_map(|batch| batch["deployment_id"].as_string::<i32>().iter().map(|id| id.unwrap().to_owned()).collect::<Vec<_>>());
        all.collect::<Vec<_>>()
    };
    let (tenant, other) = (Tenant::default(), Tenant::new("other"));
    let months = BTreeMap::from([("2026-05".to_owned(), vec![fact("b"), fact("a")]), ("2026-06".to_owned(), vec![fact("c")])]);
    lake.write_facts(table, &tenant, months.clone()).await.unwrap();
    lake.write_facts(table, &other, months).await.unwrap();
    lake.write_facts(table, &tenant, BTreeMap::from([("2026-06".to_owned(), vec![fact("d")])])).await.unwrap();
    assert_eq!(ids(&tenant).await, ["a", "b", "d"]);
    assert_eq!(ids(&other).await, ["a", "b", "c"]);
    let wrong = BTreeMap::from([("2026-06".to_owned(), vec![vec![Cell::Null]])]);
    assert!(matches!(lake.write_facts(table, &tenant, wrong).await, Err(LakeError::Table { .. })));
}
