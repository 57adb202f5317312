//! A value in a row, and the type of a column.

use super::Time;
use std::hash::{Hash, Hasher};

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    #[default]
    Null,
    Text(String),
    Texts(Vec<String>),
    Integer(i64),
    Real(f64),
    Flag(bool),
    Time(Time),
    /// A list of small records, each in the order of the column's fields.
    Records(Vec<Vec<Cell>>),
}

/// Numbers by their bits: what was written the same way hashes the same.
impl Hash for Cell {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Cell::Null => {}
            Cell::Text(text) => text.hash(state),
            Cell::Texts(texts) => texts.hash(state),
            Cell::Integer(number) => number.hash(state),
            Cell::Real(number) => number.to_bits().hash(state),
            Cell::Flag(flag) => flag.hash(state),
            Cell::Time(at) => at.hash(state),
            Cell::Records(records) => records.hash(state),
        }
    }
}

impl Cell {
    pub fn is_null(&self) -> bool {
        matches!(self, Cell::Null)
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColumnType {
    Text,
    /// A commit id: lower-case hex; 40 zeros mean "no commit" and read as null.
    Sha,
    Shas,
    Texts,
    Integer,
    Real,
    Flag,
    Time,
    Choice(&'static [&'static str]),
    Records(&'static [(&'static str, ColumnType)]),
}

impl ColumnType {
    /// The type in words, as `docs/schema.md` prints it.
    pub fn name(self) -> String {
        match self {
            ColumnType::Text => "text".into(),
            ColumnType::Sha => "sha (lower-case hex)".into(),
            ColumnType::Shas => "list of sha".into(),
            ColumnType::Texts => "list of text".into(),
            ColumnType::Integer => "int64".into(),
            ColumnType::Real => "float64".into(),
            ColumnType::Flag => "boolean".into(),
            ColumnType::Time => "timestamp(us, UTC)".into(),
            ColumnType::Choice(choices) => choices.join(" \\| "),
            ColumnType::Records(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, kind)| format!("{name}: {}", kind.name())).collect();
                format!("list of ({})", fields.join(", "))
            }
        }
    }
}

/// A Rust type that a column can hold.
pub trait Value: Sized {
    const TYPE: ColumnType;
    fn into_cell(self) -> Cell;
    fn from_cell(cell: &Cell) -> Option<Self>;
}

macro_rules! value {
    ($rust:ty, $type:expr, $variant:ident) => {
        impl Value for $rust {
            const TYPE: ColumnType = $type;
            fn into_cell(self) -> Cell {
                Cell::$variant(self)
            }
            fn from_cell(cell: &Cell) -> Option<Self> {
                match cell {
                    Cell::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
        }
    };
}
value!(String, ColumnType::Text, Text);
value!(Vec<String>, ColumnType::Texts, Texts);
value!(i64, ColumnType::Integer, Integer);
value!(f64, ColumnType::Real, Real);
value!(bool, ColumnType::Flag, Flag);
value!(Time, ColumnType::Time, Time);

/// Optional columns: null is `None`.
impl<V: Value> Value for Option<V> {
    const TYPE: ColumnType = V::TYPE;
    fn into_cell(self) -> Cell {
        self.map_or(Cell::Null, V::into_cell)
    }
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => V::from_cell(cell).map(Some),
        }
    }
}
