//! `flowgauge compare`: before and after, out of a data folder or from a server, as the API says it.

use super::{Place, Remote};
use crate::server_client::Client;
use crate::table::Columns;
use clap::{Args, ValueEnum};
use flowgauge_query::compare::Comparison;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct Compare {
    /// The window before, `A..B`: RFC 3339, dates, `now-60d..now-30d`
    #[arg(long, value_name = "A..B")]
    before: String,
    /// The window after, `C..D`, from the end of the one before on
    #[arg(long, value_name = "C..D")]
    after: String,
    #[arg(long)]
    team: Vec<String>,
    #[arg(long)]
    service: Vec<String>,
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
}

impl Compare {
    fn parameters(&self) -> Vec<(String, String)> {
        let windows = [("before", &self.before), ("after", &self.after)].into_iter();
        let teams = self.team.iter().map(|team| ("team", team));
        let services = self.service.iter().map(|service| ("service", service));
        windows.chain(teams).chain(services).map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    pub async fn run(self) -> anyhow::Result<()> {
        let parameters = self.parameters();
        let answer: Value = match Client::of(&self.remote)? {
            Some(client) => client.get("/api/v1/compare", &parameters).await?,
            None => {
                // The words are checked before the folder is opened: a slip should not take a second.
                let config = self.place.configuration()?;
                let now = flowgauge_lake::clock::now();
                let comparison = Comparison::parse(&parameters, now, config.rules.display)?;
                let app = self.place.open_existing().await?;
                serde_json::to_value(app.engine().compare(&app.tenant(), &comparison, now).await?)?
            }
        };
        match self.format {
            Format::Json => super::say(&serde_json::to_string_pretty(&answer)?),
            Format::Table => super::say(table(&answer).trim_end()),
        }
        Ok(())
    }
}

/// A line for each figure, and what each kind of effect means.
fn table(answer: &Value) -> String {
    let figures = answer["data"].as_array().into_iter().flatten();
    let line = |figure: &Value| {
        json!({
            "figure": figure["metric"],
            "unit": figure["unit"],
            "before": rounded(&figure["before"]["value"]),
            "n_before": figure["before"]["n"],
            "after": rounded(&figure["after"]["value"]),
            "n_after": figure["after"]["n"],
            "effect": rounded(&figure["effect"]["value"]),
            "ci_lo": rounded(&figure["effect"]["ci"]["lo"]),
            "ci_hi": rounded(&figure["effect"]["ci"]["hi"]),
            "kind": figure["effect"]["kind"],
            "p_adjusted": rounded(&figure["p_adjusted"]),
            "verdict": figure["verdict"].as_str().unwrap_or_default().replace('_', " "),
            "raw_change": rounded(&figure["mix"]["raw_change"]),
            "mix_adjusted": rounded(&figure["mix"]["change"]),
        })
    };
    let lines: Vec<Value> = figures.clone().map(line).collect();
    let said = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut text = format!(
        "before {} to {}, after {} to {}\n\n{}\n",
        said("/before/from"),
        said("/before/to"),
        said("/after/from"),
        said("/after/to"),
        Columns::of_rows(&Value::Array(lines)).text()
    );
    for figure in figures.filter(|figure| figure["mix"]["reversed"] == true) {
        let name = figure["metric"].as_str().unwrap_or_default();
        text.push_str(&format!("\n{name}: only the services' shares moved it this way; with those of before it goes the other way"));
    }
    text
}

/// To six digits, which is more than there is to know.
fn rounded(number: &Value) -> Value {
    let Some(number) = number.as_f64() else { return Value::Null };
    let scale = 10_f64.powi(5 - number.abs().max(f64::MIN_POSITIVE).log10().floor() as i32);
    let shown = (number * scale).round() / scale;
    json!(if shown.is_finite() { shown } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, shown) in
            [(json!(0.065_244_9), "0.0652449"), (json!(1.0 / 3.0), "0.333333"), (json!(-32_400.0), "-32400.0"), (json!(0), "0.0")]
        {
            assert_eq!(rounded(&number).to_string(), shown);
        }
        assert_eq!(rounded(&Value::Null), Value::Null);
    }
}
