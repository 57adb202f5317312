//! Wherever a flush ends, each acknowledged event is there once afterwards.

use crate::support::{at, event, open, run};
use flowgauge_lake::model::Tenant;
use flowgauge_lake::{CrashPoint, LakeOptions};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_there_once_wherever_a_flush_ends() {
    for &point in CrashPoint::ALL {
        let folder = tempfile::tempdir().unwrap();
        let options = LakeOptions::new(folder.path());
        let (lake, _) = open(options.clone()).await;
        lake.append((0..10).map(run).collect()).await.unwrap();
        lake.applied().await;
        lake.flush().await.unwrap();
        drop(lake);

        let (lake, _) = open(LakeOptions { crash_at: Some(point), ..options.clone() }).await;
        lake.append((10..20).map(run).collect()).await.unwrap();
        lake.append(vec![event("odd", at(3), json!("no list"))]).await.unwrap();
        lake.applied().await;
        lake.flush().await.unwrap_err();
        // More comes between the failed flush and the end of the process.
        lake.append((15..25).map(run).collect()).await.unwrap();
        drop(lake);

        for _ in 0..2 {
            let (lake, memory) = open(options.clone()).await;
            let census = memory.census();
            assert_eq!(census.len(), 50, "{point:?}");
            assert!(census.values().all(|count| *count == 1), "{point:?}: {census:#?}");
            for expected in (0..25).map(run) {
                let found = lake.raw_event(&Tenant::default(), expected.event_id).await.unwrap();
                // Whichever of two deliveries came first is kept.
                assert_eq!(found.as_ref(), Some(&expected), "{point:?}");
                assert_eq!(lake.raw_event(&Tenant::new("other"), expected.event_id).await.unwrap(), None);
            }
            let stats = lake.source_stats(&Tenant::default());
            assert_eq!(stats.iter().map(|s| (s.count, s.problems)).collect::<Vec<_>>(), [(26, 1)], "{point:?}");
            lake.flush().await.unwrap();
            lake.close().await.unwrap();
        }
    }
}
