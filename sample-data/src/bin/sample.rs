//! Writes the sample shop to files, or counts what is in it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flowgauge_sample_data::Shop;
use serde::Serialize;
use serde_json::Value;

const USAGE: &str = "usage: flowgauge-sample deliveries|truth|git --out DIR [--seed N] [--shift WEEKS]
       flowgauge-sample stats [--seed N] [--shift WEEKS]";

struct Arguments {
    command: String,
    out: Option<PathBuf>,
    seed: u64,
    shift: i64,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let command = words.next().ok_or(USAGE)?;
    let mut arguments = Arguments { command, out: None, seed: 1, shift: 0 };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"))?;
        match word.as_str() {
            "--out" => arguments.out = Some(value.into()),
            "--seed" => arguments.seed = value.parse()?,
            "--shift" => arguments.shift = value.parse()?,
            _ => return Err(format!("unknown argument {word}\n{USAGE}").into()),
        }
    }
    Ok(arguments)
}

/// A delivery as one line of NDJSON.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    headers: BTreeMap<&'a str, &'a str>,
    body: Value,
}

fn write_deliveries(shop: &Shop, dir: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let mut files: BTreeMap<&str, BufWriter<File>> = BTreeMap::new();
    for delivery in shop.deliveries() {
        let file = match files.entry(delivery.hook) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert(BufWriter::new(File::create(dir.join(format!("{}.ndjson", delivery.hook)))?))
            }
        };
        let line = Line {
            at: delivery.at.to_rfc3339(),
            headers: delivery.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            body: serde_json::from_slice(&delivery.body)?,
        };
        serde_json::to_writer(&mut *file, &line)?;
        file.write_all(b"\n")?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the program is asked for")]
fn print_stats(shop: &Shop) {
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut services: BTreeMap<&str, usize> = BTreeMap::new();
    let mut total = 0;
    for ((hook, kind, service), count) in shop.counts() {
        *kinds.entry((hook, kind)).or_default() += count;
        *services.entry(service).or_default() += count;
        total += count;
    }
    for ((hook, kind), count) in kinds {
        println!("{hook:<10} {kind:<22} {count:>7}");
    }
    println!();
    for (service, count) in services {
        println!("{service:<33} {count:>7}");
    }
    println!("\n{:<33} {total:>7}", "deliveries");
    for (table, rows) in &shop.truth().tables {
        println!("{table:<33} {:>7}", rows.len());
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let out = || arguments.out.as_deref().ok_or_else(|| format!("{} needs --out DIR", arguments.command));
    let shop = Shop::generate(arguments.seed, arguments.shift);
    match arguments.command.as_str() {
        "deliveries" => write_deliveries(&shop, out()?)?,
        "truth" => shop.truth().write(out()?)?,
        "git" => shop.write_git(out()?)?,
        "stats" => print_stats(&shop),
        other => return Err(format!("unknown command {other}\n{USAGE}").into()),
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the last words of the program")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowgauge-sample: {error}");
            ExitCode::FAILURE
        }
    }
}
