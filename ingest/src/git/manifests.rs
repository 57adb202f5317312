//! What commits change in the images that files pin, as rows of `manifests`.
//!
//! A row says how a file differs from the commit's first parent. So the state of a commit is what the rows along its first
//! parents say, the nearest first; a merge's rows hold all that it brought. Where that line ends (a root, the edge of a shallow
//! clone, the first commit that is not left out by date) the rows say everything that is pinned there.

use crate::manifests::{LONGEST_FILE, Pin, changes, environment_of, may_pin, pins};
use flowgauge_lake::model::{Manifest, Time};
use gix::ObjectId;
use std::collections::HashMap;
use std::sync::Arc;

/// Parsed files that are kept: the file after one commit is the file before the next.
const KEPT_FILES: usize = 4096;
/// Names in keys may be this long.
const LONGEST_PATH: usize = 1024;
/// Files that are read to find out what a repository holds.
const PROBED_FILES: usize = 200;

/// A file that a commit changes, by its content before and after.
#[derive(Debug)]
pub struct File {
    pub path: String,
    pub before: Option<ObjectId>,
    pub after: Option<ObjectId>,
}

/// Reads the files of one repository, each content once.
#[derive(Default)]
pub struct Files {
    parsed: HashMap<(String, ObjectId), Arc<[Pin]>>,
}

impl Files {
    /// The rows of a commit that changes these files.
    pub fn rows(&mut self, repository: &gix::Repository, of: (&str, &str, Option<Time>), files: &[File]) -> Vec<Manifest> {
        let (repo, sha, committed_at) = of;
        let mut rows = Vec::new();
        for file in files.iter().filter(|file| may_pin(&file.path) && file.path.len() <= LONGEST_PATH) {
            let before = self.pins(repository, &file.path, file.before);
            let after = self.pins(repository, &file.path, file.after);
            let (set, gone) = changes(&before, &after);
            let row = |image: String| Manifest {
                repo: repo.to_owned(),
                sha: sha.to_owned(),
                path: file.path.clone(),
                image,
                environment: environment_of(&file.path),
                committed_at,
                ..Manifest::default()
            };
            rows.extend(set.into_iter().map(|pin| Manifest { tag: pin.tag, digest: pin.digest, ..row(pin.image) }));
            rows.extend(gone.into_iter().map(|image| Manifest { removed: Some(true), ..row(image) }));
        }
        rows
    }

    /// Whether these are the files of a configuration repository: at least half of them YAML, and images pinned in them.
    pub fn are_configuration(&mut self, repository: &gix::Repository, files: &[File]) -> bool {
        let is_aside = |path: &str| path.ends_with(".md") || path.split('/').any(|part| part.starts_with('.'));
        let told: Vec<&File> = files.iter().filter(|file| !is_aside(&file.path)).collect();
        let manifests: Vec<&File> = told.iter().filter(|file| may_pin(&file.path)).copied().collect();
        manifests.len() * 2 >= told.len()
            && manifests.iter().take(PROBED_FILES).any(|file| !self.pins(repository, &file.path, file.after).is_empty())
    }

    fn pins(&mut self, repository: &gix::Repository, path: &str, id: Option<ObjectId>) -> Arc<[Pin]> {
        let Some(id) = id else { return Arc::default() };
        // What a file means depends on its name too.
        let key = (path.to_owned(), id);
        if let Some(known) = self.parsed.get(&key) {
            return known.clone();
        }
        if self.parsed.len() >= KEPT_FILES {
            self.parsed.clear();
        }
        let is_short = repository.find_header(id).is_ok_and(|header| header.size() <= LONGEST_FILE as u64);
        let blob = if is_short { repository.find_blob(id).ok() } else { None };
        let found: Arc<[Pin]> = blob.map(|blob| pins(path, &blob.data)).unwrap_or_default().into();
        self.parsed.insert(key, found.clone());
        found
    }
}
