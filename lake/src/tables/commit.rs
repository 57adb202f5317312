//! Changing a table: files are written first, and belong to it with one commit.

use super::delta::{APPLICATION, Delta, TableFile};
use super::rows::{conform, sorted};
use crate::LakeError;
use crate::store::blocking;
use arrow::array::RecordBatch;
use deltalake_core::DeltaTableError;
use deltalake_core::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TableReference, TransactionError};
use deltalake_core::kernel::{Action, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::config::TablePropertiesExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::collections::BTreeSet;

/// How often a commit is tried while other writers are faster.
const ATTEMPTS: usize = 5;

/// Files that are written and not committed.
#[derive(Default)]
pub(crate) struct Staged(pub(super) Vec<Action>);

impl Staged {
    pub fn extend(&mut self, more: Staged) {
        self.0.extend(more.0);
    }
}

/// What staged files take the place of.
pub(super) enum Replaced<'a> {
    Nothing,
    /// All that a tenant has in these periods.
    Periods(&'a str, &'a BTreeSet<String>),
    /// These files, whose rows the staged ones hold. If one is gone, another writer has changed the partition, and nothing is done.
    Files(BTreeSet<&'a Path>),
}

impl Replaced<'_> {
    fn has(&self, file: &TableFile) -> bool {
        match self {
            Replaced::Nothing => false,
            Replaced::Periods(tenant, periods) => file.tenant == *tenant && periods.contains(&file.period),
            Replaced::Files(paths) => paths.contains(&file.path),
        }
    }
}

impl Delta {
    /// Writes rows as sorted files, one for each partition.
    pub async fn stage(&mut self, batch: RecordBatch) -> Result<Staged, LakeError> {
        self.ensure_exists().await?;
        let schema = self.schema()?;
        let indexed = self.table.snapshot().map_err(self.failed())?.table_config().num_indexed_cols();
        let batch = {
            let (schema, order, failed) = (schema.clone(), self.layout.order.clone(), self.failed());
            blocking(move || conform(&batch, &schema).and_then(|batch| sorted(&batch, &order, false)).map_err(failed)).await?
        };
        let partitions = vec!["tenant".to_owned(), self.layout.partition.to_owned()];
        let config = WriterConfig::new(schema, partitions, Some(self.properties()), None, None, indexed, None);
        let mut writer = DeltaWriter::new(self.table.object_store(), config);
        writer.write(&batch).await.map_err(self.failed())?;
        Ok(Staged(writer.close().await.map_err(self.failed())?.into_iter().map(Action::Add).collect()))
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

    /// Adds staged files and says up to which event of the journal they reach.
    pub async fn append(&mut self, staged: Staged, seq: u64) -> Result<(), LakeError> {
        self.land(staged, self.writing(SaveMode::Append), Some(seq), Replaced::Nothing).await
    }

    /// Puts `batch` in the place of everything that a tenant has in some periods.
    pub async fn replace(&mut self, tenant: &str, periods: &BTreeSet<String>, batch: RecordBatch) -> Result<(), LakeError> {
        if !self.exists() && batch.num_rows() == 0 {
            return Ok(());
        }
        let staged = self.stage(batch).await?;
        self.land(staged, self.writing(SaveMode::Overwrite), None, Replaced::Periods(tenant, periods)).await
    }

    fn writing(&self, mode: SaveMode) -> DeltaOperation {
        let partition_by = Some(vec!["tenant".to_owned(), self.layout.partition.to_owned()]);
        DeltaOperation::Write { mode, partition_by, predicate: None }
    }

    /// The actions that remove what is replaced; `None` if it is not there any more.
    async fn removals(&self, replaced: &Replaced<'_>) -> Result<Option<Vec<Action>>, LakeError> {
        let views = match replaced {
            Replaced::Nothing => return Ok(Some(Vec::new())),
            _ => self.views().await?,
        };
        let data_change = !matches!(replaced, Replaced::Files(_));
        let removed = views.iter().filter(|view| replaced.has(&self.described(view)));
        let actions: Vec<_> = removed.map(|view| Action::Remove(view.remove_action(data_change))).collect();
        let all = !matches!(replaced, Replaced::Files(files) if files.len() != actions.len());
        Ok(all.then_some(actions))
    }

    /// One commit of staged files and the removal of what they replace. Tried again while other writers are faster.
    pub(super) async fn land(
        &mut self,
        staged: Staged,
        operation: DeltaOperation,
        seq: Option<u64>,
        replaced: Replaced<'_>,
    ) -> Result<(), LakeError> {
        for attempt in 1.. {
            self.refresh().await?;
            let Some(mut actions) = self.removals(&replaced).await? else {
                self.discard(&staged).await;
                return Ok(());
            };
            actions.extend(staged.0.iter().cloned());
            if actions.is_empty() && seq.is_none() {
                return Ok(());
            }
            let Err(error) = self.commit(actions, operation.clone(), seq).await else { return Ok(()) };
            // Without a fresh look at the log nobody knows what became of the commit, and the files stay.
            self.refresh().await?;
            let landed = match seq {
                Some(seq) => self.committed().await? >= seq,
                None => self.holds(&staged).await?,
            };
            if landed {
                tracing::warn!(table = self.layout.name, %error, "a commit was made, but what follows it failed");
                return Ok(());
            }
            if !is_conflict(&error) || attempt == ATTEMPTS {
                self.discard(&staged).await;
                let reason = error.to_string();
                let table = self.layout.name;
                return Err(if is_conflict(&error) { LakeError::Conflict { table, reason } } else { LakeError::Table { table, reason } });
            }
            tracing::warn!(table = self.layout.name, %error, "another writer was faster, trying again");
        }
        unreachable!("the attempts are counted")
    }

    async fn commit(&mut self, actions: Vec<Action>, operation: DeltaOperation, seq: Option<u64>) -> Result<(), DeltaTableError> {
        let mut properties = CommitProperties::default();
        if let Some(seq) = seq {
            let version = i64::try_from(seq).map_err(|error| DeltaTableError::Generic(error.to_string()))?;
            properties = properties.with_application_transaction(Transaction::new(APPLICATION, version));
        }
        let state = self.table.snapshot()?.clone();
        self.stale = true;
        let commit = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&state as &dyn TableReference), self.table.log_store(), operation)
            .await?;
        self.table.state = Some(commit.snapshot());
        self.committed = seq.or(self.committed);
        self.stale = false;
        Ok(())
    }

    async fn holds(&self, staged: &Staged) -> Result<bool, LakeError> {
        let paths: BTreeSet<Path> = self.files().await?.into_iter().map(|file| file.path).collect();
        Ok(!staged.0.is_empty() && staged.paths().all(|path| paths.contains(&path)))
    }

    /// Deletes files that were staged and will not be committed: a disk that is full must not fill further with every attempt.
    /// What cannot be deleted stays and harms nobody.
    pub async fn discard(&self, staged: &Staged) {
        let Ok(files) = self.files().await else { return };
        let current: BTreeSet<Path> = files.into_iter().map(|file| file.path).collect();
        let store = self.table.object_store();
        for path in staged.paths().filter(|path| !current.contains(path)) {
            let _ = store.delete(&path).await;
        }
    }
}

impl Staged {
    fn paths(&self) -> impl Iterator<Item = Path> {
        self.0.iter().filter_map(|action| match action {
            Action::Add(add) => Path::parse(&add.path).ok(),
            _ => None,
        })
    }
}

fn is_conflict(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction { source: TransactionError::CommitConflict(_) | TransactionError::MaxCommitAttempts(_) }
    )
}
