//! The fact tables: written a month at a time, read back as they are.

use crate::LakeError;
use crate::model::arrow::{fact_batch, fact_schema};
use crate::model::facts::FactTable;
use crate::model::{Cell, Tenant};
use crate::store::Inner;
use crate::tables::{BatchStream, conform, with_constant};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

impl Inner {
    /// Replaces the months named; one without rows is emptied.
    pub async fn write_facts(&self, table: FactTable, tenant: &Tenant, months: BTreeMap<String, Vec<Vec<Cell>>>) -> Result<(), LakeError> {
        let failed = LakeError::table(table.name());
        let mut batches: Vec<RecordBatch> = Vec::with_capacity(months.len());
        for (month, rows) in &months {
            let columns = table.spec().columns.len();
            if let Some(row) = rows.iter().find(|row| row.len() != columns) {
                let reason = format!("a row has {} cells for {columns} columns", row.len());
                return Err(LakeError::Table { table: table.name(), reason });
            }
            let rows: Vec<(&Tenant, &[Cell])> = rows.iter().map(|cells| (tenant, cells.as_slice())).collect();
            batches.push(with_constant(&fact_batch(table.spec(), &rows), "month", month).map_err(&failed)?);
        }
        let Some(first) = batches.first() else { return Ok(()) };
        let batch = concat_batches(&first.schema(), &batches).map_err(&failed)?;
        let periods: BTreeSet<String> = months.into_keys().collect();
        self.tables.facts[&table].lock().await.replace(tenant.as_str(), &periods, batch).await
    }

    pub async fn fact_batches(&self, table: FactTable, tenant: &Tenant) -> Result<BatchStream, LakeError> {
        let delta = self.tables.facts[&table].lock().await;
        let mut files = delta.files().await?;
        files.retain(|file| file.tenant == tenant.as_str());
        let files: Vec<_> = files.iter().map(|file| delta.file(file)).collect();
        let schema = fact_schema(table.spec());
        let batches = stream::iter(files).then(|file| file.read(None)).try_flatten();
        Ok(batches.map(move |batch| conform(&batch?, &schema).map_err(LakeError::table(table.name()))).boxed())
    }
}
