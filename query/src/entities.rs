//! The entities of one tenant: every observation that was made, folded by key. The one place where order and repetition of
//! arrival stop mattering; everything after it is a function of what stands here.

use flowgauge_lake::model::{Cell, EventId, Row, Source, Table, TableSpec, Time, fold};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;

/// A key as text, injective and ordered by its first part: the key columns, then the source where it is part of the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

const SEPARATOR: &str = "\0\0";

impl Key {
    fn of(spec: &TableSpec, source: &Source, cells: &[Cell]) -> Key {
        let mut key = String::new();
        for column in spec.key_columns() {
            push_part(&mut key, &cell_part(&cells[column]));
        }
        if spec.keyed_by_source {
            push_part(&mut key, source.as_str());
        }
        Key(key)
    }
}

fn push_part(key: &mut String, part: &str) {
    if part.contains('\0') {
        key.push_str(&part.replace('\0', "\0\u{1}"));
    } else {
        key.push_str(part);
    }
    key.push_str(SEPARATOR);
}

fn cell_part(cell: &Cell) -> String {
    match cell {
        // An empty text and null are different keys.
        Cell::Null => "\u{10ffff}".to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Texts(texts) => texts.join(","),
        Cell::Integer(number) => format!("{:020}", i128::from(*number) - i128::from(i64::MIN)),
        Cell::Real(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Time(at) => format!("{:020}", i128::from(at.micros()) - i128::from(i64::MIN)),
        Cell::Records(_) => String::new(),
    }
}

/// Raw events that told nothing new and are still listed with an entity.
const MAX_REPEATS: usize = 50;

/// One entity: its distinct observations and what they fold to.
#[derive(Debug)]
pub struct Stored {
    rows: Vec<Row>,
    /// Of each row, a print of what it says: repeats are told by it.
    prints: Vec<u64>,
    /// `None` while there is only one row, which is then its own fold.
    folded: Option<Vec<Cell>>,
    /// Raw events that only repeated what was known: the latest, for somebody may repeat himself for ever.
    repeats: VecDeque<EventId>,
}

impl Stored {
    pub fn cells(&self) -> &[Cell] {
        self.folded.as_deref().unwrap_or(&self.rows[0].cells)
    }

    pub fn source(&self) -> &Source {
        &self.rows[0].source
    }

    /// The raw events behind it: those that told something, and the latest that repeated it.
    pub fn raw_events(&self) -> Vec<EventId> {
        let mut seen = HashSet::new();
        self.rows.iter().map(|row| row.raw_event_id).chain(self.repeats.iter().copied()).filter(|id| seen.insert(*id)).collect()
    }

    /// The last raw event that told something.
    pub fn last_event(&self) -> EventId {
        self.rows[self.rows.len() - 1].raw_event_id
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn updated_at(&self) -> Option<Time> {
        self.rows.iter().filter_map(|row| row.updated_at).max()
    }

    pub fn ingested_at(&self) -> Time {
        self.rows.iter().map(|row| row.ingested_at).max().unwrap_or_default()
    }

    /// Takes in one more row; where the fold changed, gives what it was.
    fn add(&mut self, spec: &TableSpec, row: Row) -> Option<Vec<Cell>> {
        let print = print(&row);
        if self.prints.contains(&print) {
            if !self.repeats.contains(&row.raw_event_id) {
                if self.repeats.len() == MAX_REPEATS {
                    self.repeats.pop_front();
                }
                self.repeats.push_back(row.raw_event_id);
            }
            return None;
        }
        self.rows.push(row);
        self.prints.push(print);
        let folded = fold(spec, &self.rows);
        if folded == self.cells() {
            return None;
        }
        let before = self.folded.replace(folded);
        Some(before.unwrap_or_else(|| self.rows[0].cells.clone()))
    }
}

/// Equal for rows that say the same, whoever received them and when.
fn print(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut cleared: Vec<&str> = row.cleared.iter().map(String::as_str).collect();
    cleared.sort_unstable();
    (&row.cells, row.updated_at, cleared).hash(&mut hasher);
    hasher.finish()
}

/// All entities of one tenant, by table and key.
#[derive(Debug, Default)]
pub struct Entities {
    tables: BTreeMap<Table, BTreeMap<Key, Stored>>,
    /// Grows with every change; the version of what the entities say.
    pub version: u64,
    /// The latest time of receipt among the rows.
    pub data_as_of: Option<Time>,
}

impl Entities {
    /// Takes in one row. Gives the cells before and after when the entity changed.
    pub fn apply(&mut self, table: Table, row: Row) -> Option<(Option<Vec<Cell>>, Vec<Cell>)> {
        let spec = table.spec();
        self.data_as_of = self.data_as_of.max(Some(row.ingested_at));
        let key = Key::of(spec, &row.source, &row.cells);
        let entities = self.tables.entry(table).or_default();
        match entities.get_mut(&key) {
            Some(stored) => {
                let before = stored.add(spec, row)?;
                self.version += 1;
                Some((Some(before), stored.cells().to_vec()))
            }
            None => {
                let after = row.cells.clone();
                let stored = Stored { prints: vec![print(&row)], rows: vec![row], folded: None, repeats: VecDeque::new() };
                entities.insert(key, stored);
                self.version += 1;
                Some((None, after))
            }
        }
    }

    /// The key of an entity with these cells.
    pub fn key(&self, table: Table, source: &Source, cells: &[Cell]) -> Key {
        Key::of(table.spec(), source, cells)
    }

    pub fn table(&self, table: Table) -> impl Iterator<Item = (&Key, &Stored)> {
        self.tables.get(&table).into_iter().flatten()
    }

    pub fn get(&self, table: Table, key: &Key) -> Option<&Stored> {
        self.tables.get(&table)?.get(key)
    }

    pub fn len(&self, table: Table) -> usize {
        self.tables.get(&table).map_or(0, BTreeMap::len)
    }

    /// The entities whose first key column is `first` (all commits of a repository).
    pub fn with_first<'a>(&'a self, table: Table, first: &str) -> impl Iterator<Item = (&'a Key, &'a Stored)> + use<'a> {
        let mut prefix = String::new();
        push_part(&mut prefix, first);
        let range = (Bound::Included(Key(prefix.clone())), Bound::Unbounded);
        self.tables
            .get(&table)
            .into_iter()
            .flat_map(move |entities| entities.range(range.clone()))
            .take_while(move |(key, _)| key.0.starts_with(&prefix))
    }
}
