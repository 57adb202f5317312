//! What can go wrong in the lake, sorted by what the caller can do about it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, thiserror::Error)]
pub enum LakeError {
    /// Nothing more is taken: a write to the journal failed, or the lake is closed. Never retried; a restart replays.
    #[error("the journal takes no more events: {0}")]
    Unavailable(String),
    /// The same request may work in a moment.
    #[error("too many events wait to be stored, send them again in a moment")]
    Busy,
    /// It works again by itself once there is space.
    #[error("the disk of `{}` is full ({free} bytes are left), events are refused until there is space", folder.display())]
    Full { folder: PathBuf, free: u64 },
    /// Another writer was faster, several times in a row.
    #[error("table `{table}` was changed by another writer again and again, try again: {reason}")]
    Conflict { table: &'static str, reason: String },
    /// Written by a newer Flowgauge; nothing was touched.
    #[error("`{}` has format {found}, this flowgauge knows formats up to {known}; use a newer flowgauge", folder.display())]
    Incompatible { folder: PathBuf, found: u32, known: u32 },
    #[error("`{}` is used by another flowgauge process; stop it or choose another folder with --data", .0.display())]
    InUse(PathBuf),
    #[error("`{}` cannot be used: {reason}", path.display())]
    Folder { path: PathBuf, reason: String },
    #[error("the journal cannot be read: {0}")]
    Journal(String),
    #[error("table `{table}` failed: {reason}")]
    Table { table: &'static str, reason: String },
}

impl LakeError {
    pub(crate) fn folder(path: &Path) -> impl Fn(std::io::Error) -> LakeError + '_ {
        move |error| LakeError::Folder { path: path.to_owned(), reason: error.to_string() }
    }

    pub(crate) fn journal(error: impl Display) -> LakeError {
        LakeError::Journal(error.to_string())
    }

    pub(crate) fn table<E: Display>(table: &'static str) -> impl Fn(E) -> LakeError + Send {
        move |error| LakeError::Table { table, reason: error.to_string() }
    }
}
