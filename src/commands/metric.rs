//! `flowgauge metric`: one question, answered from a data folder or by a server, the same as the API answers.

use super::{Place, Remote};
use crate::server_client::Client;
use crate::table::Columns;
use clap::{Args, ValueEnum};
use flowgauge_query::question::Question;
use serde_json::Value;

#[derive(Debug, Args)]
pub struct Metric {
    /// Which metric, as `lead_time`
    id: String,
    /// Start of the window: RFC 3339, a date, `now-30d` [default: now-90d]
    #[arg(long)]
    from: Option<String>,
    /// End of the window, not included [default: now]
    #[arg(long)]
    to: Option<String>,
    /// What was known at that moment [default: now]
    #[arg(long)]
    as_of: Option<String>,
    /// none, day, week or month
    #[arg(long)]
    bucket: Option<String>,
    /// Time zone of the buckets, as `Europe/Berlin`
    #[arg(long)]
    tz: Option<String>,
    /// One series for each team, service, environment …
    #[arg(long)]
    by: Option<String>,
    #[arg(long)]
    team: Vec<String>,
    #[arg(long)]
    service: Vec<String>,
    #[arg(long)]
    environment: Vec<String>,
    #[arg(long)]
    app: Vec<String>,
    #[arg(long)]
    repo: Vec<String>,
    #[arg(long)]
    pipeline: Vec<String>,
    /// production (the default for deployments), staging, testing, development, other or all
    #[arg(long)]
    tier: Option<String>,
    /// By whose definitions: devlake_2023, datadog … [default: those of the configuration]
    #[arg(long)]
    preset: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Csv,
}

impl Metric {
    fn parameters(&self) -> Vec<(String, String)> {
        let single = [
            ("from", &self.from),
            ("to", &self.to),
            ("as_of", &self.as_of),
            ("bucket", &self.bucket),
            ("tz", &self.tz),
            ("by", &self.by),
            ("tier", &self.tier),
            ("preset", &self.preset),
        ];
        let several = [
            ("team", &self.team),
            ("service", &self.service),
            ("environment", &self.environment),
            ("app", &self.app),
            ("repo", &self.repo),
            ("pipeline", &self.pipeline),
        ];
        let single = single.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        let several = several.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name.to_owned(), value.clone())));
        single.chain(several).collect()
    }

    pub async fn run(self) -> anyhow::Result<()> {
        let parameters = self.parameters();
        let answer: Value = match Client::of(&self.remote)? {
            Some(client) => client.get(&format!("/api/v1/metrics/{}", crate::server_client::encode(&self.id)), &parameters).await?,
            None => {
                // The words are checked before the folder is opened: a slip should not take a second.
                let config = self.place.configuration()?;
                let now = flowgauge_lake::clock::now();
                let question = Question::parse(&self.id, &parameters, now, config.rules.display)?;
                let app = self.place.open_existing().await?;
                serde_json::to_value(app.engine().ask(&app.tenant(), &question, now).await?.as_ref())?
            }
        };
        match self.format {
            Format::Json => super::say(&serde_json::to_string_pretty(&answer)?),
            Format::Csv => super::say(Columns::of_answer(&answer).csv().trim_end()),
            Format::Table => super::say(Columns::of_answer(&answer).text().trim_end()),
        }
        Ok(())
    }
}
