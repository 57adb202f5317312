//! The model: identities, times, rows and the fold. No IO, no async, no clock.

pub mod arrow;
pub(crate) mod cell;
mod event;
pub mod facts;
mod fold;
mod id;
mod json;
mod naming;
mod observations;
mod outcome;
mod table;
mod time;

pub use cell::{Cell, ColumnType, Value};
pub use event::{RawEvent, RawHeaders};
pub use fold::{canonical_json, fold};
pub use id::{EventId, Source, Tenant};
pub use json::{RowError, nearest, row_from_json, row_to_json};
pub use naming::{Tier, repo_name, tier_of};
pub use observations::*;
pub use outcome::*;
pub use table::{Column, Need, Row, TableSpec};
pub use time::Time;
