//! What the oracle answers about the sample shop, from what its generator knows: `sample-data/expected/*.csv`.

use chrono::{DateTime, Utc};
use flowgauge_oracle::{Bucket, METRICS, Question, World, answer};
use flowgauge_sample_data::Shop;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

/// The files: name, first instant of the window, buckets. Every window ends with the shop, which is also the moment of asking.
pub const FILES: [(&str, &str, Bucket); 2] =
    [("last_90_days", "2026-03-31T00:00:00Z", Bucket::None), ("by_month", "2025-07-01T00:00:00Z", Bucket::Month)];
/// How many of the oracle's metrics are asked of the shop: the oracle is plain and slow, and two years of tests, gates and rungs take it
/// many minutes. Those are compared on random worlds and in the corpus.
const OF_THE_SHOP: usize = 17;
const END: &str = "2026-06-29T00:00:00Z";

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample-data/expected").join(name).with_extension("csv")
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// What the generator knows, as the oracle reads it.
pub fn world(shop: &Shop) -> World {
    World::new(shop.truth().tables.into_iter().map(|(name, rows)| (name.to_owned(), rows)).collect())
}

/// The questions of a file, by team.
pub fn questions(from: &str, bucket: Bucket) -> Vec<Question> {
    let question = |metric: &str| Question {
        metric: metric.to_owned(),
        from: instant(from),
        to: instant(END),
        as_of: instant(END),
        bucket,
        tz: "UTC".parse().expect("a zone"),
        by: vec!["team".to_owned()],
        filters: Default::default(),
    };
    METRICS[..OF_THE_SHOP].iter().map(|metric| question(metric)).collect()
}

/// The lines of a file for one answer's `series`.
pub fn lines(metric: &str, series: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for series in series.as_array().into_iter().flatten() {
        let team = series["labels"]["team"].as_str().unwrap_or_default();
        for point in series["points"].as_array().into_iter().flatten() {
            let value = point["value"].as_f64().map(|value| value.to_string()).unwrap_or_default();
            let start = instant(point["start"].as_str().expect("a point has a start"));
            let (n, status) = (&point["n"], point["status"].as_str().unwrap_or_default());
            lines.push(format!("{metric},{team},{},{value},{n},{status}", start.format("%FT%TZ")));
        }
    }
    lines
}

/// A file as the oracle would write it, with the answers that it is made of.
pub fn file(world: &World, from: &str, bucket: Bucket) -> (String, Vec<(Question, Value)>) {
    let mut text = String::from("metric,team,start,value,n,status\n");
    let mut answers = Vec::new();
    for question in questions(from, bucket) {
        let series = answer(world, &question);
        for line in lines(&question.metric, &series) {
            writeln!(text, "{line}").expect("a string can be written to");
        }
        answers.push((question, series));
    }
    (text, answers)
}
