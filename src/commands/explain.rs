//! `flowgauge explain`: why a value is what it is, out of a data folder or from a server, as the API says it.

use super::{Place, Remote};
use crate::server_client::{Client, encode};
use crate::table::Columns;
use clap::{Args, ValueEnum};
use flowgauge_query::explain::{Page, PointId};
use serde_json::Value;

/// Rows at once.
const ROWS: usize = 1000;

#[derive(Debug, Args)]
pub struct Explain {
    /// What stands as `explain` beside a value; the whole address will do
    id: String,
    /// The first row to show
    #[arg(long, default_value_t = 0)]
    offset: usize,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

impl Explain {
    pub async fn run(self) -> anyhow::Result<()> {
        let id = self.id.rsplit('/').next().unwrap_or_default();
        let page = Page { offset: self.offset, limit: ROWS };
        let explanation: Value = match Client::of(&self.remote)? {
            Some(client) => {
                let parameters = [("offset", page.offset), ("limit", page.limit)].map(|(name, value)| (name.to_owned(), value.to_string()));
                client.get(&format!("/api/v1/explain/{}", encode(id)), &parameters).await?
            }
            None => {
                let id = PointId::parse(id)?;
                let app = self.place.open_existing().await?;
                serde_json::to_value(app.engine().explain(&app.tenant(), &id, page, app.now()).await?)?
            }
        };
        match self.format {
            Format::Json => super::say(&serde_json::to_string_pretty(&explanation)?),
            Format::Text => super::say(text(&explanation).trim_end()),
        }
        Ok(())
    }
}

/// For people: what was counted, by which statement, and what stands behind each row.
fn text(explanation: &Value) -> String {
    let said = |pointer: &str| explanation.pointer(pointer).map(plain).unwrap_or_default();
    let labels = explanation["labels"].as_object().into_iter().flatten();
    let labels: String = labels.map(|(name, value)| format!(" {name}={}", plain(value))).collect();
    let mut text = format!(
        "{}{labels}: {} {} (n {}, {}, coverage {})\n",
        said("/title"),
        said("/point/value"),
        said("/unit"),
        said("/point/n"),
        said("/point/status"),
        said("/point/coverage")
    );
    text.push_str(&format!(
        "{} to {}, as of {}; definitions {} {}\n",
        said("/point/start"),
        said("/point/end"),
        said("/window/as_of"),
        said("/definition/preset"),
        said("/definition/hash")
    ));
    if explanation["is_same"] == false {
        text.push_str(&format!(
            "when the id was made it was {} (definitions {}, data as of {})\n",
            said("/then/value"),
            said("/then/definition"),
            said("/then/data_as_of")
        ));
    }
    text.push_str(&format!("left out: {}\n\n{}\n\n", said("/point/excluded"), said("/sql").trim_end()));
    let rows = explanation["rows"].as_array().into_iter().flatten().map(|row| {
        let mut shown = row["row"].as_object().cloned().unwrap_or_default();
        ["series", "bucket"].iter().for_each(|name| drop(shown.remove(*name)));
        shown.insert("left_out".into(), row["left_out"].clone());
        let about = row["about"].as_array().into_iter().flatten();
        let names = |name: &str| {
            let parts = about.clone().flat_map(|about| about[name].as_array().into_iter().flatten().map(plain));
            parts.collect::<Vec<_>>().join(" ")
        };
        shown.insert("of".into(), names("key").into());
        shown.insert("raw_events".into(), names("raw_events").into());
        Value::Object(shown)
    });
    text.push_str(&Columns::of_rows(&Value::Array(rows.collect())).text());
    if let Some(next) = explanation["next_offset"].as_u64() {
        text.push_str(&format!("\n{} rows in all; --offset {next} goes on", said("/row_count")));
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
