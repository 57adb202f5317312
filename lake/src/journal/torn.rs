//! A journal file that a power cut or a bad disk has spoiled.
//!
//! The database drops an unfinished batch at the end by itself. Two cases are left. A batch at the end whose pages did not all reach
//! the disk can look finished, and then the database refuses to open: that batch, which was never acknowledged, is cut off. And where a
//! record in the middle is spoiled the database drops all that follows without a word: then a copy of it is kept and the loss is told.
//!
//! Knows how fjall 3 lays out a journal file: start, items, end, each after a tag.

use crate::LakeError;
use crate::folder::sync_file;
use fjall::{Database, Error};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const END_MARK: &[u8] = b"FJL\x03";

pub(super) fn open(folder: &Path, open: impl Fn() -> fjall::Result<Database>) -> Result<Database, LakeError> {
    if let Some(file) = active_file(folder)? {
        keep_what_would_be_dropped(folder, &file)?;
    }
    match open() {
        Err(Error::JournalRecovery(reason)) => {
            let file = active_file(folder)?.ok_or_else(|| LakeError::journal(reason))?;
            cut_last_batch(folder, &file)?;
            tracing::error!(%reason, "the last batch of the journal was spoiled and is cut off; it is kept in the folder `spoiled`");
            open().map_err(LakeError::journal)
        }
        result => result.map_err(LakeError::journal),
    }
}

/// The journal file that is written to: the one with the highest number.
fn active_file(folder: &Path) -> Result<Option<PathBuf>, LakeError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LakeError::folder(folder)(error)),
    };
    let numbered = entries.flatten().filter_map(|entry| {
        let path = entry.path();
        let number: u64 = path.file_name()?.to_str()?.strip_suffix(".jnl")?.parse().ok()?;
        Some((number, path))
    });
    Ok(numbered.max().map(|(_, path)| path))
}

fn keep_what_would_be_dropped(folder: &Path, file: &Path) -> Result<(), LakeError> {
    let bytes = fs::read(file).map_err(LakeError::folder(file))?;
    let end = batches(&bytes).last().map_or(0, |(_, end)| end);
    let rest = &bytes[end..];
    // Without a finished batch in it the rest is one that was being written when the process ended.
    if let Some(last) = rest.windows(END_MARK.len()).rposition(|window| window == END_MARK) {
        let kept = keep(folder, file, end, &rest[..last + END_MARK.len()])?;
        tracing::error!(kept = %kept.display(), "the journal is spoiled in the middle; what follows is lost to it and kept in a file");
    }
    Ok(())
}

fn cut_last_batch(folder: &Path, file: &Path) -> Result<(), LakeError> {
    let bytes = fs::read(file).map_err(LakeError::folder(file))?;
    let Some((begin, end)) = batches(&bytes).last() else {
        return Err(LakeError::Journal(format!("`{}` is spoiled; restore it from a backup", file.display())));
    };
    keep(folder, file, begin, &bytes[begin..end])?;
    let cut = OpenOptions::new().write(true).open(file).and_then(|file| {
        file.set_len(begin as u64)?;
        file.sync_all()
    });
    cut.map_err(LakeError::folder(file))
}

fn keep(folder: &Path, file: &Path, at: usize, bytes: &[u8]) -> Result<PathBuf, LakeError> {
    let spoiled = folder.join("spoiled");
    fs::create_dir_all(&spoiled).map_err(LakeError::folder(&spoiled))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let path = spoiled.join(format!("{name}-{at}"));
    let write = || {
        let mut copy = File::create(&path)?;
        copy.write_all(bytes)?;
        copy.sync_all()
    };
    write().map_err(LakeError::folder(&path))?;
    sync_file(&spoiled)?;
    Ok(path)
}

/// Begin and end of the batches that are whole in form, from the start of the file until one is not.
fn batches(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at;
        at = batch_end(bytes, begin)?;
        Some((begin, at))
    })
}

fn batch_end(bytes: &[u8], begin: usize) -> Option<usize> {
    let number = |at: usize, length: usize| {
        let digits = bytes.get(at..at.checked_add(length)?)?;
        Some(digits.iter().rev().fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit)))
    };
    const START: usize = 1 + 4 + 8;
    const ITEM: usize = 1 + 1 + 1 + 8 + 2 + 4 + 4;
    const CLEAR: usize = 1 + 8;
    const END: usize = 1 + 8 + END_MARK.len();
    if number(begin, 1)? != 1 {
        return None;
    }
    let mut at = begin + START;
    loop {
        at = match number(at, 1)? {
            2 => at.checked_add(ITEM)?.checked_add(number(at + 11, 2)?)?.checked_add(number(at + 17, 4)?)?,
            4 => at + CLEAR,
            3 => return (bytes.get(at + END - END_MARK.len()..at + END)? == END_MARK).then_some(at + END),
            _ => return None,
        };
    }
}
