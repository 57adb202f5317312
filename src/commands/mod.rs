//! One file per subcommand.

pub mod backfill;
pub mod check_config;
pub mod compare;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod import;
pub mod metric;
pub mod query;
pub mod serve;

use clap::Args;
use flowgauge_web::App;
use flowgauge_web::config::{Config, Overrides};
use std::path::PathBuf;

/// Where the data and the configuration are: every command takes these.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// The data folder
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Place {
    fn overrides(&self, listen: Option<String>) -> Overrides {
        Overrides { config: self.config.clone(), data: self.data.clone(), listen }
    }

    fn configuration(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.overrides(None))?)
    }

    /// Opens the data folder, without a server.
    async fn open(&self) -> anyhow::Result<App> {
        Ok(App::open(self.configuration()?, self.overrides(None)).await?)
    }

    /// As `open`, for commands that only read: a folder that is not there is a slip, not a new lake.
    async fn open_existing(&self) -> anyhow::Result<App> {
        let folder = self.configuration()?.data;
        if !folder.is_dir() {
            return Err(crate::exit::Usage(format!(
                "there is no data folder `{}`; name it with --data, or ask a server with --server URL",
                folder.display()
            ))
            .into());
        }
        self.open().await
    }
}

/// A server to ask instead of a data folder.
#[derive(Clone, Debug, Default, Args)]
pub struct Remote {
    /// Ask a running server instead of a data folder
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// File with the token that the server wants
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
}

/// What a command has to say, on standard output.
#[expect(clippy::print_stdout, reason = "the one place where commands print")]
fn say(text: &str) {
    println!("{text}");
}
