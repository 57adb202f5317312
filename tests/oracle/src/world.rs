//! A world: the rows of every table, as they would be imported.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::{fs, io};

use serde_json::Value;

use crate::facts::{Facts, Folded};
use crate::fold::canonical;
use crate::generate;
use crate::row::Row;
use crate::time::Time;

/// Rows by table name. What follows from them is worked out once and kept.
#[derive(Default)]
pub struct World {
    tables: BTreeMap<String, Vec<Row>>,
    folded: OnceLock<Folded>,
    facts: Mutex<BTreeMap<Time, Arc<Facts>>>,
}

impl World {
    pub fn new(tables: BTreeMap<String, Vec<Row>>) -> World {
        World { tables, ..World::default() }
    }

    pub fn tables(&self) -> &BTreeMap<String, Vec<Row>> {
        &self.tables
    }

    pub fn into_tables(self) -> BTreeMap<String, Vec<Row>> {
        self.tables
    }

    /// Reads every `<table>.ndjson` of the folder.
    pub fn read(dir: &Path) -> io::Result<World> {
        let mut tables = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_none_or(|e| e != "ndjson") {
                continue;
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let rows =
                fs::read_to_string(&path)?.lines().filter(|l| !l.trim().is_empty()).map(serde_json::from_str).collect::<Result<_, _>>()?;
            tables.insert(name, rows);
        }
        Ok(World::new(tables))
    }

    /// Writes `<table>.ndjson`, a canonical row a line: the columns of DESIGN section 4 in alphabetical order, times in UTC.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        for (table, rows) in &self.tables {
            let lines: String = rows.iter().map(|r| Value::Object(canonical(r)).to_string() + "\n").collect();
            fs::write(dir.join(format!("{table}.ndjson")), lines)?;
        }
        Ok(())
    }

    /// A rich world; the same for the same seed.
    pub fn random(seed: u64) -> World {
        World::new(generate::world(seed))
    }

    pub(crate) fn folded(&self) -> &Folded {
        self.folded.get_or_init(|| Folded::new(&self.tables))
    }

    pub(crate) fn facts(&self, as_of: Time) -> Arc<Facts> {
        let mut known = self.facts.lock().expect("no one panicked with the lock");
        known.entry(as_of).or_insert_with(|| Arc::new(Facts::new(self.folded(), as_of))).clone()
    }
}
