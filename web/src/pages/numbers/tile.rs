//! One number in all that is known of it: value, change against the time before, interval, what was left out, how it was made.

use super::words::{Words, described, left_out};
use crate::pages::address;
use crate::pages::chart::{self, Mark};
use crate::pages::filters::Filters;
use crate::pages::format::{self, counted};
use askama::Template;
use flowgauge_query::answer::{Point, Status};
use flowgauge_query::metric::{Better, Metric};

/// A change against the time before.
#[derive(Debug)]
pub struct Change {
    pub arrow: &'static str,
    pub text: String,
    /// `better`, `worse` or nothing.
    pub verdict: &'static str,
    pub was: String,
}

/// One number in all that is known of it.
#[derive(Template)]
#[template(path = "tile.html")]
pub struct Tile {
    pub id: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    pub value: Option<String>,
    pub exact: String,
    /// Little to go by: shown muted.
    pub is_muted: bool,
    /// What there is instead of a value, or what has to be said about it.
    pub note: String,
    pub reason: String,
    /// Where the reason can be done away with.
    pub fix: Option<(String, &'static str)>,
    pub n: String,
    pub change: Option<Change>,
    pub details: Vec<(&'static str, String)>,
    pub spark: String,
    pub json: String,
    pub csv: String,
    /// How it was made.
    pub explain: Option<String>,
}

/// The same number in a table.
#[derive(Template)]
#[template(path = "cell.html")]
pub struct CellView {
    pub tile: Tile,
}

pub fn tile(words: &Words, point: Option<&Point>, before: Option<&Point>, trend: &[Mark], filters: &Filters) -> Tile {
    let metric = described(words);
    let address = format!("/api/v1/metrics/{}", metric.id);
    let mut tile = Tile {
        id: metric.id,
        title: metric.title,
        about: words.about,
        value: None,
        exact: String::new(),
        is_muted: true,
        note: "Not enough data".to_owned(),
        reason: String::new(),
        fix: None,
        n: String::new(),
        change: None,
        details: Vec::new(),
        spark: chart::sparkline(trend),
        json: filters.api(&address, &[]),
        csv: filters.api(&address, &[("bucket", filters.bucket.as_str()), ("format", "csv")]),
        explain: point.and_then(|point| {
            let path = address::explanation(point.explain.as_deref()?)?;
            Some(filters.carry(&path, &["theme"], &[]))
        }),
    };
    let Some(point) = point.filter(|point| point.status != Status::NotConfigured) else {
        tile.reason = format!("Nothing that tells of {} has come in for this selection.", words.many);
        tile.fix = Some((filters.carry("/sources", &["theme"], &[]), "Connect a source"));
        return tile;
    };
    tile.n = format!("n = {}", counted(point.n, words.one, words.many));
    let excluded = left_out(point);
    if !excluded.is_empty() {
        tile.details.push(("Left out", excluded));
    }
    match point.value {
        Some(value) => {
            tile.value = Some(format::value(metric.unit, value));
            tile.exact = format::exact(metric.unit, value);
            tile.is_muted = point.status == Status::Insufficient;
            tile.note = if tile.is_muted { "few data".to_owned() } else { String::new() };
            tile.change = before.and_then(|before| change(words, metric, point, before));
            tile.details.splice(0..0, details(metric, point));
        }
        None if point.status == Status::Insufficient => {
            tile.note = "Not known yet".to_owned();
            tile.reason = format!("Too many of {} are still open.", counted(point.n, words.one, words.many));
        }
        None => tile.reason = words.none.to_owned(),
    }
    tile
}

fn details(metric: &Metric, point: &Point) -> Vec<(&'static str, String)> {
    let show = |value: f64| format::value(metric.unit, value);
    let mut details = Vec::new();
    for (name, quantile) in [("75 % within", "p75"), ("90 % within", "p90")] {
        details.extend(point.quantiles.get(quantile).map(|value| (name, show(*value))));
    }
    if let Some(interval) = &point.ci {
        let text = match (interval.lo, interval.hi) {
            (Some(lo), Some(hi)) => Some(format!("{} to {}", show(lo), show(hi))),
            (Some(lo), None) => Some(format!("at least {}", show(lo))),
            (None, Some(hi)) => Some(format!("at most {}", show(hi))),
            (None, None) => None,
        };
        details.extend(text.map(|text| ("95 % interval", text)));
    }
    let pending = point.detail.get("pending").and_then(serde_json::Value::as_f64).filter(|pending| *pending > 0.0);
    details.extend(pending.map(|pending| ("Too young to tell", format::grouped(pending as i64))));
    details.extend(point.coverage.filter(|coverage| *coverage < 1.0).map(|coverage| ("Coverage", format::ratio(coverage))));
    details
}

/// The difference: of shares in points, of times and rates in percent. Where one of the two is little to go by, nothing is judged.
fn change(words: &Words, metric: &Metric, now: &Point, before: &Point) -> Option<Change> {
    let (new, old) = (now.value?, before.value?);
    let was = format!("was {} ({})", format::value(metric.unit, old), counted(before.n, words.one, words.many));
    if format::value(metric.unit, new) == format::value(metric.unit, old) {
        return Some(Change { arrow: "=", text: "unchanged".to_owned(), verdict: "", was });
    }
    let is_more = new > old;
    let word = if is_more { words.more } else { words.less };
    let text = match metric.unit {
        "1" => format!("{} points {word}", format::ratio((new - old).abs()).trim_end_matches(" %")),
        _ if old == 0.0 => format!("{word}, from none"),
        _ if new > old * 10.0 => format!("{:.0} times, {word}", new / old),
        _ => format!("{} {word}", format::ratio((new - old).abs() / old)),
    };
    let is_sure = now.status == Status::Ok && before.status == Status::Ok;
    let verdict = match (is_sure, is_more == (metric.better == Better::Up)) {
        (false, _) => "",
        (true, true) => "better",
        (true, false) => "worse",
    };
    Some(Change { arrow: if is_more { "▲" } else { "▼" }, text, verdict, was })
}

#[cfg(test)]
mod tests {
    use super::super::words::WORDS;
    use super::*;
    use flowgauge_query::metric::FIVE;
    use std::collections::BTreeMap;

    fn point(value: Option<f64>, n: i64, status: Status) -> Point {
        Point {
            start: "2026-01-01T00:00:00Z".into(),
            end: "2026-02-01T00:00:00Z".into(),
            partial: false,
            value,
            n,
            numerator: None,
            denominator: None,
            quantiles: BTreeMap::new(),
            ci: None,
            status,
            excluded: BTreeMap::new(),
            coverage: None,
            detail: serde_json::Map::new(),
            sample: Vec::new(),
            explain: None,
        }
    }

    fn changed(id: &str, new: f64, old: f64) -> (String, &'static str) {
        let words = WORDS.iter().find(|words| words.id == id).expect("a metric");
        let change = change(words, described(words), &point(Some(new), 9, Status::Ok), &point(Some(old), 9, Status::Ok)).expect("a change");
        (format!("{} {}", change.arrow, change.text), change.verdict)
    }

    #[test]
    fn the_five_and_drift_are_shown() {
        let shown: Vec<&str> = WORDS.iter().map(|words| words.id).collect();
        assert_eq!(shown[..5], *FIVE);
        assert_eq!(shown[5..], ["drift_ratio"]);
    }

    #[test]
    fn changes_have_a_direction_and_a_verdict() {
        assert_eq!(changed("lead_time", 112.0, 100.0), ("▲ 12 % slower".to_owned(), "worse"));
        assert_eq!(changed("deployment_frequency", 2.0, 1.0), ("▲ 100 % more often".to_owned(), "better"));
        assert_eq!(changed("change_fail_rate", 0.1, 0.15), ("▼ 5 points lower".to_owned(), "better"));
        assert_eq!(changed("rework_rate", 0.2, 0.2), ("= unchanged".to_owned(), ""));
        assert_eq!(changed("deployment_frequency", 0.5, 0.0), ("▲ more often, from none".to_owned(), "better"));
    }

    #[test]
    fn few_values_are_not_judged() {
        let words = &WORDS[1];
        let few = point(Some(50.0), 2, Status::Insufficient);
        let change = change(words, described(words), &few, &point(Some(100.0), 9, Status::Ok)).expect("a change");
        assert_eq!(change.verdict, "");
        assert!(super::change(words, described(words), &point(None, 0, Status::Empty), &few).is_none());
    }
}
