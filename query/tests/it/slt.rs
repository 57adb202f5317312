//! Every metric against numbers that were worked out by hand: `metrics/**/*.slt`, beside the formula, and every preset against those
//! of `definitions/*.slt`. A file has a database of its
//! own; `load <table>` takes JSON rows of the public schema, anything else is SQL with `metric(…)`, asked at a fixed moment.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::prelude::SessionContext;
use flowgauge_lake::model::{EventId, Row, Source, Table, Tenant, Time, row_from_json};
use flowgauge_lake::{AppliedEvent, Feed, FeedBatch};
use flowgauge_query::definitions::presets;
use flowgauge_query::{Engine, MetricFunction, Rules};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner, strict_column_validator};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The moment at which every file asks.
const NOW: &str = "2026-07-01T00:00:00Z";

/// What went wrong, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

fn refused(error: impl std::fmt::Display) -> Refused {
    Refused(error.to_string())
}

struct Database {
    engine: Arc<Engine>,
    context: SessionContext,
}

impl Database {
    fn new() -> Self {
        let (engine, context) = (Engine::new(Rules::default()), SessionContext::new());
        let now = Time::parse(NOW).expect("a time");
        context.register_udtf("metric", Arc::new(MetricFunction::new(engine.clone(), Tenant::default(), now)));
        Database { engine, context }
    }

    fn load(&self, table: &str, lines: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let table = Table::parse(table.trim()).ok_or_else(|| Refused(format!("there is no table `{table}`")))?;
        let rows: Vec<(Table, Row)> = lines.lines().map(|line| Ok((table, row(table, line)?))).collect::<Result<_, Refused>>()?;
        let count = rows.len() as u64;
        let event = AppliedEvent {
            tenant: Tenant::default(),
            source: Source::new("import"),
            kind: table.name().to_owned(),
            event_id: EventId::default(),
            received_at: Time::from_seconds(0),
            event: String::new(),
            problem: None,
            unknown: false,
            rows,
        };
        self.engine.apply(FeedBatch { events: vec![event], live: false });
        self.engine.refresh();
        Ok(DBOutput::StatementComplete(count))
    }
}

fn row(table: Table, line: &str) -> Result<Row, Refused> {
    let value = serde_json::from_str(line).map_err(refused)?;
    let observation = row_from_json(table, &value).map_err(refused)?;
    Ok(Row {
        tenant: Tenant::default(),
        source: observation.source.unwrap_or_else(|| Source::new("import")),
        ingested_at: Time::from_seconds(0),
        raw_event_id: EventId::default(),
        updated_at: observation.updated_at,
        cleared: observation.cleared,
        cells: observation.entity.into_cells(),
    })
}

#[async_trait]
impl AsyncDB for Database {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        if let Some((table, lines)) = sql.strip_prefix("load ").and_then(|rest| rest.split_once('\n')) {
            return self.load(table, lines);
        }
        let frame = self.context.sql(sql).await.map_err(refused)?;
        let types = frame.schema().fields().iter().map(|field| column_type(field.data_type())).collect();
        let batches = frame.collect().await.map_err(refused)?;
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(texts(batch)?);
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

fn column_type(of: &DataType) -> DefaultColumnType {
    match of {
        DataType::Int64 => DefaultColumnType::Integer,
        DataType::Float64 => DefaultColumnType::FloatingPoint,
        DataType::Utf8 | DataType::Utf8View => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

fn texts(batch: &RecordBatch) -> Result<Vec<Vec<String>>, Refused> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).map_err(refused));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let text = |column: &ArrayFormatter<'_>, row| match column.value(row).to_string() {
        text if text.is_empty() => "(empty)".to_owned(),
        text => text,
    };
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|column| text(column, row)).collect()).collect())
}

/// Every file under a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of this crate");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn metrics_agree_with_the_numbers_worked_out_by_hand() {
    run("metrics");
}

#[test]
fn presets_agree_with_the_numbers_worked_out_by_hand() {
    assert_eq!(run("definitions"), presets::names().count() - 1, "each preset but the default has its file");
}

/// Runs the files below a folder of the crate; gives how many there are.
fn run(folder: &str) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (mut count, mut failures) = (0, Vec::new());
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
        if path.extension().is_none_or(|extension| extension != "slt") {
            continue;
        }
        count += 1;
        let mut runner = Runner::new(|| async { Ok(Database::new()) });
        runner.with_column_validator(strict_column_validator);
        if let Err(error) = runtime.block_on(runner.run_file_async(&path)) {
            failures.push(error.display(false).to_string());
        }
    }
    println!("{count} files");
    assert!(failures.is_empty(), "{} of {count} files:\n{}", failures.len(), failures.join("\n\n"));
    count
}
