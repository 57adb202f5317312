//! The lake: what Flowgauge knows and how it keeps it.
//!
//! `model` says what a row is (no IO, no clock). `journal` makes an event durable, `tables` are the Delta tables,
//! `tail` is what is journalled and not yet in a table, and [`Lake`] in `store` ties the three together.

mod applier;
pub mod clock;
mod compact;
mod error;
mod fact_store;
mod flush;
mod folder;
mod import;
mod journal;
pub mod model;
mod raw;
mod sources;
mod store;
mod tables;
mod tail;

pub use applier::{AppliedEvent, Feed, FeedBatch, Normalise, Normalised};
pub use compact::CompactReport;
pub use error::LakeError;
pub use flush::FlushReport;
pub use folder::{DataFolder, FORMAT_VERSION};
pub use import::{ImportError, import_files, read_file};
pub use journal::{Durability, Receipt};
pub use raw::RawScan;
pub use sources::SourceStats;
pub use store::{CrashPoint, Lake, LakeOptions};
pub use tables::BatchStream;
