//! Comparing answers: numbers may differ in the last digits, times in how they are written.

use chrono::DateTime;
use flowgauge_oracle::{Bucket, Question};
use serde_json::Value;
use std::collections::BTreeSet;

/// The parameters of a question, as the API and the command line name them.
pub fn parameters(asked: &Question) -> Vec<(String, String)> {
    let bucket = match asked.bucket {
        Bucket::None => "none",
        Bucket::Day => "day",
        Bucket::Week => "week",
        Bucket::Month => "month",
    };
    let fixed = [
        ("from", asked.from.to_rfc3339()),
        ("to", asked.to.to_rfc3339()),
        ("as_of", asked.as_of.to_rfc3339()),
        ("bucket", bucket.to_owned()),
        ("tz", asked.tz.name().to_owned()),
    ];
    let mut all: Vec<(String, String)> = fixed.map(|(name, value)| (name.to_owned(), value)).into();
    if !asked.by.is_empty() {
        all.push(("by".to_owned(), asked.by.join(",")));
    }
    all.extend(asked.filters.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.clone(), value.clone()))));
    all
}

/// Takes out what the oracle does not answer: details, and intervals, which are left out of long answers.
pub fn plain(mut series: Value) -> Value {
    for series in series.as_array_mut().into_iter().flatten() {
        for point in series["points"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            point.remove("detail");
            point.remove("explain");
            point.remove("ci");
        }
    }
    series
}

/// The first place where two answers differ.
pub fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    let differs = || Some(format!("{path}: {ours} against {theirs}"));
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            if close(a, b) { None } else { differs() }
        }
        (Value::String(a), Value::String(b)) if a != b => match (DateTime::parse_from_rfc3339(a), DateTime::parse_from_rfc3339(b)) {
            (Ok(x), Ok(y)) if x == y => None,
            _ => differs(),
        },
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| difference(&format!("{path}[{i}]"), a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            names.into_iter().find_map(|name| {
                difference(&format!("{path}.{name}"), a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null))
            })
        }
        (a, b) if a == b => None,
        _ => differs(),
    }
}

pub fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1e-3)
}
