//! One Delta table: made at the first write, appended to, replaced by partition, compacted, vacuumed.
//!
//! The protocol stays at reader 1 and writer 2 (no deletion vectors, no column mapping), so that every engine reads it.

use super::BatchStream;
use super::durable::DurableFiles;
use super::file::{Batches, FileReader};
use super::rows::{Order, with_constant};
use crate::LakeError;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::{LogicalFileView, StructField};
use deltalake_core::{DeltaTable, DeltaTableBuilder, TableProperty};
use futures::future::ready;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::Arc;
use url::Url;

/// Who commits; the version of its transaction is the journal's sequence number that the commit reaches.
pub(super) const APPLICATION: &str = "flowgauge";

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
    pub(super) layout: Layout,
    pub(super) table: DeltaTable,
    /// The last transaction of this application; `None` until it was looked up.
    pub(super) committed: Option<u64>,
    /// A commit failed since the log was read.
    pub(super) stale: bool,
    /// Milliseconds: files removed up to here are deleted already.
    pub(super) vacuumed_until: i64,
    /// Bytes of rows in files that a compaction has looked at.
    pub(super) weights: BTreeMap<Path, u64>,
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
        let mut delta = Delta { layout, table, committed: None, stale: false, vacuumed_until: i64::MIN, weights: BTreeMap::new() };
        if delta.exists() {
            delta.add_missing_columns().await?;
        }
        Ok(delta)
    }

    pub(super) fn exists(&self) -> bool {
        self.table.state.is_some()
    }

    pub(super) fn failed<E: std::fmt::Display>(&self) -> impl Fn(E) -> LakeError + Send + use<E> {
        LakeError::table(self.layout.name)
    }

    /// Reads the log again after a commit that failed, for it may have been made all the same.
    pub(super) async fn refresh(&mut self) -> Result<(), LakeError> {
        if self.stale {
            self.table.update_state().await.map_err(self.failed())?;
            self.committed = None;
            self.stale = false;
        }
        Ok(())
    }

    /// The journal's sequence number up to which this table has everything.
    pub async fn committed(&mut self) -> Result<u64, LakeError> {
        self.refresh().await?;
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

    pub(super) async fn views(&self) -> Result<Vec<LogicalFileView>, LakeError> {
        let Some(state) = &self.table.state else { return Ok(Vec::new()) };
        let log = self.table.log_store();
        state.snapshot().file_views(log.as_ref(), None).try_collect().await.map_err(self.failed())
    }

    pub(super) fn described(&self, view: &LogicalFileView) -> TableFile {
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

    pub(super) async fn ensure_exists(&mut self) -> Result<(), LakeError> {
        self.refresh().await?;
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
    pub(super) fn schema(&self) -> Result<SchemaRef, LakeError> {
        let state = self.table.snapshot().map_err(self.failed())?;
        Ok(state.snapshot().arrow_schema())
    }
}

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

    /// Bytes of its rows, not compressed.
    pub async fn weight(mut self) -> Result<u64, LakeError> {
        self.reader.weight().await.map_err(LakeError::table(self.table))
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
