//! The hot tail: the rows of events that are journalled and not yet in a table. Their bytes stay in the journal.

use crate::model::{Cell, Row, Table};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Tail {
    /// Each with the sequence number of its event, in order.
    pub rows: BTreeMap<Table, Vec<(u64, Row)>>,
    /// The last event that is in.
    pub last: u64,
    pub events: u64,
    /// Bytes of the events' bodies.
    pub body_bytes: usize,
    /// Roughly what the rows need in memory.
    pub row_bytes: usize,
}

impl Tail {
    pub fn push(&mut self, seq: u64, table: Table, row: Row) {
        self.row_bytes += weight(&row);
        self.rows.entry(table).or_default().push((seq, row));
    }

    /// Takes over what came later.
    pub fn extend(&mut self, later: Tail) {
        for (table, rows) in later.rows {
            self.rows.entry(table).or_default().extend(rows);
        }
        self.last = self.last.max(later.last);
        self.events += later.events;
        self.body_bytes += later.body_bytes;
        self.row_bytes += later.row_bytes;
    }
}

fn weight(row: &Row) -> usize {
    let texts = |cell: &Cell| match cell {
        Cell::Text(text) => text.len(),
        Cell::Texts(texts) => texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
        _ => 0,
    };
    size_of::<(u64, Row)>() + row.cells.iter().map(|cell| size_of::<Cell>() + texts(cell)).sum::<usize>()
}
