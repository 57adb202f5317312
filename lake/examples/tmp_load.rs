use flowgauge_lake::model::*;
use flowgauge_lake::*;
use std::sync::Arc;
use std::time::Instant;
struct R;
impl Normalise for R {
    fn normalise(&self, raw: &RawEvent) -> Normalised {
        let mut out = Normalised { event: "rows".into(), ..Normalised::default() };
        for line in raw.body.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let v: serde_json::Value = serde_json::from_slice(line).unwrap();
            out.observations.push(row_from_json(Table::Job, &v).unwrap());
        }
        out
    }
}
#[derive(Default)]
struct F(std::sync::atomic::AtomicUsize);
impl Feed for F { fn apply(&self, b: FeedBatch) { self.0.fetch_add(b.events.iter().map(|e| e.rows.len()).sum::<usize>(), std::sync::atomic::Ordering::Relaxed); } }
fn rss() -> String { std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM")).collect::<Vec<_>>().join(" ") }
#[tokio::main]
async fn main() {
    let dir = std::path::PathBuf::from("target/tmp_load");
    let _ = std::fs::remove_dir_all(&dir);
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let t = Instant::now();
    let feed = Arc::new(F::default());
    let lake = Lake::open(LakeOptions::new(&dir), Arc::new(R), feed.clone()).await.unwrap();
    println!("open new {:?}", t.elapsed());
    let mut chunks = vec![Vec::new()];
    for i in 0..n {
        let line = format!("{{\"run_id\":\"{}\",\"job_id\":\"{i}\",\"name\":\"unit tests {}\",\"stage\":\"test\",\"created_at\":\"2026-06-01T10:00:00Z\",\"started_at\":{},\"finished_at\":{},\"result\":\"success\",\"runner\":\"r{}\"}}\n", i / 10, i % 10, 1782907200000000u64 + i as u64 * 1000000, 1782907300000000u64 + i as u64 * 1000000, i % 50);
        if chunks.last().unwrap().len() + line.len() > 4 << 20 { chunks.push(Vec::new()); }
        chunks.last_mut().unwrap().extend_from_slice(line.as_bytes());
    }
    let events: Vec<_> = chunks.into_iter().map(|c| RawEvent::new(Tenant::default(), Source::new("import"), "flowgauge", None, clock::now(), vec![], c.into())).collect();
    let t = Instant::now();
    println!("{} events", events.len());
    lake.append(events).await.unwrap();
    println!("append {:?}", t.elapsed());
    let t = Instant::now();
    lake.applied().await;
    println!("applied {:?} {}", t.elapsed(), rss());
    let t = Instant::now();
    println!("flush {:?} {:?} {}", lake.flush().await.unwrap(), t.elapsed(), rss());
    let t = Instant::now();
    lake.close().await.unwrap();
    println!("close {:?}", t.elapsed());
    let feed = Arc::new(F::default());
    let t = Instant::now();
    let lake = Lake::open(LakeOptions::new(&dir), Arc::new(R), feed.clone()).await.unwrap();
    println!("reopen {:?}, {} rows {}", t.elapsed(), feed.0.load(std::sync::atomic::Ordering::Relaxed), rss());
    let mut ids = vec![];
    for k in 0..40000u64 {
        let e = RawEvent::new(Tenant::default(), Source::new("hook"), "x", Some(k.to_string()), clock::now(), vec![], vec![b' '; 0].into());
        let e = RawEvent { body: format!("{{\"run_id\":\"9\",\"job_id\":\"h{k}\",\"name\":\"{}\"}}", hex::encode(e.event_id.bytes()).repeat(60)).into(), ..e };
        ids.push(e);
    }
    let t = Instant::now();
    for c in ids.chunks(200) { lake.append(c.to_vec()).await.unwrap(); }
    println!("append 40000 in 200s {:?}", t.elapsed());
    let t = Instant::now();
    lake.applied().await;
    println!("applied {:?} {}", t.elapsed(), rss());
    drop(lake);
    let feed = Arc::new(F::default());
    let t = Instant::now();
    let lake = Lake::open(LakeOptions::new(&dir), Arc::new(R), feed.clone()).await.unwrap();
    println!("reopen w/ journal {:?}, {} rows {}", t.elapsed(), feed.0.load(std::sync::atomic::Ordering::Relaxed), rss());
    let t = Instant::now();
    println!("flush {:?} {:?} {}", lake.flush().await.unwrap(), t.elapsed(), rss());
    let t = Instant::now();
    for e in ids.iter().step_by(4000) { assert!(lake.raw_event(&Tenant::default(), e.event_id).await.unwrap().is_some()); }
    println!("10 lookups {:?}", t.elapsed());
    for f in walk(&dir.join("tables")) { println!("{f}"); }
    let _ = std::fs::remove_dir_all(&dir);
}
fn walk(p: &std::path::Path) -> Vec<String> { let mut v = vec![]; for e in std::fs::read_dir(p).unwrap() { let p = e.unwrap().path(); if p.is_dir() { v.extend(walk(&p)) } else { v.push(format!("{} {}", p.display(), p.metadata().unwrap().len())) } } v }
