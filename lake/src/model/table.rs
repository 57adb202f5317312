//! What a table is: its name, its key, its columns. Everything that must know the schema (Arrow, JSON, the docs) reads it from here.

use super::cell::{Cell, ColumnType};
use super::{EventId, Source, Tenant, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Part of the key and never null.
    Key,
    /// Part of the key; null is a value of its own.
    KeyOrNull,
    Required,
    Optional,
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnType,
    pub need: Need,
    pub doc: &'static str,
}

impl Column {
    pub fn is_key(&self) -> bool {
        matches!(self.need, Need::Key | Need::KeyOrNull)
    }

    pub fn is_nullable(&self) -> bool {
        matches!(self.need, Need::KeyOrNull | Need::Optional)
    }
}

#[derive(Debug)]
pub struct TableSpec {
    pub name: &'static str,
    pub doc: &'static str,
    pub columns: &'static [Column],
    /// Whether `source` is part of the key. Services, commits, changes and artifacts are one thing whoever speaks of them.
    pub keyed_by_source: bool,
}

impl TableSpec {
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn key_columns(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&i| self.columns[i].is_key())
    }
}

/// What one raw event says about one entity: a row of an observation table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub tenant: Tenant,
    pub source: Source,
    pub ingested_at: Time,
    pub raw_event_id: EventId,
    /// The provider's own time of change, compared first in the fold.
    pub updated_at: Option<Time>,
    /// Columns that this row takes back (an incident that reopens clears `resolved_at`).
    pub cleared: Vec<String>,
    /// In the order of the table's columns.
    pub cells: Vec<Cell>,
}

/// A field's name without Rust's mark for words that are keywords (`r#ref`).
pub(crate) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Declares a table: a struct for people who write Rust, and the same columns as data for everything else.
macro_rules! table {
    (@type key $kind:ty) => { $kind };
    (@type must $kind:ty) => { $kind };
    (@type may $kind:ty) => { Option<$kind> };
    (@type key_or_null $kind:ty) => { Option<$kind> };
    (@need key) => { $crate::model::Need::Key };
    (@need must) => { $crate::model::Need::Required };
    (@need may) => { $crate::model::Need::Optional };
    (@need key_or_null) => { $crate::model::Need::KeyOrNull };
    (@column_type sha $kind:ty) => { $crate::model::ColumnType::Sha };
    (@column_type shas $kind:ty) => { $crate::model::ColumnType::Shas };
    (@column_type $kind:ty) => { <$kind as $crate::model::cell::Value>::TYPE };
    (
        $(#[doc = $doc:literal])+
        $name:ident = $table:literal, by_source: $by_source:literal,
        { $($column:ident: $need:ident $kind:ty $(as $form:ident)? = $column_doc:literal),+ $(,)? }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $(#[doc = $column_doc] pub $column: table!(@type $need $kind)),+ }

        impl $name {
            pub const SPEC: $crate::model::TableSpec = $crate::model::TableSpec {
                name: $table,
                doc: concat!($($doc),+),
                keyed_by_source: $by_source,
                columns: &[$($crate::model::Column {
                    name: $crate::model::table::plain(stringify!($column)),
                    kind: table!(@column_type $($form)? $kind),
                    need: table!(@need $need),
                    doc: $column_doc,
                }),+],
            };

            pub fn into_cells(self) -> Vec<$crate::model::Cell> {
                use $crate::model::cell::Value;
                vec![$(self.$column.into_cell()),+]
            }

            /// The struct of a row's cells; `None` if they are not of this table's columns.
            pub fn from_cells(cells: &[$crate::model::Cell]) -> Option<Self> {
                use $crate::model::cell::Value;
                let mut cells = cells.iter();
                Some($name { $($column: Value::from_cell(cells.next()?)?),+ })
            }
        }
    };
}
pub(crate) use table;
