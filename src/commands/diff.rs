//! `flowgauge diff`: the numbers under two configurations side by side, out of one data folder, and which rows moved.

use super::Place;
use crate::exit::Usage;
use crate::table::Columns;
use clap::{Args, ValueEnum};
use flowgauge_lake::model::Time;
use flowgauge_query::definitions;
use flowgauge_query::diff::{Side, diff};
use flowgauge_query::question;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Diff {
    /// The configuration as it was
    old: PathBuf,
    /// The configuration as it shall be
    new: PathBuf,
    /// Since when: `90d`, a date, RFC 3339
    #[arg(long, default_value = "90d")]
    since: String,
    /// Until when [default: now]
    #[arg(long)]
    until: Option<String>,
    /// Moved rows to show of each metric
    #[arg(long, default_value_t = 20)]
    rows: usize,
    /// The data folder [default: that of the new configuration]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl Diff {
    pub async fn run(self) -> anyhow::Result<()> {
        let now = flowgauge_lake::clock::now();
        let (from, to) = (moment("since", &self.since, now)?, self.until.as_ref().map_or(Ok(now), |until| moment("until", until, now))?);
        if from >= to {
            return Err(Usage(format!("--since {from} is not before --until {to}")).into());
        }
        let place = |config: &PathBuf| Place { data: self.data.clone(), config: Some(config.clone()) };
        let old = place(&self.old).configuration()?.rules;
        let app = place(&self.new).open_existing().await?;
        let (engine, tenant) = (app.engine(), app.tenant());
        let side = |facts, display| Side { facts, display, from, to, as_of: now };
        let (old, new) = (side(engine.facts_once(&tenant, &old), old.display), side(engine.facts(&tenant), engine.rules().display));
        let found = serde_json::to_value(diff(&old, &new, self.rows).await?)?;
        match self.format {
            Format::Json => super::say(&serde_json::to_string_pretty(&found)?),
            Format::Table => super::say(text(&found).trim_end()),
        }
        Ok(())
    }
}

/// As a window of a question, or how long ago.
fn moment(name: &str, text: &str, now: Time) -> Result<Time, Usage> {
    let ago = definitions::seconds(text).map(|seconds| now.plus_seconds(-seconds)).filter(|at| question::is_writable(*at));
    ago.or_else(|| question::time(text, now))
        .ok_or_else(|| Usage(format!("--{name} `{text}` is no moment: write `90d`, a date or RFC 3339")))
}

/// For people: the switches, the numbers, and of each metric what moved.
fn text(found: &Value) -> String {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let said = |pointer: &str| found.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut parts = vec![format!(
        "old  {} {}\nnew  {} {}\nfrom {} to {}",
        said("/old/preset"),
        said("/old/definition"),
        said("/new/preset"),
        said("/new/definition"),
        said("/new/from"),
        said("/new/to")
    )];
    let switches = found["switches"].as_object().into_iter().flatten();
    let switches: Vec<Value> = switches.map(|(name, pair)| json!({"switch": name, "old": pair["old"], "new": pair["new"]})).collect();
    if !switches.is_empty() {
        parts.push(Columns::of_rows(&switches.into()).text());
    }
    let metrics = list(found, "metrics");
    let line = |metric: &Value| {
        json!({
            "metric": metric["metric"], "unit": metric["unit"], "": if metric["is_changed"] == true { "*" } else { "" },
            "old": metric["old"]["value"], "n": metric["old"]["n"], "new": metric["new"]["value"], "n new": metric["new"]["n"],
            "rows moved": metric["moved"],
        })
    };
    parts.push(Columns::of_rows(&metrics.iter().map(line).collect()).text());
    for metric in metrics.iter().filter(|metric| metric["moved"].as_u64() > Some(0)) {
        let rows = list(metric, "rows");
        let keys = |row: &Value| list(row, "about").iter().map(subject).collect::<Vec<_>>().join(" + ");
        let line = |row: &Value| json!({"": row["how"], "of": keys(row), "old": states(&row["old"]), "new": states(&row["new"])});
        let mut listed = format!(
            "{}, {} rows moved\n{}",
            metric["metric"].as_str().unwrap_or_default(),
            metric["moved"],
            Columns::of_rows(&rows.iter().map(line).collect()).text()
        );
        let left = metric["moved"].as_u64().unwrap_or(0).saturating_sub(rows.len() as u64);
        if left > 0 {
            listed.push_str(&format!("\nand {left} more; --rows shows them"));
        }
        parts.push(listed);
    }
    parts.join("\n\n")
}

fn subject(about: &Value) -> String {
    let key = about["key"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    format!("{} {key}", about["table"].as_str().unwrap_or_default())
}

/// Rows in short: what they are, and why they count or do not.
fn states(rows: &Value) -> String {
    let shown = |row: &Value| {
        let words = ["what", "reason", "outcome", "since", "at", "until"].map(|name| row[name].as_str().unwrap_or_default().to_owned());
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    rows.as_array().into_iter().flatten().map(shown).collect::<Vec<_>>().join("; ")
}
