//! Every value can be worked out again from what its explanation lists: the statement over the rows, in a session that knows
//! nothing else.

use super::world::{facts, micros, question, rows};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::json::{ArrayWriter, ReaderBuilder};
use datafusion::prelude::SessionContext;
use flowgauge_oracle::{Question as Asked, World};
use flowgauge_query::explain::{PointId, recompute};
use flowgauge_query::functions;
use std::collections::BTreeMap;

/// The rows as they stand in an answer: text, read again.
fn as_listed(batch: &RecordBatch) -> RecordBatch {
    let mut text = Vec::new();
    let mut writer = ArrayWriter::new(&mut text);
    writer.write(batch).expect("rows can be written");
    writer.finish().expect("rows can be written");
    drop(writer);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap_or_default();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let mut reader = ReaderBuilder::new(batch.schema()).with_batch_size(1 << 20).build(lines.as_bytes()).expect("rows can be read");
    reader.next().transpose().expect("rows can be read").unwrap_or_else(|| RecordBatch::new_empty(batch.schema()))
}

async fn run(sql: &str, scope: &RecordBatch, buckets: &RecordBatch) -> (Option<f64>, i64) {
    let mut session = SessionContext::new();
    functions::register(&mut session).expect("our functions have names of their own");
    session.register_batch("scope", as_listed(scope)).expect("a table");
    session.register_batch("buckets", as_listed(buckets)).expect("a table");
    let found = session.sql(sql).await.expect("a statement").collect().await.expect("an answer");
    let found: Vec<_> = found.iter().filter(|batch| batch.num_rows() > 0).collect();
    let [found] = found.as_slice() else { panic!("{} batches instead of one", found.len()) };
    assert_eq!(found.num_rows(), 1, "one point, one row");
    let value = found.column_by_name("value").expect("a value").as_primitive::<Float64Type>();
    let n = found.column_by_name("n").expect("a count").as_primitive::<Int64Type>();
    (value.is_valid(0).then(|| value.value(0)), n.value(0))
}

#[tokio::test]
async fn the_listed_rows_give_the_value_for_every_metric() {
    let mut values: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..8 {
        let world = World::random(seed);
        let facts = facts(rows(&world));
        for asked in Asked::random(seed, &world) {
            let question = question(&asked);
            let answer = flowgauge_query::run(&question, &facts, micros(asked.as_of)).await.expect("an answer");
            // The first and the last point with a value; running everything again takes minutes.
            let points: Vec<_> = answer.series.iter().flat_map(|series| &series.points).filter(|point| point.value.is_some()).collect();
            for point in points.iter().take(1).chain(points.last().filter(|_| points.len() > 1)) {
                let id = point.explain.as_deref().and_then(|address| address.rsplit('/').next()).expect("a value can be explained");
                let id = PointId::parse(id).expect("an id of our own");
                let found = recompute(&id, &facts).await.expect("an explanation");
                assert_eq!((found.point.value, found.point.n), (point.value, point.n), "seed {seed}, {}", answer.metric);
                let again = run(found.metric.sql, &found.relations.scope, &found.relations.buckets).await;
                assert_eq!(again, (point.value, point.n), "seed {seed}, {} by {:?}", answer.metric, asked.by);
                assert_eq!(found.subjects.len(), found.relations.scope.num_rows());
                *values.entry(answer.metric).or_default() += 1;
            }
        }
    }
    println!("{values:?}");
    for metric in flowgauge_query::metric::ALL {
        assert!(values.get(metric.id).is_some_and(|count| *count >= 3), "{} has hardly a value in these worlds: {values:?}", metric.id);
    }
}
