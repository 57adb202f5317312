//! One Delta table: made at the first write, appended to, replaced by partition, compacted, vacuumed.
//!
//! The protocol stays at reader 1 and writer 2 (no deletion vectors, no column mapping), so that every engine reads it.

use super::BatchStream;
use super::durable::DurableFiles;
use super::file::{Batches, FileReader};
use super::rows::{Order, conform, sorted, with_constant};
use crate::LakeError;
use crate::model::Time;
use crate::store::blocking;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use deltalake_core::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TableReference, TransactionError};
use deltalake_core::kernel::{Action, LogicalFileView, StructField, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::config::TablePropertiesExt;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError, TableProperty};
use futures::future::ready;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::Arc;
use url::Url;

/// Who commits; the version of its transaction is the journal's sequence number that the commit reaches.
const APPLICATION: &str = "flowgauge";
const ATTEMPTS: usize = 5;
/// More small files than this in one partition are merged.
const SMALL_FILES: usize = 8;
/// Bytes from which a file is left as it is.
const AT_REST: u64 = 64 << 20;
/// How long a removed file can still be read: longer than any query.
const RETENTION_SECONDS: i64 = 3600;

/// What a table is, before it is there.
#[derive(Debug)]
pub(super) struct Layout {
    pub name: &'static str,
    /// With the partition column.
    pub schema: SchemaRef,
    /// `day` or `month`, beside `tenant`.
    pub partition: &'static str,
    pub order: Order,
    /// Columns that are long and never looked for: no statistics, no dictionary.
    pub opaque: &'static [&'static str],
    /// Rows that lie together in a file, and are read together.
    pub group_rows: usize,
}

/// A file of a table, as the log tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableFile {
    pub tenant: String,
    /// The value of the partition column: a day or a month.
    pub period: String,
    pub path: Path,
    pub size: u64,
}

pub(crate) struct Delta {
    layout: Layout,
    table: DeltaTable,
    /// The last transaction of this application; `None` until it was looked up or after an error.
    committed: Option<u64>,
    /// Milliseconds: files removed up to here are deleted already.
    vacuumed_until: i64,
}

impl Delta {
    pub(super) async fn open(folder: &FilePath, layout: Layout) -> Result<Delta, LakeError> {
        let failed = LakeError::table(layout.name);
        let url = Url::from_directory_path(folder.join(layout.name))
            .map_err(|()| LakeError::table(layout.name)("its folder's path is not absolute"))?;
        let builder = DeltaTableBuilder::from_url(url.clone()).map_err(&failed)?;
        let mut table = builder.with_storage_backend(Arc::new(DurableFiles::new()), url).build().map_err(&failed)?;
        if table.verify_deltatable_existence().await.map_err(&failed)? {
            table.load().await.map_err(&failed)?;
        }
        let mut delta = Delta { layout, table, committed: None, vacuumed_until: i64::MIN };
        if delta.exists() {
            delta.add_missing_columns().await?;
        }
        Ok(delta)
    }

    fn exists(&self) -> bool {
        self.table.state.is_some()
    }

    fn failed<E: std::fmt::Display>(&self) -> impl Fn(E) -> LakeError + Send + use<E> {
        LakeError::table(self.layout.name)
    }

    /// The journal's sequence number up to which this table has everything.
    pub async fn committed(&mut self) -> Result<u64, LakeError> {
        if let Some(seq) = self.committed {
            return Ok(seq);
        }
        let seq = match &self.table.state {
            None => 0,
            Some(state) => {
                let version = state.transaction_version(self.table.log_store().as_ref(), APPLICATION).await;
                version.map_err(self.failed())?.and_then(|version| u64::try_from(version).ok()).unwrap_or(0)
            }
        };
        self.committed = Some(seq);
        Ok(seq)
    }

    async fn views(&self) -> Result<Vec<LogicalFileView>, LakeError> {
        let Some(state) = &self.table.state else { return Ok(Vec::new()) };
        let log = self.table.log_store();
        state.snapshot().file_views(log.as_ref(), None).try_collect().await.map_err(self.failed())
    }

    fn described(&self, view: &LogicalFileView) -> TableFile {
        let mut values = view.partition_values_map();
        let mut value = |name: &str| values.remove(name).flatten().unwrap_or_default();
        TableFile {
            tenant: value("tenant"),
            period: value(self.layout.partition),
            path: view.object_store_path(),
            size: u64::try_from(view.size()).unwrap_or_default(),
        }
    }

    /// The files of the table as it is now, in order of tenant, period and path.
    pub async fn files(&self) -> Result<Vec<TableFile>, LakeError> {
        let mut files: Vec<TableFile> = self.views().await?.iter().map(|view| self.described(view)).collect();
        files.sort_by(|a, b| (&a.tenant, &a.period, &a.path).cmp(&(&b.tenant, &b.period, &b.path)));
        Ok(files)
    }

    /// What opens files of this table without its lock.
    pub fn opener(&self) -> Files {
        Files { store: self.table.object_store(), table: self.layout.name, partition: self.layout.partition }
    }

    pub fn file(&self, file: &TableFile) -> StoredFile {
        self.opener().open(file)
    }

    /// Writes rows as files that belong to nothing yet.
    pub async fn stage(&mut self, batch: RecordBatch) -> Result<Staged, LakeError> {
        self.ensure_exists().await?;
        Ok(Staged(self.write(&batch).await?))
    }

    /// Adds staged files and says up to which event of the journal they reach, in one commit.
    pub async fn append(&mut self, staged: Vec<Staged>, seq: u64) -> Result<(), LakeError> {
        let actions: Vec<Action> = staged.into_iter().flat_map(|staged| staged.0).collect();
        let mut attempt = 1;
        loop {
            let Err(error) = self.commit(actions.clone(), self.writing(SaveMode::Append), Some(seq)).await else { return Ok(()) };
            // The commit may have been made though its answer was lost: its transaction tells.
            if self.committed().await? >= seq {
                return Ok(());
            }
            self.give_up(error, &mut attempt)?;
        }
    }

    /// Puts `batch` in the place of everything that a tenant has in some periods, in one commit.
    pub async fn replace(&mut self, tenant: &str, periods: &BTreeSet<String>, batch: RecordBatch) -> Result<(), LakeError> {
        if !self.exists() && batch.num_rows() == 0 {
            return Ok(());
        }
        self.ensure_exists().await?;
        let added = self.write(&batch).await?;
        let mut attempt = 1;
        loop {
            let (_, mut actions) = self.removals(true, |file| file.tenant == tenant && periods.contains(&file.period)).await?;
            actions.extend(added.iter().cloned());
            if actions.is_empty() {
                return Ok(());
            }
            let Err(error) = self.commit(actions, self.writing(SaveMode::Overwrite), None).await else { return Ok(()) };
            self.give_up(error, &mut attempt)?;
        }
    }

    /// Merges the small files of a partition where there are many of them, and keeps a repeated row once. Returns how many partitions were.
    pub async fn compact(&mut self) -> Result<usize, LakeError> {
        let mut small: BTreeMap<(String, String), Vec<TableFile>> = BTreeMap::new();
        for file in self.files().await? {
            if file.size < AT_REST {
                small.entry((file.tenant.clone(), file.period.clone())).or_default().push(file);
            }
        }
        let mut count = 0;
        for files in small.into_values().filter(|files| files.len() > SMALL_FILES) {
            self.merge(&files).await?;
            count += 1;
        }
        Ok(count)
    }

    async fn merge(&mut self, files: &[TableFile]) -> Result<(), LakeError> {
        let schema = self.schema()?;
        let mut batches = Vec::new();
        for file in files {
            let stored = self.file(file).read(None).await?;
            let batch = stored.and_then(|batch| ready(conform(&batch, &schema).map_err(self.failed())));
            batches.extend(batch.try_collect::<Vec<_>>().await?);
        }
        let (order, failed) = (self.layout.order.clone(), self.failed());
        let merged =
            blocking(move || concat_batches(&schema, &batches).and_then(|batch| sorted(&batch, &order, true)).map_err(failed)).await?;
        let mut added = self.write(&merged).await?;
        for action in &mut added {
            if let Action::Add(add) = action {
                add.data_change = false;
            }
        }
        let paths: BTreeSet<&Path> = files.iter().map(|file| &file.path).collect();
        let mut attempt = 1;
        loop {
            let (found, mut actions) = self.removals(false, |file| paths.contains(&file.path)).await?;
            if found != paths.len() {
                // Another writer has changed the partition; the files just written belong to nothing.
                return Ok(());
            }
            actions.extend(added.iter().cloned());
            let operation = DeltaOperation::Optimize { predicate: None, target_size: AT_REST as i64 };
            let Err(error) = self.commit(actions, operation, None).await else { return Ok(()) };
            self.give_up(error, &mut attempt)?;
        }
    }

    /// Deletes files that the log has said for more than `RETENTION` are removed. Nothing else is ever deleted.
    pub async fn vacuum(&mut self, now: Time) -> Result<usize, LakeError> {
        let Some(state) = &self.table.state else { return Ok(0) };
        let until = now.plus_seconds(-RETENTION_SECONDS).micros() / 1000;
        let log = self.table.log_store();
        let current: BTreeSet<Path> = self.files().await?.into_iter().map(|file| file.path).collect();
        let tombstones: Vec<_> = state.all_tombstones(log.as_ref()).try_collect().await.map_err(self.failed())?;
        let store = self.table.object_store();
        let mut count = 0;
        for tombstone in tombstones {
            let due = tombstone.deletion_timestamp().is_some_and(|at| at > self.vacuumed_until && at <= until);
            let path = Path::parse(tombstone.path()).unwrap_or_else(|_| Path::from(tombstone.path().as_ref()));
            if due && !current.contains(&path) {
                match store.delete(&path).await {
                    Ok(()) => count += 1,
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.failed()(error)),
                }
            }
        }
        self.vacuumed_until = until;
        Ok(count)
    }

    /// How many of the present files match, and the actions that remove them.
    async fn removals(&self, data_change: bool, matches: impl Fn(&TableFile) -> bool) -> Result<(usize, Vec<Action>), LakeError> {
        let views = self.views().await?;
        let removed = views.iter().filter(|view| matches(&self.described(view)));
        let actions: Vec<_> = removed.map(|view| Action::Remove(view.remove_action(data_change))).collect();
        Ok((actions.len(), actions))
    }

    async fn ensure_exists(&mut self) -> Result<(), LakeError> {
        if self.exists() {
            return Ok(());
        }
        let schema: deltalake_core::kernel::StructType = self.layout.schema.as_ref().try_into_kernel().map_err(self.failed())?;
        let created = self
            .table
            .create()
            .with_table_name(self.layout.name)
            .with_columns(schema.fields().cloned())
            .with_partition_columns(["tenant", self.layout.partition])
            .with_configuration_property(TableProperty::CheckpointInterval, Some("10"))
            .await;
        self.table = created.map_err(self.failed())?;
        Ok(())
    }

    /// A later version of the schema adds columns; in the table they may be null, for the rows that are there already.
    async fn add_missing_columns(&mut self) -> Result<(), LakeError> {
        let known = self.schema()?;
        let missing: Vec<StructField> = self
            .layout
            .schema
            .fields()
            .iter()
            .filter(|field| known.field_with_name(field.name()).is_err())
            .map(|field| (&field.as_ref().clone().with_nullable(true)).try_into_kernel())
            .collect::<Result<_, _>>()
            .map_err(|error: arrow::error::ArrowError| self.failed()(error))?;
        if !missing.is_empty() {
            tracing::info!(table = self.layout.name, columns = missing.len(), "new columns are added to a table");
            self.table = self.table.clone().add_columns().with_fields(missing).await.map_err(self.failed())?;
        }
        Ok(())
    }

    /// The schema as the log has it, partition columns last.
    fn schema(&self) -> Result<SchemaRef, LakeError> {
        let state = self.table.snapshot().map_err(self.failed())?;
        Ok(state.snapshot().arrow_schema())
    }

    fn properties(&self) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(self.layout.group_rows))
            .set_created_by(concat!("flowgauge ", env!("CARGO_PKG_VERSION")).into());
        for name in self.layout.opaque {
            let path = ColumnPath::from(*name);
            properties =
                properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::None).set_column_dictionary_enabled(path, false);
        }
        properties.build()
    }

    /// Sorted files, one for each partition.
    async fn write(&self, batch: &RecordBatch) -> Result<Vec<Action>, LakeError> {
        let schema = self.schema()?;
        let indexed = self.table.snapshot().map_err(self.failed())?.table_config().num_indexed_cols();
        let batch = {
            let (batch, schema, order, failed) = (batch.clone(), schema.clone(), self.layout.order.clone(), self.failed());
            blocking(move || conform(&batch, &schema).and_then(|batch| sorted(&batch, &order, false)).map_err(failed)).await?
        };
        let partitions = vec!["tenant".to_owned(), self.layout.partition.to_owned()];
        let config = WriterConfig::new(schema, partitions, Some(self.properties()), None, None, indexed, None);
        let mut writer = DeltaWriter::new(self.table.object_store(), config);
        writer.write(&batch).await.map_err(self.failed())?;
        Ok(writer.close().await.map_err(self.failed())?.into_iter().map(Action::Add).collect())
    }

    fn writing(&self, mode: SaveMode) -> DeltaOperation {
        let partition_by = Some(vec!["tenant".to_owned(), self.layout.partition.to_owned()]);
        DeltaOperation::Write { mode, partition_by, predicate: None }
    }

    /// Only a conflict with another writer is worth another attempt.
    fn give_up(&self, error: DeltaTableError, attempt: &mut usize) -> Result<(), LakeError> {
        let conflict = matches!(
            &error,
            DeltaTableError::VersionAlreadyExists(_)
                | DeltaTableError::Transaction { source: TransactionError::CommitConflict(_) | TransactionError::MaxCommitAttempts(_) }
        );
        if !conflict {
            return Err(self.failed()(error));
        }
        *attempt += 1;
        if *attempt > ATTEMPTS {
            return Err(LakeError::Conflict { table: self.layout.name, reason: error.to_string() });
        }
        tracing::warn!(table = self.layout.name, %error, "another writer was faster, trying again");
        Ok(())
    }

    /// One commit. On an error the state is read again, for the commit may have been made all the same.
    async fn commit(&mut self, actions: Vec<Action>, operation: DeltaOperation, seq: Option<u64>) -> Result<(), DeltaTableError> {
        let mut properties = CommitProperties::default();
        if let Some(seq) = seq {
            let version = i64::try_from(seq).map_err(|error| DeltaTableError::Generic(error.to_string()))?;
            properties = properties.with_application_transaction(Transaction::new(APPLICATION, version));
        }
        let state = self.table.snapshot()?.clone();
        let commit = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&state as &dyn TableReference), self.table.log_store(), operation)
            .await;
        match commit {
            Ok(commit) => {
                self.table.state = Some(commit.snapshot());
                self.committed = seq.or(self.committed);
                Ok(())
            }
            Err(error) => {
                self.committed = None;
                self.table.update_state().await?;
                Err(error)
            }
        }
    }
}

/// Files that are written and not committed.
pub(crate) struct Staged(Vec<Action>);

pub(crate) struct Files {
    store: Arc<dyn ObjectStore>,
    table: &'static str,
    partition: &'static str,
}

impl Files {
    pub fn open(&self, file: &TableFile) -> StoredFile {
        let reader = FileReader { store: self.store.clone(), path: file.path.clone(), size: file.size };
        StoredFile { reader, file: file.clone(), table: self.table, partition: self.partition }
    }
}

/// A file with what the log says about it.
pub(crate) struct StoredFile {
    reader: FileReader,
    file: TableFile,
    table: &'static str,
    partition: &'static str,
}

impl StoredFile {
    /// All rows, or some columns of them.
    pub async fn read(self, columns: Option<&[&str]>) -> Result<BatchStream, LakeError> {
        let batches = self.reader.clone().read(columns).await.map_err(LakeError::table(self.table))?;
        Ok(self.complete(batches))
    }

    /// The rows whose text column has this value.
    pub async fn find(self, column: &str, value: &str) -> Result<BatchStream, LakeError> {
        let batches = self.reader.clone().find(column, value).await.map_err(LakeError::table(self.table))?;
        Ok(self.complete(batches))
    }

    /// The rows of a file do not repeat what its place says: tenant and period come back as columns.
    fn complete(self, batches: Batches) -> BatchStream {
        let StoredFile { file, table, partition, .. } = self;
        let complete = move |batch: RecordBatch| {
            with_constant(&batch, "tenant", &file.tenant)
                .and_then(|batch| with_constant(&batch, partition, &file.period))
                .map_err(LakeError::table(table))
        };
        batches.map_err(LakeError::table(table)).and_then(move |batch| ready(complete(batch))).boxed()
    }
}
