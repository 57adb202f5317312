//! An answer for an earlier moment is the answer that was given then: whoever asked at that moment, with what had come in, was told
//! what is told today for `as_of`.

use super::world::{facts, micros, question, rows};
use flowgauge_lake::model::{Cell, Row, Table, Time};
use flowgauge_oracle::{Question as Asked, World};

/// What a row said when `at` was now: moments that had not come are not said, nor how things ended that had not ended.
fn as_it_was(table: Table, mut row: Row, at: Time) -> Option<Row> {
    let spec = table.spec();
    let place = |name: &str| spec.column(name);
    let is_later = |row: &Row, name: &str| place(name).is_some_and(|i| matches!(row.cells[i], Cell::Time(time) if time > at));
    let begins = match table {
        // The graph, what was built and who owns what are looked at as they are known today (semantics, 7.1).
        Table::Commit | Table::Push | Table::Change | Table::Review | Table::Artifact | Table::Service => return Some(row),
        Table::Incident => ["started_at", "created_at"],
        Table::GitopsObservation => ["observed_at"; 2],
        Table::TestResult => ["started_at"; 2],
        Table::Scan => ["finished_at"; 2],
        Table::Verdict => ["decided_at"; 2],
        _ => ["created_at", "started_at"],
    };
    let first = begins.iter().find(|name| place(name).is_some_and(|i| row.cells[i] != Cell::Null));
    if first.is_some_and(|name| is_later(&row, name)) {
        return None;
    }
    let ended = ["finished_at", "decided_at"].iter().any(|name| is_later(&row, name));
    if first.is_none() && ended {
        return None;
    }
    if ended {
        for outcome in ["outcome", "result", "decision", "duration_seconds"] {
            place(outcome).into_iter().for_each(|i| row.cells[i] = Cell::Null);
        }
    }
    for cell in &mut row.cells {
        if matches!(cell, Cell::Time(time) if *time > at) {
            *cell = Cell::Null;
        }
    }
    Some(row)
}

/// Rows that correct what was said before are late by nature, and a person's word on a kind holds for every moment.
fn is_late(table: Table, row: &Row) -> bool {
    let kind = table.spec().column("kind").filter(|_| table == Table::Verdict);
    // A result without a time of its own takes that of its run, which may not have come.
    let started = table.spec().column("started_at").filter(|_| table == Table::TestResult);
    row.updated_at.is_some() || started.is_some_and(|i| row.cells[i] == Cell::Null) || kind.is_some_and(|i| row.cells[i] != Cell::Null)
}

#[tokio::test]
async fn what_was_answered_then_is_answered_for_then() {
    let (mut asked, mut differences) = (0, Vec::new());
    for seed in 0..20 {
        let world = World::random(seed);
        let all: Vec<(Table, Row)> = rows(&world).into_iter().filter(|(table, row)| !is_late(*table, row)).collect();
        let today = facts(all.clone());
        let questions = Asked::random(seed, &world);
        let mut moments: Vec<_> = questions.iter().map(|question| question.as_of).collect();
        moments.sort();
        moments.dedup();
        for moment in moments {
            let at = micros(moment);
            let known = all.iter().cloned().filter_map(|(table, row)| Some((table, as_it_was(table, row, at)?)));
            let then = facts(known);
            for question in questions.iter().filter(|question| question.as_of == moment).map(question) {
                asked += 1;
                let mut answers = Vec::new();
                for facts in [&then, &today] {
                    let mut series = flowgauge_query::run(&question, facts, at).await.expect("an answer").series;
                    series.iter_mut().flat_map(|series| &mut series.points).for_each(|point| point.explain = None);
                    answers.push(serde_json::to_string(&series).expect("plain data"));
                }
                if answers[0] != answers[1] {
                    differences.push(format!(
                        "seed {seed}, {} by {:?} as of {moment}\n  then  {}\n  today {}",
                        question.metric, question.by, answers[0], answers[1]
                    ));
                }
            }
        }
    }
    println!("{asked} questions, {} answered otherwise", differences.len());
    assert!(differences.is_empty(), "{}", differences[..differences.len().min(8)].join("\n"));
}
