//! The numbers that pages show: asked from the engine like everybody else's, and put into words. Nothing is computed here but
//! the difference between now and before.

use super::chart::{self, Chart, Mark, Style};
use super::filters::Filters;
use super::format::{self, counted};
use crate::app::App;
use crate::error::AppError;
use askama::Template;
use chrono_tz::Tz;
use flowgauge_lake::model::Time;
use flowgauge_query::answer::{Answer, Point, Status};
use flowgauge_query::buckets::Bucketing;
use flowgauge_query::metric::{Better, Metric, metric};
use flowgauge_query::question::{Dimension, Intervals, Question};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a metric is spoken of.
struct Words {
    id: &'static str,
    /// What it is, in a line.
    about: &'static str,
    /// What n counts.
    one: &'static str,
    many: &'static str,
    /// A greater and a smaller value than before.
    more: &'static str,
    less: &'static str,
    /// Why there may be none though a source is connected.
    none: &'static str,
    style: Style,
}

/// The metrics that pages show, in order: the five, and drift.
const WORDS: &[Words] = &[
    Words {
        id: "deployment_frequency",
        about: "Successful deployments to production, days without one included",
        one: "deployment",
        many: "deployments",
        more: "more often",
        less: "less often",
        none: "The source of deployments was not connected for the whole window.",
        style: Style::Bars,
    },
    Words {
        id: "lead_time",
        about: "Median time from commit to production",
        one: "commit",
        many: "commits",
        more: "slower",
        less: "faster",
        none: "No commit with a known history reached production in this window.",
        style: Style::Line,
    },
    Words {
        id: "change_fail_rate",
        about: "Share of deployments that failed in production",
        one: "deployment",
        many: "deployments",
        more: "higher",
        less: "lower",
        none: "No deployment to production in this window.",
        style: Style::Line,
    },
    Words {
        id: "recovery_time",
        about: "Median time until a failed deployment was over",
        one: "failed deployment",
        many: "failed deployments",
        more: "slower",
        less: "faster",
        none: "No deployment failed in this window.",
        style: Style::Line,
    },
    Words {
        id: "rework_rate",
        about: "Share of deployments that were unplanned",
        one: "deployment",
        many: "deployments",
        more: "higher",
        less: "lower",
        none: "No deployment to production in this window.",
        style: Style::Line,
    },
    Words {
        id: "drift_ratio",
        about: "Share of the observed time in which clusters differed from what was synced",
        one: "application",
        many: "applications",
        more: "higher",
        less: "lower",
        none: "No application was observed in this window.",
        style: Style::Line,
    },
];

fn described(words: &Words) -> &'static Metric {
    metric(words.id).expect("pages show metrics that there are")
}

/// Asks side by side; the engine remembers.
pub async fn ask(app: &App, questions: Vec<Question>) -> Result<Vec<Arc<Answer>>, AppError> {
    let now = app.now();
    let tasks = questions.into_iter().map(|question| {
        let app = app.clone();
        tokio::spawn(async move { app.engine().ask(&app.tenant(), &question, now).await })
    });
    let mut answers = Vec::new();
    for joined in join_all(tasks).await {
        let answer = joined.map_err(|error| AppError::Internal(error.to_string()))?;
        answers.push(answer?);
    }
    Ok(answers)
}

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

/// A line of the table of teams or services.
pub struct BoardRow {
    pub name: String,
    pub href: Option<String>,
    pub cells: Vec<CellView>,
}

/// All numbers of a page.
pub struct Board {
    pub tiles: Vec<Tile>,
    pub charts: Vec<ChartView>,
    pub trend: Trend,
    pub data_as_of: Option<Time>,
}

/// A chart and the table that says the same.
pub struct ChartView {
    pub chart: Chart,
    pub svg: String,
    pub title: &'static str,
    pub rows: Vec<ChartRow>,
    pub has_quantiles: bool,
    pub json: String,
}

pub struct ChartRow {
    pub start: String,
    pub label: String,
    pub value: String,
    pub n: String,
    pub status: String,
    pub p75: String,
    pub p90: String,
    pub before: String,
}

/// The buckets of all metrics side by side: what the sparklines show.
pub struct Trend {
    pub titles: Vec<&'static str>,
    pub rows: Vec<(String, String, Vec<String>)>,
}

fn questions(filters: &Filters, by: &[Dimension]) -> Vec<Question> {
    // Only the numbers of the whole, as they are now, are shown with their intervals.
    let intervals = if by.is_empty() { Intervals::Few } else { Intervals::Never };
    let now = WORDS.iter().map(|words| Question { intervals, ..filters.question(words.id) });
    let before = WORDS.iter().map(|words| Question { intervals: Intervals::Never, ..filters.question_before(words.id) });
    let trend = |words: &Words| Question { bucket: filters.bucket, intervals: Intervals::Never, ..filters.question(words.id) };
    let trend = WORDS.iter().map(trend);
    now.chain(before).chain(trend).map(|question| Question { by: by.to_vec(), ..question }).collect()
}

/// The numbers for the whole of what is shown; `with_charts` also their trends in full.
pub async fn board(app: &App, filters: &Filters, with_charts: bool) -> Result<Board, AppError> {
    let mut asked = questions(filters, &[]);
    if with_charts {
        let before = |words: &Words| Question { bucket: filters.bucket, intervals: Intervals::Never, ..filters.question_before(words.id) };
        asked.extend(WORDS.iter().map(before));
    }
    let answers = ask(app, asked).await?;
    let whole = |part: usize, place: usize| {
        let answer = answers.get(part * WORDS.len() + place);
        answer.and_then(|answer| answer.series.first()).map_or(&[][..], |series| &series.points)
    };
    let mut board = Board {
        tiles: Vec::new(),
        charts: Vec::new(),
        trend: Trend { titles: WORDS.iter().map(|words| described(words).title).collect(), rows: Vec::new() },
        data_as_of: answers.iter().filter_map(|answer| answer.data_as_of.as_deref().and_then(Time::parse)).min(),
    };
    for (place, words) in WORDS.iter().enumerate() {
        let (trend, before) = (whole(2, place), whole(3, place));
        let marks = marks(words, trend, before, filters);
        board.tiles.push(tile(words, whole(0, place).first(), whole(1, place).first(), &marks, filters));
        if with_charts {
            board.charts.push(chart_view(words, marks, trend, filters));
        }
        for (row, point) in trend.iter().enumerate() {
            if board.trend.rows.len() <= row {
                board.trend.rows.push((point.start.clone(), label(point, filters.tz(), filters.bucket), Vec::new()));
            }
            board.trend.rows[row].2.push(point.value.map_or("–".to_owned(), |value| format::value(described(words).unit, value)));
        }
    }
    Ok(board)
}

/// A page of the numbers of every team or service, and whether there are more.
pub async fn rows(app: &App, filters: &Filters, by: Dimension, limit: usize) -> Result<(Vec<BoardRow>, bool), AppError> {
    let answers = ask(app, questions(filters, &[by])).await?;
    let by_name: Vec<BTreeMap<&str, &[Point]>> = answers.iter().map(|answer| series_by_name(answer, by)).collect();
    let names: BTreeSet<&str> = by_name.iter().flat_map(|series| series.keys().copied()).collect();
    // What belongs to nobody stands last.
    let named = names.iter().copied().filter(|name| !name.is_empty());
    let ordered: Vec<&str> = named.chain(names.contains("").then_some("")).collect();
    let has_more = ordered.len() > filters.offset + limit;
    let row = |name: &str| {
        let points = |part: usize, place: usize| by_name[part * WORDS.len() + place].get(name).copied().unwrap_or_default();
        let cell = |(place, words): (usize, &Words)| {
            let marks = marks(words, points(2, place), &[], filters);
            CellView { tile: tile(words, points(0, place).first(), points(1, place).first(), &marks, filters) }
        };
        BoardRow {
            name: name.to_owned(),
            href: (!name.is_empty()).then(|| link(by, name, filters)),
            cells: WORDS.iter().enumerate().map(cell).collect(),
        }
    };
    Ok((ordered.into_iter().skip(filters.offset).take(limit).map(row).collect(), has_more))
}

/// A column of the table of teams or services.
pub struct Column {
    pub title: &'static str,
    pub about: &'static str,
    pub csv: String,
}

/// The columns of `rows`.
pub fn columns(filters: &Filters, by: Dimension) -> Vec<Column> {
    let column = |words: &Words| Column {
        title: described(words).title,
        about: words.about,
        csv: filters.api(&format!("/api/v1/metrics/{}", words.id), &[("by", by.as_str()), ("format", "csv")]),
    };
    WORDS.iter().map(column).collect()
}

fn series_by_name(answer: &Answer, by: Dimension) -> BTreeMap<&str, &[Point]> {
    answer.series.iter().filter_map(|series| Some((series.labels.get(by.as_str())?.as_str(), series.points.as_slice()))).collect()
}

fn link(by: Dimension, name: &str, filters: &Filters) -> String {
    let path = if by == Dimension::Team { super::address::team(name) } else { super::address::service(name) };
    filters.carry(&path, &["from", "to", "environment", "bucket", "tz", "theme"], &[])
}

fn label(point: &Point, tz: Tz, bucket: Bucketing) -> String {
    let start = Time::parse(&point.start).unwrap_or_default();
    let form = if bucket == Bucketing::Month { "%b %Y" } else { "%-d %b" };
    start.to_datetime().with_timezone(&tz).format(form).to_string()
}

fn marks(words: &Words, trend: &[Point], before: &[Point], filters: &Filters) -> Vec<Mark> {
    let unit = described(words).unit;
    let mark = |(place, point): (usize, &Point)| {
        let label = label(point, filters.tz(), filters.bucket);
        let value = point.value.map_or("not enough data".to_owned(), |value| format::value(unit, value));
        let partial = if point.partial { ", part of the bucket only" } else { "" };
        Mark {
            title: format!("{} from {label}: {value}, {}{partial}", filters.bucket.as_str(), counted(point.n, words.one, words.many)),
            label,
            value: point.value,
            p75: point.quantiles.get("p75").copied(),
            p90: point.quantiles.get("p90").copied(),
            is_partial: point.partial,
            before: before.get(place).and_then(|point| point.value),
        }
    };
    trend.iter().enumerate().map(mark).collect()
}

fn chart_view(words: &Words, marks: Vec<Mark>, trend: &[Point], filters: &Filters) -> ChartView {
    let metric = described(words);
    let show = |value: Option<f64>| value.map_or("–".to_owned(), |value| format::value(metric.unit, value));
    let row = |(point, mark): (&Point, &Mark)| ChartRow {
        start: point.start.clone(),
        label: mark.label.clone(),
        value: show(point.value),
        n: format::grouped(point.n),
        status: status_words(point).to_owned() + if point.partial { ", partial" } else { "" },
        p75: show(mark.p75),
        p90: show(mark.p90),
        before: show(mark.before),
    };
    let rows = trend.iter().zip(&marks).map(row).collect();
    let described = marks.iter().filter(|mark| mark.value.is_some()).count();
    let description = format!(
        "{} by {}, {} of {} with a value. The table below has the numbers.",
        words.about,
        filters.bucket.as_str(),
        described,
        counted(marks.len() as i64, "bucket", "buckets")
    );
    let title = format!("{} by {}", metric.title, filters.bucket.as_str());
    let chart = Chart { id: format!("chart-{}", metric.id), title, description, unit: metric.unit, style: words.style, marks };
    ChartView {
        svg: chart.svg(),
        has_quantiles: chart.has_band(),
        title: metric.title,
        rows,
        json: filters.api(&format!("/api/v1/metrics/{}", metric.id), &[("bucket", filters.bucket.as_str())]),
        chart,
    }
}

fn status_words(point: &Point) -> &'static str {
    match point.status {
        Status::Ok => "ok",
        Status::Insufficient => "few data",
        Status::Empty => "no data",
        Status::NotConfigured => "no source",
    }
}

/// Reasons for leaving something out, in words.
fn left_out(point: &Point) -> String {
    let words = |reason: &str| match reason {
        "no_graph" => "with unknown history".to_owned(),
        "no_baseline" => "first of their service".to_owned(),
        "no_source_link" => "without a commit".to_owned(),
        "no_commit_time" => "commits without a time".to_owned(),
        "no_files" => "commits without a list of files".to_owned(),
        "merge_commit" => "merge commits".to_owned(),
        "clock_skew" => "that end before they begin".to_owned(),
        "no_op" => "that changed nothing".to_owned(),
        "config_only" => "of configuration only".to_owned(),
        "rollback" => "rollbacks".to_owned(),
        "unattributed" => "incidents that no deployment caused".to_owned(),
        "resolved_before_deploy" => "over before the deployment".to_owned(),
        other => format::words(other),
    };
    let parts = point.excluded.iter().map(|(reason, count)| format!("{} {}", format::grouped(*count), words(reason)));
    parts.collect::<Vec<_>>().join(", ")
}

fn tile(words: &Words, point: Option<&Point>, before: Option<&Point>, trend: &[Mark], filters: &Filters) -> Tile {
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
        explain: point.and_then(|point| super::address::explanation(point.explain.as_deref()?)),
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
    use super::*;
    use flowgauge_query::metric::FIVE;

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
