//! `flowgauge query`: one SQL statement that only reads.

use super::metric::Format;
use super::{Place, Remote};
use crate::server_client::Client;
use crate::table::Columns;
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct Query {
    /// The statement: `select * from deployment_facts limit 10`
    statement: String,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    remote: Remote,
}

impl Query {
    pub async fn run(self) -> anyhow::Result<()> {
        let rows: Value = match Client::of(&self.remote)? {
            Some(client) => client.post("/api/v1/sql", &json!({"query": self.statement})).await?,
            None => {
                let app = self.place.open_existing().await?;
                let batches = app.sql().query(&app.tenant(), &self.statement, app.now()).await?;
                flowgauge_web::json_rows(&batches)?
            }
        };
        match self.format {
            Format::Json => super::say(&serde_json::to_string_pretty(&rows)?),
            Format::Csv => super::say(Columns::of_rows(&rows).csv().trim_end()),
            Format::Table => super::say(Columns::of_rows(&rows).text().trim_end()),
        }
        Ok(())
    }
}
