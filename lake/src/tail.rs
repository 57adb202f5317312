//! The hot tail: the rows of events that are journalled and not yet in a table. Their bytes stay in the journal.

use crate::model::{Cell, Row, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(crate) struct Tail {
    /// Shared, so that a flush can read the rows where waiting is allowed and still has them if it fails.
    pub rows: BTreeMap<Table, Arc<TableTail>>,
    /// The last event that is in.
    pub last: u64,
    pub events: u64,
    /// Bytes of the events' bodies.
    pub body_bytes: usize,
    /// Roughly what the rows need in memory.
    pub row_bytes: usize,
}

/// Rows in the order of their events.
#[derive(Clone, Default)]
pub(crate) struct TableTail {
    seqs: Vec<u64>,
    rows: Vec<Row>,
}

impl TableTail {
    /// The rows of the events after `seq`.
    pub fn after(&self, seq: u64) -> &[Row] {
        &self.rows[self.seqs.partition_point(|at| *at <= seq)..]
    }
}

impl Tail {
    pub fn push(&mut self, seq: u64, table: Table, row: Row) {
        self.row_bytes += weight(&row);
        let tail = Arc::make_mut(self.rows.entry(table).or_default());
        tail.seqs.push(seq);
        tail.rows.push(row);
    }

    /// Takes over what came later.
    pub fn extend(&mut self, later: Tail) {
        for (table, rows) in later.rows {
            let tail = Arc::make_mut(self.rows.entry(table).or_default());
            let TableTail { seqs, rows } = Arc::unwrap_or_clone(rows);
            tail.seqs.extend(seqs);
            tail.rows.extend(rows);
        }
        self.last = self.last.max(later.last);
        self.events += later.events;
        self.body_bytes += later.body_bytes;
        self.row_bytes += later.row_bytes;
    }

    pub fn bytes(&self) -> usize {
        self.body_bytes + self.row_bytes
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
