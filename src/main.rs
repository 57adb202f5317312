//! `flowgauge`: reads the command line and hands over. One file per subcommand under `commands/`.

mod commands;
mod exit;
mod server_client;
mod table;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Folding and reading events is mostly allocation, and what a load leaves free should go back to the machine.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures software delivery: takes in what pipelines, deployments, Argo CD and incidents say, answers with DORA metrics,
/// pipeline analytics and GitOps drift.
#[derive(Debug, Parser)]
#[command(name = "flowgauge", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, and it lives as long as the process")]
enum Command {
    /// Takes in webhooks and serves pages, API and /metrics
    Serve(commands::serve::Serve),
    /// Loads the sample shop through the real receivers and serves it
    Demo(commands::demo::Demo),
    /// Takes in files named by table: deployments.ndjson, commits.csv, jobs.parquet
    Import(commands::import::Import),
    /// Brings history: `backfill git PATH_OR_URL`
    Backfill(commands::backfill::Backfill),
    /// Answers one question about a metric
    Metric(commands::metric::Metric),
    /// Compares two windows: what has changed, by how much, and whether that is more than chance
    Compare(commands::compare::Compare),
    /// Tells why a value is what it is: its rows, its statement, the raw events
    Explain(commands::explain::Explain),
    /// Tells what a change of definitions does to the numbers, and which rows moved
    Diff(commands::diff::Diff),
    /// Runs one SQL statement that only reads
    Query(commands::query::Query),
    /// Reads the configuration and says what it means
    CheckConfig(commands::check_config::CheckConfig),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failed(&anyhow::Error::new(error).context("cannot start")),
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Serve(command) => command.run().await,
            Command::Demo(command) => command.run().await,
            Command::Import(command) => command.run().await,
            Command::Backfill(command) => command.run().await,
            Command::Metric(command) => command.run().await,
            Command::Compare(command) => command.run().await,
            Command::Explain(command) => command.run().await,
            Command::Diff(command) => command.run().await,
            Command::Query(command) => command.run().await,
            Command::CheckConfig(command) => command.run(),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failed(&error),
    }
}
