//! `flowgauge import`: files of our own schema, named by table. Each file is taken in as a whole or not at all; taking it in again
//! changes nothing.

use super::{Place, Remote};
use crate::server_client::Client;
use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use flowgauge_ingest::own_event;
use flowgauge_lake::model::{Source, Tenant};
use flowgauge_lake::{ImportError, import_files, read_file};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Import {
    /// Files named by table (deployments.ndjson, commits.csv, jobs.parquet), or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    remote: Remote,
}

impl Import {
    pub async fn run(self) -> anyhow::Result<()> {
        let mut files = Vec::new();
        for path in &self.paths {
            files.extend(import_files(path).map_err(usage)?.into_iter().map(|(_, file)| file));
        }
        let client = Client::of(&self.remote)?;
        let app = if client.is_none() { Some(self.place.open().await?) } else { None };
        let (mut rows, mut new) = (0, 0);
        for file in &files {
            let chunks = read_file(file).map_err(usage)?;
            rows += chunks.iter().map(|(_, chunk)| chunk.iter().filter(|&&b| b == b'\n').count()).sum::<usize>();
            if let Some(client) = &client {
                for (table, chunk) in chunks {
                    new += usize::from(client.send_rows(table, chunk.into()).await.with_context(|| file.display().to_string())?);
                }
            } else if let Some(app) = &app {
                let events = chunks
                    .into_iter()
                    .map(|(table, chunk)| own_event(Tenant::default(), Source::new("import"), table, Bytes::from(chunk), app.now()));
                let events = events.collect::<Result<Vec<_>, _>>().with_context(|| file.display().to_string())?;
                // One request to the journal: the file is in as a whole or not at all.
                let receipts = app.lake().append(events).await?;
                new += receipts.iter().filter(|receipt| !receipt.duplicate).count();
            }
        }
        if let Some(app) = app {
            app.flush().await?;
        }
        let known = if new == 0 { ", all known already" } else { "" };
        super::say(&format!("{rows} rows in {} files{known}", files.len()));
        Ok(())
    }
}

fn usage(error: ImportError) -> anyhow::Error {
    crate::exit::Usage(error.to_string()).into()
}
