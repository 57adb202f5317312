//! The lake: what Flowgauge knows and how it keeps it.
//!
//! `model` says what a row is (no IO, no clock). [`Lake`] in `store` is what others use. An event goes this way:
//! `journal` makes it durable and acknowledges it, `applier` has it read and feeds its rows to whoever answers questions, `tail` holds the
//! rows until `flush` moves them and the raw event into the `tables` (Delta Lake), where `compact` keeps them small and `raw` finds
//! the event again. `fact_store` keeps what follows from the rows, `sources` counts what came, `import` reads files of rows, `folder` is
//! the data folder with its lock and keys.

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
