//! `flowgauge backfill git`: the commit graph of a repository, with parents, times and files, which webhooks say little of.

use super::{Place, Remote};
use crate::server_client::Client;
use bytes::Bytes;
use clap::{Args, Subcommand};
use flowgauge_ingest::git::{GitError, History};
use flowgauge_ingest::{People, own_event, own_lines};
use flowgauge_lake::model::{Observation, Source, Table, Tenant, Time, repo_name};
use flowgauge_query::definitions::seconds;
use std::path::PathBuf;
use tokio::sync::mpsc;

#[derive(Debug, Args)]
pub struct Backfill {
    #[command(subcommand)]
    source: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Commits with parents, times and files, from a clone or an address
    Git(Git),
}

#[derive(Clone, Debug, Args)]
struct Git {
    /// A clone, a bare repository, or an http(s) address
    #[arg(value_name = "PATH_OR_URL")]
    address: String,
    /// Name of the repository, `host/path` [default: its origin's address]
    #[arg(long, value_name = "HOST/PATH")]
    repo: Option<String>,
    /// Only what was committed since: `90d`, `2026-01-01`
    #[arg(long)]
    since: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    remote: Remote,
}

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
        let commits = send_history(&self.address, &repo, since, clones, async |lines| match (&client, &app) {
            (Some(client), _) => client.send_rows(Table::Commit, lines).await.map(drop),
            (None, Some(app)) => store(app, lines).await,
            (None, None) => Ok(()),
        })
        .await?;
        if let Some(app) = app {
            app.flush().await?;
        }
        super::say(&format!("{commits} commits of {repo}"));
        Ok(())
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

/// Reads the history of a repository and hands it on as rows of `commits`, chunk by chunk; gives how many commits there were.
pub async fn send_history(
    address: &str,
    repo: &str,
    since: Option<Time>,
    clones: PathBuf,
    mut send: impl AsyncFnMut(Bytes) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let (address, repo) = (address.to_owned(), repo.to_owned());
    // Reading git blocks; rows are sent while the next are read.
    let (sender, mut chunks) = mpsc::channel::<Vec<Observation>>(2);
    let reading = tokio::task::spawn_blocking(move || {
        let history = History { address: &address, repo: &repo, since, into: &clones };
        history.for_each_chunk::<GitError>(&People::Clear, |chunk| {
            // Nobody listens any more once sending has failed; its error is the one to tell.
            sender.blocking_send(chunk).ok();
            Ok(())
        })
    });
    let mut commits = 0;
    while let Some(chunk) = chunks.recv().await {
        commits += chunk.len();
        send(own_lines(&chunk)).await?;
    }
    reading.await??;
    Ok(commits)
}

async fn store(app: &flowgauge_web::App, lines: Bytes) -> anyhow::Result<()> {
    let event = own_event(Tenant::default(), Source::new("git"), Table::Commit, lines, app.now())?;
    app.lake().append(vec![event]).await?;
    Ok(())
}

fn moment(text: &str, now: Time) -> anyhow::Result<Time> {
    let back = seconds(text).map(|seconds| now.plus_seconds(-seconds));
    back.or_else(|| flowgauge_query::question::time(text, now))
        .ok_or_else(|| crate::exit::Usage(format!("--since `{text}`: write `90d` or `2026-01-01`")).into())
}
