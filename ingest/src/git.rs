//! Git history as rows of `commits`, of configuration repositories also of `manifests`: of a clone or a bundle on this machine,
//! or of an address that is cloned first. Read in chunks, so that a big repository never is in memory as a whole.

mod address;
mod bundle;
mod manifests;
mod row;

use crate::people::People;
use flowgauge_lake::model::{Commit, Observation, Time};
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;
use std::path::Path;

/// A chunk ends with this many rows, or sooner when their texts are long.
const CHUNK_ROWS: usize = 1000;
const CHUNK_BYTES: usize = 4 << 20;
/// About how long a row of `manifests` is, written out.
const MANIFEST_BYTES: usize = 300;

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("`{0}` is neither a folder, nor a bundle, nor an http address: give the path of a clone, or `https://host/path`")]
    Address(String),
    #[error("cannot open the git repository `{path}` ({reason}): give the folder of a clone or of a bare repository")]
    Open { path: String, reason: String },
    #[error("cannot fetch `{address}` ({reason}): check the address, the network and the token")]
    Fetch { address: String, reason: String },
    #[error("cannot read the history of `{repo}` ({reason}): an object may be missing, which a fresh clone repairs")]
    Read { repo: String, reason: String },
}

/// Which history to read.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// A folder (a clone or a bare repository, read in place), a bundle, or an `http(s)` address, with `user:token@` where it
    /// needs one.
    pub address: &'a str,
    /// The repository's name in rows, `host/path`.
    pub repo: &'a str,
    /// Leaves out what was committed before.
    pub since: Option<Time>,
    /// Where an address is cloned to, bare. What is there already from an earlier time is only brought up to date.
    pub into: &'a Path,
    /// What is in the repository.
    pub holds: Holds,
}

/// What a repository holds, which decides whether the images in its files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Holds {
    /// The files tell: at least half of them are YAML, and images are pinned in them.
    #[default]
    Unknown,
    Source,
    Configuration,
}

impl History<'_> {
    /// Gives every commit that a branch or a tag leads to, in chunks, the newest first; of a configuration repository also which
    /// images it changed. What is sent on as rows of our own
    /// schema is read with clear names, since that end makes the pseudonyms.
    pub fn for_each_chunk<E: From<GitError>>(
        &self,
        people: &People,
        mut each: impl FnMut(Vec<Observation>) -> Result<(), E>,
    ) -> Result<(), E> {
        let repository = address::open(self.address, self.into)?;
        let mut reader = row::Reader::new(&repository, self.repo, people).map_err(|error| self.unread(error))?;
        let is_configuration = self.is_configuration(&repository, &mut reader).map_err(|error| self.unread(error))?;
        let mut chunk = Vec::new();
        let mut bytes = 0;
        for id in self.commits(&repository)? {
            let (commit, files) = reader.read(id?).map_err(|error| self.unread(error))?;
            bytes += size(&commit);
            if is_configuration {
                let manifests = reader.manifests(&commit, &files, self.since).map_err(|error| self.unread(error))?;
                bytes += manifests.len() * MANIFEST_BYTES;
                chunk.extend(manifests.into_iter().map(Observation::new));
            }
            chunk.push(Observation::new(commit));
            if chunk.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
                bytes = 0;
                each(std::mem::take(&mut chunk))?;
            }
        }
        if chunk.is_empty() { Ok(()) } else { each(chunk) }
    }

    /// The ids of all commits asked for. The whole graph is walked and dates only filter: a commit may be older than its parent.
    fn commits<'r>(
        &'r self,
        repository: &'r gix::Repository,
    ) -> Result<impl Iterator<Item = Result<gix::ObjectId, GitError>> + 'r, GitError> {
        let walk = tips(repository)
            .and_then(|tips| repository.rev_walk(tips).sorting(Sorting::ByCommitTime(CommitTimeOrder::NewestFirst)).all())
            .map_err(|error| self.unread(error))?;
        Ok(walk
            .map(|commit| commit.map_err(|error| self.unread(error)))
            .filter(|commit| match (commit, self.since) {
                (Ok(commit), Some(since)) => commit.commit_time.is_none_or(|at| Time::from_seconds(at) >= since),
                _ => true,
            })
            .map(|commit| commit.map(|commit| commit.id)))
    }

    fn is_configuration(&self, repository: &gix::Repository, reader: &mut row::Reader<'_>) -> Result<bool, gix::Error> {
        match self.holds {
            Holds::Source => Ok(false),
            Holds::Configuration => Ok(true),
            Holds::Unknown => newest(repository)?.map_or(Ok(false), |id| reader.is_configuration(id)),
        }
    }

    fn unread(&self, error: gix::Error) -> GitError {
        GitError::Read { repo: self.repo.to_owned(), reason: error.to_string() }
    }
}

/// The address that a clone on this machine was made from.
pub fn origin(folder: &str) -> Option<String> {
    let repository = address::open(folder, Path::new("")).ok()?;
    let remote = repository.find_remote("origin").ok()?;
    remote.url(gix::remote::Direction::Fetch).map(|url| url.to_bstring().to_string())
}

/// The commit that stands for the repository as it is: where `HEAD` points to, else the newest.
fn newest(repository: &gix::Repository) -> Result<Option<gix::ObjectId>, gix::Error> {
    if let Ok(head) = repository.head_id() {
        return Ok(Some(head.detach()));
    }
    let seconds = |id: &gix::ObjectId| repository.find_commit(*id).ok().and_then(|commit| commit.time().ok()).map(|at| at.seconds);
    Ok(tips(repository)?.into_iter().max_by_key(|id| (seconds(id), *id)))
}

/// The commits that branches, tags, changes and a detached `HEAD` point to: what was squashed is only under the refs of its change, where
/// the clone has them (a mirror does). Stashes and notes are nobody's history.
fn tips(repository: &gix::Repository) -> Result<Vec<gix::ObjectId>, gix::Error> {
    let mut tips = Vec::new();
    let references = repository.references()?;
    for prefix in ["refs/heads/", "refs/remotes/", "refs/tags/", "refs/merge-requests/", "refs/pull/"] {
        for reference in references.prefixed(prefix)?.peeled()? {
            // A branch that points to nothing, as in an interrupted fetch, leads nowhere.
            let Ok(reference) = reference else { continue };
            tips.extend(reference.try_id().map(gix::Id::detach));
        }
    }
    tips.extend(repository.head_id().ok().map(gix::Id::detach));
    // A tag may point to a file or a folder.
    tips.retain(|id| repository.find_header(*id).is_ok_and(|header| header.kind() == gix::objs::Kind::Commit));
    tips.sort();
    tips.dedup();
    Ok(tips)
}

/// About how long the row is, written out.
fn size(commit: &Commit) -> usize {
    let files: usize = commit.files.iter().flatten().map(|file| file.len() + 3).sum();
    files + commit.message.as_ref().map_or(0, String::len) + 300
}
