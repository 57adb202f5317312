//! Rule 12: several rows with one key are one entity, folded column by column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::row::{Row, list, source, text, time};
use crate::time::{Time, parse_time, show_micros};

/// The key columns of a table (DESIGN section 4, in bold there), and whether `source` is part of the key.
fn key_columns(table: &str) -> (&'static [&'static str], bool) {
    match table {
        "services" => (&["service"], false),
        "commits" => (&["repo", "sha"], false),
        "changes" => (&["repo", "change_id"], false),
        "artifacts" => (&["digest"], false),
        "deployments" => (&["deployment_id"], true),
        "incidents" => (&["incident_id"], true),
        "pipeline_runs" => (&["pipeline", "run_id", "attempt"], true),
        "gitops_observations" => (&["app", "observed_at"], true),
        "jobs" => (&["run_id", "job_id", "attempt"], true),
        "verdicts" => (&["verdict_id"], true),
        "scans" => (&["scan_id"], true),
        "approvals" => (&["approval_id"], true),
        "test_results" => (&["test_id", "sha", "attempt", "run_id", "job_id", "deployment_id", "suite", "phase", "started_at"], true),
        _ => panic!("no key is known for the table {table}"),
    }
}

pub fn fold(table: &str, rows: &[Row]) -> Vec<Row> {
    let (columns, with_source) = key_columns(table);
    let mut groups: BTreeMap<Vec<String>, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let row = canonical(row);
        let mut key: Vec<String> = columns.iter().map(|c| row.get(*c).map(Value::to_string).unwrap_or_default()).collect();
        if with_source {
            key.push(source(&row));
        }
        groups.entry(key).or_default().push(row);
    }
    groups.into_values().map(|group| fold_group(table, &group)).collect()
}

fn fold_group(table: &str, group: &[Row]) -> Row {
    let mut columns: BTreeSet<String> = BTreeSet::new();
    for row in group {
        columns.extend(row.keys().cloned());
        columns.extend(cleared(row));
    }
    let mut folded: Row = Map::new();
    for column in columns {
        if let Some(value) = winner(group, &column).and_then(|row| row.get(&column)) {
            folded.insert(column, value.clone());
        }
    }
    if table == "deployments" {
        // The finish is the least among the rows with the winning outcome.
        let outcome = text(&folded, "outcome");
        let least = group.iter().filter(|row| text(row, "outcome") == outcome).filter_map(|row| time(row, "finished_at")).min();
        folded.remove("finished_at");
        if let Some(t) = least {
            folded.insert("finished_at".into(), Value::String(show_micros(t)));
        }
    }
    folded
}

/// The row whose word on the column stands.
fn winner<'a>(group: &'a [Row], column: &str) -> Option<&'a Row> {
    let has = |row: &&Row| row.contains_key(column) || cleared(row).iter().any(|c| c == column);
    // Of the rows with `updated_at` only the latest ...
    let latest =
        group.iter().filter(has).filter(|row| row.contains_key("updated_at")).max_by_key(|row| (time(row, "updated_at"), order(row)));
    // ... and among it and the rows without, the greatest in the order of the rule.
    let others = group.iter().filter(has).filter(|row| !row.contains_key("updated_at"));
    others.chain(latest).max_by_key(|row| order(row))
}

/// Further state, then the latest time, then the greater canonical JSON.
fn order(row: &Row) -> (u8, Option<Time>, String) {
    let state = match text(row, "outcome").or_else(|| text(row, "result")).as_deref() {
        None => 0,
        Some("queued") => 1,
        Some("in_progress") => 2,
        Some(_) => 3,
    };
    let latest = row
        .iter()
        .filter(|(c, _)| c.ends_with("_at") && *c != "ingested_at" && *c != "received_at")
        .filter_map(|(_, v)| parse_time(v))
        .max();
    (state, latest, Value::Object(row.clone()).to_string())
}

fn cleared(row: &Row) -> Vec<String> {
    list(row, "cleared").unwrap_or_default()
}

/// Columns in alphabetical order, nulls left out, times in UTC with six digits.
pub fn canonical(row: &Row) -> Row {
    let sorted: BTreeMap<&String, &Value> = row.iter().filter(|(_, v)| !v.is_null()).collect();
    sorted
        .into_iter()
        .map(|(column, value)| {
            let instant = if column.ends_with("_at") || column == "at" { parse_time(value) } else { None };
            (column.clone(), instant.map_or_else(|| value.clone(), |t| Value::String(show_micros(t))))
        })
        .collect()
}
