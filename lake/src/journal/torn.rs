//! Journal files that a power cut or a bad disk has spoiled, mended before the database reads them.
//!
//! The database drops an unfinished batch at the end by itself, and that is all it forgives: a batch whose pages did not all reach the disk
//! can look finished, and then it does not open; a spoiled record in the middle costs everything behind it, without a word. Here a spoiled
//! batch is taken out, those behind it stay, and the file as it was is kept beside.
//!
//! Knows how fjall 3 lays out a journal file: batches of start, items, checksum and end, each part after a tag.

use crate::LakeError;
use crate::folder::sync_file;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// The tag a batch begins with, and the bytes it ends with.
const START: u8 = 1;
const MARK: &[u8] = b"FJL\x03";

pub(super) fn mend(folder: &Path) -> Result<(), LakeError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(LakeError::folder(folder)(error)),
    };
    let files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "jnl")) {
        let bytes = fs::read(file).map_err(LakeError::folder(file))?;
        if let Some(spoiled) = spoiled(&bytes) {
            let kept = keep(folder, file, &spoiled)?;
            let mended = [&bytes[..spoiled.start], &bytes[spoiled.end..]].concat();
            let staged = file.with_extension("mended");
            write(&staged, &mended)?;
            fs::rename(&staged, file).map_err(LakeError::folder(file))?;
            sync_file(folder)?;
            let kept = kept.display();
            tracing::error!(bytes = spoiled.len(), %kept, "a part of the journal is spoiled and was taken out; the file as it was is kept");
        }
    }
    Ok(())
}

/// The bytes that must go for the rest to be read, if any.
pub(super) fn spoiled(bytes: &[u8]) -> Option<Range<usize>> {
    let mut seen = HashSet::new();
    let begin = chain_end(bytes, 0, &mut seen);
    let end = begin + without_padding(&bytes[begin..]).len();
    // Without a mark in it the rest is a batch that was being written when the process ended, or nothing at all.
    let last = begin + bytes[begin..end].windows(MARK.len()).rposition(|window| window == MARK)? + MARK.len();
    // Something in an event's body can look like a batch, its sender may have meant it to: what is found behind the spoiled
    // place counts only if it is whole up to the end.
    let good = (begin + 1..last).find(|&at| bytes[at] == START && chain_end(bytes, at, &mut seen) >= last);
    Some(begin..good.unwrap_or(bytes.len()))
}

/// A journal file is made 64 MB long, of zeros.
fn without_padding(mut bytes: &[u8]) -> &[u8] {
    const PAGE: [u8; 4096] = [0; 4096];
    while let Some(rest) = bytes.strip_suffix(&PAGE) {
        bytes = rest;
    }
    bytes
}

/// Where the unbroken row of good batches that begins here ends. A row that was followed before is not followed again.
fn chain_end(bytes: &[u8], mut at: usize, seen: &mut HashSet<usize>) -> usize {
    while seen.insert(at)
        && let Some(end) = batch_end(bytes, at)
    {
        at = end;
    }
    at
}

/// The end of the batch that begins here, if it is whole and its checksum is right.
fn batch_end(bytes: &[u8], begin: usize) -> Option<usize> {
    const HEAD: usize = 1 + 4 + 8;
    const ITEM: usize = 1 + 1 + 1 + 8 + 2 + 4 + 4;
    const CLEAR: usize = 1 + 8;
    let number = |at: usize, length: usize| {
        let digits = bytes.get(at..at.checked_add(length)?)?;
        Some(digits.iter().rev().fold(0_u64, |sum, digit| sum << 8 | u64::from(*digit)))
    };
    let length = |at, digits| number(at, digits).map(|length| length as usize);
    if *bytes.get(begin)? != START {
        return None;
    }
    let mut at = begin + HEAD;
    let mut items = 0;
    loop {
        at = match number(at, 1)? {
            2 => at.checked_add(ITEM)?.checked_add(length(at + 11, 2)?)?.checked_add(length(at + 17, 4)?)?,
            4 => at + CLEAR,
            3 => break,
            _ => return None,
        };
        items += 1;
    }
    let end = at + 9 + MARK.len();
    let whole =
        bytes.get(at + 9..end)? == MARK && number(begin + 1, 4)? == items && number(at + 1, 8)? == xxh3_64(&bytes[begin + HEAD..at]);
    whole.then_some(end)
}

/// A copy of the file in the folder `spoiled`, named by where it is spoiled.
fn keep(folder: &Path, file: &Path, spoiled: &Range<usize>) -> Result<PathBuf, LakeError> {
    let kept = folder.join("spoiled");
    fs::create_dir_all(&kept).map_err(LakeError::folder(&kept))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let path = kept.join(format!("{name}-{}-{}", spoiled.start, spoiled.end));
    let bytes = fs::read(file).map_err(LakeError::folder(file))?;
    write(&path, &bytes)?;
    sync_file(&kept)?;
    Ok(path)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), LakeError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(LakeError::folder(path))
}
