//! `/explain/{id}`: why a value is what it is, down to the raw events. Shows what `/api/v1/explain/{id}` answers.

use super::address;
use super::failure::Stop;
use super::format::{self, Moment};
use super::visit::{Shell, Visit};
use crate::api::{Parameters, explain_page};
use crate::app::App;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono_tz::Tz;
use flowgauge_lake::model::Time;
use flowgauge_query::explain::{About, ExplainedRow, Explanation, PointId};
use flowgauge_query::question::{Question, Tiers};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use serde_json::Value;

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    shell: Shell,
    title: &'static str,
    labels: Vec<(&'static str, String)>,
    value: String,
    exact: String,
    facts: Vec<(&'static str, String)>,
    /// What the value was when the address was made, where it was another.
    then: Option<String>,
    definition: String,
    sql: &'static str,
    excluded: Vec<(String, String)>,
    rows: Vec<RowView>,
    row_count: String,
    previous: Option<String>,
    next: Option<String>,
    json: String,
}

/// A row of `scope`.
struct RowView {
    what: String,
    moment: Option<Moment>,
    columns: Vec<(String, String)>,
    left_out: Option<String>,
    about: Vec<AboutView>,
}

/// An entity and its raw events.
struct AboutView {
    table: String,
    name: String,
    href: Option<String>,
    raw: Vec<String>,
}

pub async fn page(State(app): State<App>, Path(id): Path<String>, visit: Visit) -> Response {
    let page = show(&app, &visit, &id).await;
    visit.answer(page)
}

async fn show(app: &App, visit: &Visit, id: &str) -> Result<ExplainPage, Stop> {
    let mut parameters = Parameters::of(&visit.query);
    let theme = parameters.take("theme");
    let page = explain_page(&mut parameters)?;
    parameters.only([])?;
    let asked = PointId::parse(id)?;
    let explanation = app.engine().explain(&app.tenant(), &asked, page, app.now()).await?;
    let tz = app.engine().rules().display.tz;
    let mut shell = visit.shell(&format!("{}: how this number was made", explanation.title), None);
    shell.data_as_of = explanation.data_as_of.as_deref().and_then(Time::parse).map(|at| Moment::new(at, tz));
    let unit = explanation.unit;
    let place = |offset: usize| {
        let offset = (offset > 0).then(|| offset.to_string());
        let pairs = [("offset", offset.as_deref()), ("theme", theme.as_deref())];
        address::with_query(&visit.path, pairs.into_iter().filter_map(|(name, value)| Some((name, value?))))
    };
    let value = |value: Option<f64>| value.map_or("no value".to_owned(), |value| format::value(unit, value));
    let then = (!explanation.is_same).then(|| {
        let why = if explanation.then.definition == explanation.definition.hash { "other data" } else { "other definitions" };
        format!(
            "{}, out of {why} (received until {})",
            value(explanation.then.value),
            explanation.then.data_as_of.as_deref().unwrap_or("the beginning")
        )
    });
    Ok(ExplainPage {
        title: explanation.title,
        labels: labels(&explanation, &asked.question),
        value: value(explanation.point.value),
        exact: explanation.point.value.map(|value| format::exact(unit, value)).unwrap_or_default(),
        facts: facts(&explanation, tz),
        then,
        definition: definition(explanation.definition.text),
        sql: explanation.sql,
        excluded: explanation.point.excluded.iter().map(|(reason, count)| (format::words(reason), format::grouped(*count))).collect(),
        rows: explanation.rows.iter().map(|row| row_view(row, tz)).collect(),
        row_count: format::counted(explanation.row_count as i64, "row", "rows"),
        previous: (page.offset > 0).then(|| place(page.offset.saturating_sub(page.limit))),
        next: explanation.next_offset.map(place),
        json: format!("/api/v1/explain/{id}"),
        shell,
    })
}

/// Which part of everything it is about: the point's own labels, and what the question let through.
fn labels(explanation: &Explanation, question: &Question) -> Vec<(&'static str, String)> {
    let own = explanation.labels.iter().map(|(name, value)| (*name, value.clone()));
    let filters = question.filters.iter().map(|(dimension, values)| (dimension.as_str(), values.join(" or ")));
    let tier = match question.tiers {
        Tiers::Default => None,
        Tiers::All => Some(("tier", "all".to_owned())),
        Tiers::One(tier) => Some(("tier", tier.as_str().to_owned())),
    };
    own.chain(filters.filter(|(name, _)| !explanation.labels.contains_key(name))).chain(tier).collect()
}

fn facts(explanation: &Explanation, tz: Tz) -> Vec<(&'static str, String)> {
    let moment = |text: &str| Time::parse(text).map_or_else(|| text.to_owned(), |at| Moment::new(at, tz).text);
    let point = &explanation.point;
    let mut facts = vec![
        ("From", moment(&point.start)),
        ("To", moment(&point.end)),
        ("As of", moment(&explanation.window.as_of)),
        ("n", format::grouped(point.n)),
        ("Status", format::words(point.status.as_str())),
    ];
    let of = |name, value: Option<f64>| value.map(|value| (name, value.to_string()));
    facts.extend(of("Numerator", point.numerator));
    facts.extend(of("Denominator", point.denominator));
    facts.extend(point.coverage.map(|coverage| ("Coverage", format::ratio(coverage))));
    if let Some(interval) = &point.ci {
        let side = |side: Option<f64>| side.map_or("open".to_owned(), |value| format::value(explanation.unit, value));
        facts.push(("95 % interval", format!("{} to {} ({})", side(interval.lo), side(interval.hi), format::words(&interval.method))));
    }
    facts.push(("Definitions", format!("{} {}", explanation.definition.preset, explanation.definition.hash)));
    facts
}

/// The documentation as HTML, without its title; it stands under a heading of the page, so its own are one step lower.
fn definition(text: &str) -> String {
    let below_title = text.split_once('\n').map_or("", |(_, rest)| rest);
    let events = Parser::new_ext(below_title, Options::ENABLE_TABLES).filter_map(|event| match event {
        // Links lead to files beside it.
        Event::Start(Tag::Link { .. }) | Event::End(TagEnd::Link) => None,
        Event::Start(Tag::Heading { level, id, classes, attrs }) => {
            Some(Event::Start(Tag::Heading { level: lower(level), id, classes, attrs }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lower(level)))),
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        event => Some(event),
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    // Markdown has no table without a heading, and no word for whose heading a cell is. Text is escaped: these are no one's words.
    page.replace("<thead><tr><th></th><th></th></tr></thead>", "").replace("<th>", "<th scope=\"col\">")
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    if level == HeadingLevel::H2 { HeadingLevel::H3 } else { HeadingLevel::H4 }
}

fn row_view(row: &ExplainedRow, tz: Tz) -> RowView {
    let text = |value: &Value| match value {
        Value::String(text) => Time::parse(text).map_or_else(|| text.clone(), |at| Moment::new(at, tz).text),
        other => other.to_string(),
    };
    let hidden = ["what", "series", "bucket", "at", "reason"];
    RowView {
        what: row.row.get("what").and_then(Value::as_str).map(format::words).unwrap_or_default(),
        moment: row.row.get("at").and_then(Value::as_str).and_then(Time::parse).map(|at| Moment::new(at, tz)),
        columns: row
            .row
            .iter()
            .filter(|(name, _)| !hidden.contains(&name.as_str()))
            .map(|(name, value)| (format::words(name), text(value)))
            .collect(),
        left_out: row.left_out.as_deref().map(format::words),
        about: row.about.iter().map(about_view).collect(),
    }
}

fn about_view(about: &About) -> AboutView {
    let list = match about.table {
        "deployments" | "incidents" => Some(about.table),
        "pipeline_runs" => Some("runs"),
        "gitops_observations" => Some("applications"),
        _ => None,
    };
    // The thing itself is named by one part of its key.
    let part = if about.table == "pipeline_runs" { 1 } else { 0 };
    let item = list
        .zip(about.key.get(part))
        .map(|(list, id)| address::with_query(&address::item(list, id), about.source.iter().map(|source| ("source", source.as_str()))));
    AboutView {
        table: format::words(about.table),
        name: about.key.join(" "),
        href: item,
        raw: about.raw_events.iter().map(|id| format!("/api/v1/raw/{id}")).collect(),
    }
}
