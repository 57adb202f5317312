//! `flowgauge backfill git`: the commit graph of a repository, with parents, times and files, which webhooks say little of; of a
//! configuration repository also which images its files pin.

use super::{Place, Remote};
use crate::server_client::Client;
use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use flowgauge_ingest::git::{GitError, History, Holds};
use flowgauge_ingest::{People, own_event, own_lines};
use flowgauge_lake::model::{Observation, Source, Table, Tenant, Time, repo_name};
use flowgauge_query::catalogue::RepositoryKind;
use flowgauge_query::definitions::seconds;
use flowgauge_web::json_rows;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::sync::mpsc;

#[derive(Debug, Args)]
pub struct Backfill {
    #[command(subcommand)]
    source: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Commits with parents, times and files, from a clone, a bundle or an address; of a configuration the images that it pins
    Git(Git),
}

#[derive(Clone, Debug, Args)]
struct Git {
    /// A clone, a bare repository, a bundle, or an http(s) address
    #[arg(value_name = "PATH_OR_URL")]
    address: String,
    /// Name of the repository, `host/path` [default: its origin's address]
    #[arg(long, value_name = "HOST/PATH")]
    repo: Option<String>,
    /// Only what was committed since: `90d`, `2026-01-01`
    #[arg(long)]
    since: Option<String>,
    /// What it holds [default: as configured, else config if deployments name it as theirs or its files are manifests]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Manifests that are deployed: which images they pin is read
    Config,
    /// Source code
    Source,
}

/// The repositories that deployments name as their configuration.
const CONFIG_REPOS: &str = include_str!("config_repos.sql");

impl Backfill {
    pub async fn run(self) -> anyhow::Result<()> {
        let From::Git(git) = self.source;
        git.run().await
    }
}

impl Git {
    async fn run(self) -> anyhow::Result<()> {
        let now = flowgauge_lake::clock::now();
        let since = self.since.as_deref().map(|text| moment(text, now)).transpose()?;
        let repo = self.repo_name()?;
        let client = Client::of(&self.remote)?;
        let app = if client.is_none() { Some(self.place.open().await?) } else { None };
        // An address is cloned into a folder of its own, which the next backfill only brings up to date.
        let clones = app.as_ref().map_or_else(|| std::env::temp_dir().join("flowgauge-clones"), |app| app.lake().path().join("clones"));
        let clones = clones.join(crate::server_client::encode(&repo));
        let holds = self.holds(&repo, client.as_ref(), app.as_ref()).await?;
        let sent = send_history(&self.address, &repo, since, holds, clones, async |table, lines| match (&client, &app) {
            (Some(client), _) => client.send_rows(table, lines).await.map(drop),
            (None, Some(app)) => store(app, table, lines).await,
            (None, None) => Ok(()),
        })
        .await?;
        if let Some(app) = app {
            app.flush().await?;
        }
        let pins = if sent.manifests > 0 { format!(", {} changes of pinned images", sent.manifests) } else { String::new() };
        super::say(&format!("{} commits of {repo}{pins}", sent.commits));
        Ok(())
    }

    /// What the repository holds: as the command line says, as configured, as deployments name it; else its files will tell.
    async fn holds(&self, repo: &str, client: Option<&Client>, app: Option<&flowgauge_web::App>) -> anyhow::Result<Holds> {
        match self.kind {
            Some(Kind::Config) => return Ok(Holds::Configuration),
            Some(Kind::Source) => return Ok(Holds::Source),
            None => {}
        }
        match self.place.configuration()?.rules.catalogue.kind_of_repo(repo) {
            Some(RepositoryKind::Config) => return Ok(Holds::Configuration),
            Some(RepositoryKind::Source) => return Ok(Holds::Source),
            None => {}
        }
        let named: Value = match (client, app) {
            (Some(client), _) => client.post("/api/v1/sql", &json!({"query": CONFIG_REPOS})).await?,
            (None, Some(app)) => json_rows(&app.sql().query(&app.tenant(), CONFIG_REPOS, app.now()).await?)?,
            (None, None) => Value::Null,
        };
        let is_named = named.as_array().into_iter().flatten().any(|row| row["config_repo"] == repo);
        Ok(if is_named { Holds::Configuration } else { Holds::Unknown })
    }

    fn repo_name(&self) -> anyhow::Result<String> {
        let named = match &self.repo {
            Some(repo) => repo_name(repo),
            None if self.address.contains("://") => repo_name(&self.address),
            None => flowgauge_ingest::git::origin(&self.address).and_then(|origin| repo_name(&origin)),
        };
        named.ok_or_else(|| {
            crate::exit::Usage(format!("cannot tell the repository's name from `{}`; say it with --repo host/path", self.address)).into()
        })
    }
}

/// How many rows of a history were sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub commits: usize,
    pub manifests: usize,
}

/// Reads the history of a repository and hands it on as rows, chunk by chunk.
pub async fn send_history(
    address: &str,
    repo: &str,
    since: Option<Time>,
    holds: Holds,
    clones: PathBuf,
    mut send: impl AsyncFnMut(Table, Bytes) -> anyhow::Result<()>,
) -> anyhow::Result<Sent> {
    let (address, repo) = (address.to_owned(), repo.to_owned());
    // Reading git blocks; rows are sent while the next are read.
    let (sender, mut chunks) = mpsc::channel::<Vec<Observation>>(2);
    let reading = tokio::task::spawn_blocking(move || {
        let history = History { address: &address, repo: &repo, since, into: &clones, holds };
        history.for_each_chunk::<GitError>(&People::Clear, |chunk| {
            // Nobody listens any more once sending has failed; its error is the one to tell.
            sender.blocking_send(chunk).ok();
            Ok(())
        })
    });
    let mut sent = Sent::default();
    while let Some(chunk) = chunks.recv().await {
        let (commits, manifests): (Vec<_>, Vec<_>) = chunk.into_iter().partition(|row| row.entity.table() == Table::Commit);
        sent.commits += commits.len();
        sent.manifests += manifests.len();
        for (table, rows) in [(Table::Commit, commits), (Table::Manifest, manifests)] {
            if !rows.is_empty() {
                send(table, own_lines(&rows)).await?;
            }
        }
    }
    reading.await??;
    Ok(sent)
}

async fn store(app: &flowgauge_web::App, table: Table, lines: Bytes) -> anyhow::Result<()> {
    let event = own_event(Tenant::default(), Source::new("git"), table, lines, app.now())?;
    app.lake().append(vec![event]).await?;
    Ok(())
}

fn moment(text: &str, now: Time) -> anyhow::Result<Time> {
    let back = seconds(text).map(|seconds| now.plus_seconds(-seconds));
    back.or_else(|| flowgauge_query::question::time(text, now))
        .ok_or_else(|| crate::exit::Usage(format!("--since `{text}`: write `90d` or `2026-01-01`")).into())
}
