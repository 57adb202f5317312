//! The fold: the latest state of an entity out of its observations, column by column. Commutative and idempotent, so order and
//! repetition of arrival never matter. The time of receipt never orders anything.

use super::json::cell_to_json;
use super::{Cell, Column, ColumnType, Outcome, Row, TableSpec, Time};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// How strongly a row speaks: state first, then the latest moment it tells of. Where both are equal, the canonical JSON decides.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    progress: u8,
    latest: Option<Time>,
}

/// Rows that share one key, ranked.
struct Ranked<'a> {
    spec: &'a TableSpec,
    rows: &'a [Row],
    ranks: Vec<Rank>,
}

impl Ranked<'_> {
    fn speaks_louder(&self, a: usize, b: usize) -> bool {
        let json = |i: usize| canonical_json(self.spec, &self.rows[i]);
        self.ranks[a].cmp(&self.ranks[b]).then_with(|| json(a).cmp(&json(b))).is_gt()
    }
}

/// The row's own columns without nulls, keys in order: equal for equal observations, whoever received them and when.
pub fn canonical_json(spec: &TableSpec, row: &Row) -> String {
    let mut pairs: Vec<(&str, Value)> = spec
        .columns
        .iter()
        .zip(&row.cells)
        .filter(|(_, cell)| !cell.is_null())
        .map(|(column, cell)| (column.name, cell_to_json(cell, column.kind)))
        .collect();
    if let Some(at) = row.updated_at {
        pairs.push(("updated_at", Value::String(at.to_string())));
    }
    if !row.cleared.is_empty() {
        let mut cleared = row.cleared.clone();
        cleared.sort();
        pairs.push(("cleared", cleared.into()));
    }
    pairs.sort_by_key(|(name, _)| *name);
    Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()).to_string()
}

fn state(spec: &TableSpec, row: &Row) -> Option<Outcome> {
    let at = spec.column("outcome").or_else(|| spec.column("result"))?;
    row.cells[at].as_text().and_then(Outcome::parse)
}

fn rank(spec: &TableSpec, row: &Row) -> Rank {
    let latest = spec
        .columns
        .iter()
        .zip(&row.cells)
        .filter(|(column, _)| column.name.ends_with("_at"))
        .filter_map(|(_, cell)| if let Cell::Time(at) = cell { Some(*at) } else { None })
        .chain(row.updated_at)
        .max();
    Rank { progress: state(spec, row).map_or(0, Outcome::progress), latest }
}

/// The folded cells of rows that share one key. `rows` must not be empty.
pub fn fold(spec: &TableSpec, rows: &[Row]) -> Vec<Cell> {
    if let [only] = rows {
        return only.cells.clone();
    }
    let ranked = Ranked { spec, rows, ranks: rows.iter().map(|row| rank(spec, row)).collect() };
    let mut cells: Vec<Cell> = (0..spec.columns.len()).map(|column| fold_column(&ranked, column)).collect();
    if spec.name == "deployments" {
        first_report_of_the_outcome(spec, rows, &mut cells);
    }
    cells
}

fn fold_column(ranked: &Ranked<'_>, column: usize) -> Cell {
    let Ranked { spec, rows, .. } = ranked;
    let name = spec.columns[column].name;
    let speaking = (0..rows.len()).filter(|&i| !rows[i].cells[column].is_null() || rows[i].cleared.iter().any(|c| c == name));
    let mut dated: Option<usize> = None;
    let mut undated: Option<usize> = None;
    for i in speaking {
        match rows[i].updated_at {
            Some(at) => {
                let wins = dated.is_none_or(|best| match at.cmp(&rows[best].updated_at.unwrap_or(Time::MIN)) {
                    Ordering::Equal => ranked.speaks_louder(i, best),
                    order => order.is_gt(),
                });
                if wins {
                    dated = Some(i);
                }
            }
            None => {
                if undated.is_none_or(|best| ranked.speaks_louder(i, best)) {
                    undated = Some(i);
                }
            }
        }
    }
    let winner = match (dated, undated) {
        (Some(a), Some(b)) if ranked.speaks_louder(a, b) => Some(a),
        (Some(_), Some(b)) => Some(b),
        (a, b) => a.or(b),
    };
    winner.map_or(Cell::Null, |i| rows[i].cells[column].clone())
}

/// A deployment finished when its outcome was *first* reported: providers move the time later on
/// (a superseded deployment is "updated" when the next one comes).
fn first_report_of_the_outcome(spec: &TableSpec, rows: &[Row], cells: &mut [Cell]) {
    let (Some(outcome), Some(finished)) = (spec.column("outcome"), spec.column("finished_at")) else { return };
    let first = rows
        .iter()
        .filter(|row| row.cells[outcome] == cells[outcome])
        .filter_map(|row| if let Cell::Time(at) = row.cells[finished] { Some(at) } else { None })
        .min();
    if let Some(at) = first {
        cells[finished] = Cell::Time(at);
    }
}

/// The cell of a column that nothing was said about.
pub(super) fn blank(column: &Column) -> Cell {
    if column.is_nullable() {
        return Cell::Null;
    }
    match column.kind {
        ColumnType::Text | ColumnType::Sha => Cell::Text(String::new()),
        ColumnType::Choice(choices) => Cell::Text(choices[0].to_owned()),
        ColumnType::Shas | ColumnType::Texts => Cell::Texts(Vec::new()),
        ColumnType::Integer => Cell::Integer(0),
        ColumnType::Real => Cell::Real(0.0),
        ColumnType::Flag => Cell::Flag(false),
        ColumnType::Time => Cell::Time(Time::default()),
        ColumnType::Records(_) => Cell::Records(Vec::new()),
    }
}
