//! The numbers that pages show: asked from the engine like everybody else's, and put into words. Nothing is computed here but
//! the difference between now and before.

mod tile;
mod words;

use super::chart::{Chart, Mark};
use super::filters::Filters;
use super::format::{self, counted};
use crate::app::App;
use crate::error::AppError;
use chrono_tz::Tz;
use flowgauge_lake::model::Time;
use flowgauge_query::answer::{Answer, Point};
use flowgauge_query::buckets::Bucketing;
use flowgauge_query::question::{Dimension, Extent, Question};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tile::{CellView, Tile, tile};
use words::{WORDS, Words, described, status_words};

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
    // Only the numbers of the whole, as they are now, are shown with their intervals and the way to their explanation.
    let extent = if by.is_empty() { Extent::Usual } else { Extent::Values };
    let now = WORDS.iter().map(|words| Question { extent, ..filters.question(words.id) });
    let before = WORDS.iter().map(|words| Question { extent: Extent::Values, ..filters.question_before(words.id) });
    let trend = |words: &Words| Question { bucket: filters.bucket, extent: Extent::Values, ..filters.question(words.id) };
    let trend = WORDS.iter().map(trend);
    now.chain(before).chain(trend).map(|question| Question { by: by.to_vec(), ..question }).collect()
}

/// The numbers for the whole of what is shown; `with_charts` also their trends in full.
pub async fn board(app: &App, filters: &Filters, with_charts: bool) -> Result<Board, AppError> {
    let mut asked = questions(filters, &[]);
    if with_charts {
        let before = |words: &Words| Question { bucket: filters.bucket, extent: Extent::Values, ..filters.question_before(words.id) };
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
