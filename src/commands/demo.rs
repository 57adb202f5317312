//! `flowgauge demo`: the sample shop, sent through the real receivers into a folder of its own, shifted by whole weeks to end
//! yesterday, then served. No prebuilt tables: every payload is posted over HTTP, every commit read from a git repository.

use super::Place;
use super::backfill::send_history;
use super::serve::serve_until_stopped;
use crate::server_client::Client;
use anyhow::{Context, bail};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use clap::Args;
use flowgauge_ingest::git::Holds;
use flowgauge_sample_data::{Delivery, Shop};
use flowgauge_web::App;
use flowgauge_web::config::Config;
use futures::{StreamExt, TryStreamExt, stream};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::net::TcpListener;

/// The seed that the story and the expected numbers are about.
const SEED: u64 = 1;
/// The last day of the sample shop as it is generated, a Sunday.
const LAST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 6, 28).expect("a date");
/// Deliveries that are under way at once.
const CONNECTIONS: usize = 64;

#[derive(Debug, Args)]
pub struct Demo {
    /// The demo's folder
    #[arg(long, value_name = "FOLDER", default_value = "flowgauge-demo")]
    data: PathBuf,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Load the shop, print how long it took, and stop
    #[arg(long)]
    load_only: bool,
    /// Keep the shop's own dates instead of shifting them to end yesterday
    #[arg(long)]
    fixed_dates: bool,
}

impl Demo {
    pub async fn run(self) -> anyhow::Result<()> {
        flowgauge_web::log_to_stderr();
        let place = Place { data: Some(self.data.clone()), config: self.config.clone() };
        let overrides = place.overrides(Some(self.listen.clone()));
        let config = Config::load(&overrides)?;
        if !config.is_open() {
            bail!(crate::exit::Usage("the demo listens on a loopback address only: it lets everybody in".to_owned()));
        }
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}; choose another address with --listen", config.listen))?;
        let address = listener.local_addr()?;
        let app = App::open(config, overrides).await?;
        let marker = self.data.join("demo-loaded");
        let serving = tokio::spawn(serve_until_stopped(app.clone(), listener));
        if marker.exists() {
            super::say("the sample shop is there from an earlier run; remove the folder to load it anew");
        } else {
            let now = app.now().to_datetime();
            let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
            // Only as it was generated does the shop have the numbers of `sample-data/expected`.
            let (shift, until) = if self.fixed_dates { (0, DateTime::<Utc>::MAX_UTC) } else { (weeks_to_yesterday(now), today) };
            load(&app, &format!("http://{address}"), shift, until).await?;
            std::fs::write(&marker, "")?;
        }
        if self.load_only {
            app.persist_facts().await.context("the fact tables could not be written")?;
            return app.flush().await.context("what is journalled could not be moved to the tables; it is safe in the journal");
        }
        // For those who open the folder with other tools; the pages do not wait for it.
        let tables = app.clone();
        tokio::spawn(async move {
            if let Err(error) = tables.persist_facts().await {
                tracing::error!(%error, "the fact tables could not be written; they are tried again later");
            }
        });
        super::say(&format!(
            "\n  Flowgauge is at  http://{address}/\n  metrics          http://{address}/metrics\n  API              http://{address}/api/v1/metrics\n\nCtrl-C stops it; the data stays in {}",
            self.data.display()
        ));
        serving.await?
    }
}

/// The whole weeks by which the shop moves so that its last day is yesterday or up to six days later; what lies later is not told.
fn weeks_to_yesterday(now: DateTime<Utc>) -> i64 {
    let yesterday = now.date_naive() - Days::new(1);
    (yesterday - LAST_DAY).num_days().div_euclid(7) + i64::from((yesterday - LAST_DAY).num_days().rem_euclid(7) > 0)
}

async fn load(app: &App, base: &str, shift: i64, until: DateTime<Utc>) -> anyhow::Result<()> {
    super::say("making two years of a shop with twenty services …");
    let shop = tokio::task::spawn_blocking(move || Shop::generate(SEED, shift).told_until(until)).await?;
    let shop = std::sync::Arc::new(shop);
    let started = Instant::now();
    let clones = empty_folder(app.lake().path())?;
    let history = {
        let (shop, clones) = (shop.clone(), clones.clone());
        tokio::task::spawn_blocking(move || shop.write_git(&clones))
    };
    let count = shop.deliveries().len();
    super::say(&format!("posting {count} webhooks to {base}/hooks/… and reading the git history …"));
    post_all(base, &shop).await?;
    history.await?.context("cannot write the sample's git repositories")?;
    let commits = backfill(base, &clones).await?;
    std::fs::remove_dir_all(&clones).ok();
    app.lake().applied().await;
    let engine = app.engine().clone();
    tokio::task::spawn_blocking(move || engine.refresh()).await?;
    super::say(&format!("{count} webhooks and {commits} commits in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

fn empty_folder(data: &Path) -> anyhow::Result<PathBuf> {
    let folder = data.join("sample-clones");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Posts every delivery as its provider would.
async fn post_all(base: &str, shop: &std::sync::Arc<Shop>) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(CONNECTIONS).tcp_nodelay(true).build()?;
    // Making the payloads takes as long as sending them: it gets a thread of its own.
    let (sender, deliveries) = tokio::sync::mpsc::channel::<Delivery>(4 * CONNECTIONS);
    let making = {
        let shop = shop.clone();
        tokio::task::spawn_blocking(move || {
            for delivery in shop.deliveries() {
                if sender.blocking_send(delivery).is_err() {
                    return;
                }
            }
        })
    };
    let deliveries =
        stream::unfold(deliveries, |mut deliveries| async move { deliveries.recv().await.map(|delivery| (delivery, deliveries)) });
    deliveries.map(Ok).try_for_each_concurrent(CONNECTIONS, |delivery| post(&client, base, delivery)).await?;
    making.await?;
    Ok(())
}

async fn post(client: &reqwest::Client, base: &str, delivery: Delivery) -> anyhow::Result<()> {
    let mut request = client.post(format!("{base}/hooks/{}", delivery.hook)).body(delivery.body);
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    let response = request.send().await.context("a sample webhook could not be sent")?;
    if !response.status().is_success() {
        bail!("a sample webhook of {} was answered {}", delivery.hook, response.status());
    }
    Ok(())
}

/// Reads every repository `<clones>/<host>/<group>/<name>.git` and sends its commits.
async fn backfill(base: &str, clones: &Path) -> anyhow::Result<usize> {
    let client = Client::at(base, None)?;
    let mut commits = 0;
    for folder in repositories(clones)? {
        let repo = folder.strip_prefix(clones)?.with_extension("").to_string_lossy().into_owned();
        let send = async |table, lines| client.send_rows(table, lines).await.map(drop);
        commits += send_history(&folder.to_string_lossy(), &repo, None, Holds::Unknown, clones.to_owned(), send).await?.commits;
    }
    Ok(commits)
}

fn repositories(clones: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = vec![clones.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "git") {
                found.push(path);
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_reaches_yesterday() {
        for day in 0..14 {
            let now =
                NaiveDate::from_ymd_opt(2026, 11, 16).expect("a date").and_hms_opt(12, 0, 0).expect("a time").and_utc() + Days::new(day);
            let last = LAST_DAY + chrono::TimeDelta::weeks(weeks_to_yesterday(now));
            let ahead = (last - (now.date_naive() - Days::new(1))).num_days();
            assert!((0..7).contains(&ahead), "{now}: {last}");
        }
    }
}
