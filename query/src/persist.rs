//! Facts as tables that others can read: each month whose rows have changed is replaced as a whole. Questions are answered from
//! memory; this is for DuckDB, Spark and whoever else opens the folder.

use crate::engine::Engine;
use crate::facts::{by_month, fact_rows};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Cell, Tenant};
use flowgauge_lake::{Lake, LakeError};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What the tables were last written with, so that only what changed is written again.
#[derive(Debug, Default)]
pub struct Written(BTreeMap<(FactTable, String), u64>);

/// Brings the fact tables of a tenant up to date; gives how many months were written.
pub async fn persist_facts(engine: &Engine, lake: &Lake, tenant: &Tenant, written: &mut Written) -> Result<usize, LakeError> {
    let facts = engine.facts(tenant);
    let mut count = 0;
    for &table in FactTable::ALL {
        let mut months = by_month(table, fact_rows(&facts, table));
        // A month that has no rows any more is emptied.
        for (known, month) in written.0.keys() {
            if *known == table {
                months.entry(month.clone()).or_default();
            }
        }
        let prints: BTreeMap<String, u64> = months.iter().map(|(month, rows)| (month.clone(), print(rows))).collect();
        months.retain(|month, _| written.0.get(&(table, month.clone())) != prints.get(month));
        if months.is_empty() {
            continue;
        }
        count += months.len();
        let changed: Vec<String> = months.keys().cloned().collect();
        lake.write_facts(table, tenant, months).await?;
        for month in changed {
            let print = prints[&month];
            written.0.insert((table, month), print);
        }
    }
    Ok(count)
}

fn print(rows: &[Vec<Cell>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for row in rows {
        format!("{row:?}").hash(&mut hasher);
    }
    hasher.finish()
}
