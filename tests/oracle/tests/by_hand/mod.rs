//! What worlds that are worked out by hand have in common: rows as JSON, instants of 2024, and a question to start from.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use flowgauge_oracle::{Bucket, Question, World};
use serde_json::Value;

/// Rows by table.
pub fn world(tables: Value) -> World {
    let rows = |rows: &Value| rows.as_array().unwrap().iter().map(|r| r.as_object().unwrap().clone()).collect();
    World::new(tables.as_object().unwrap().iter().map(|(table, r)| (table.clone(), rows(r))).collect())
}

pub fn utc(month: u32, day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2024, month, day, 0, 0, 0).unwrap()
}

/// 1 to 11 May, ten days, in one bucket, asked a month later.
pub fn ask(metric: &str) -> Question {
    Question {
        metric: metric.into(),
        from: utc(5, 1),
        to: utc(5, 11),
        as_of: utc(6, 11),
        bucket: Bucket::None,
        tz: Tz::UTC,
        by: Vec::new(),
        filters: BTreeMap::new(),
    }
}
