//! The git history: commits whose ids are the ones git itself would compute.

use std::collections::HashMap;

use gix::ObjectId;
use gix::objs::{Kind, WriteTo};

use crate::calendar::Sec;
use crate::people::Person;

/// A commit by its place in its repository.
pub type CommitIx = usize;

/// The files that every service's repository has.
const FILES: [&str; 7] = ["Dockerfile", "README.md", "client.go", "config.yaml", "handler.go", "openapi.yaml", "store.go"];

/// The contents that a file goes through, again and again: few contents make few blobs and trees.
const CONTENTS: usize = 3;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Entry {
    name: &'static str,
    blob: ObjectId,
}

pub struct Commit {
    pub id: ObjectId,
    pub sha: String,
    pub tree: ObjectId,
    pub parents: Vec<CommitIx>,
    pub author: &'static Person,
    pub authored_at: Sec,
    pub committed_at: Sec,
    pub message: String,
    pub added: Vec<&'static str>,
    pub modified: Vec<&'static str>,
    entries: Vec<Entry>,
}

impl Commit {
    pub fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// What its images are tagged with.
    pub fn tag(&self) -> &str {
        &self.sha[..12]
    }
}

/// Who made a commit, when, and with which words.
pub struct Words {
    pub author: &'static Person,
    pub authored_at: Sec,
    pub committed_at: Sec,
    pub message: String,
}

/// One repository: its commits, its refs, and the bytes of every object.
pub struct Repo {
    pub host: &'static str,
    /// `group/name`.
    pub path: String,
    pub commits: Vec<Commit>,
    /// Full ref names and what they point at.
    pub refs: Vec<(String, CommitIx)>,
    pub objects: Vec<(Kind, ObjectId, Vec<u8>)>,
    trees: HashMap<Vec<Entry>, ObjectId>,
    blobs: HashMap<Vec<u8>, ObjectId>,
}

impl Repo {
    pub fn new(host: &'static str, path: String) -> Self {
        Self { host, path, commits: Vec::new(), refs: Vec::new(), objects: Vec::new(), trees: HashMap::new(), blobs: HashMap::new() }
    }

    /// `host/group/name`, as in the public schema.
    pub fn name(&self) -> String {
        [self.host, "/", &self.path].concat()
    }

    pub fn sha(&self, commit: CommitIx) -> &str {
        &self.commits[commit].sha
    }

    /// The first commit, with every file of a service.
    pub fn root(&mut self, words: Words) -> CommitIx {
        let files: Vec<(&'static str, Vec<u8>)> = FILES.iter().map(|name| (*name, self.content(name, 0))).collect();
        self.commit_with(Vec::new(), files, words)
    }

    /// A commit on top of `parents` (the first one gives the files) that changes `touched`, which are places in the list of files.
    pub fn change(&mut self, parents: Vec<CommitIx>, touched: &[usize], words: Words) -> CommitIx {
        let files = touched
            .iter()
            .map(|file| {
                let name = FILES[file % FILES.len()];
                (name, self.next_content(parents[0], name))
            })
            .collect();
        self.commit_with(parents, files, words)
    }

    /// The files of these commits, as places in the list of files.
    pub fn touched(&self, commits: &[CommitIx]) -> Vec<usize> {
        (0..FILES.len()).filter(|file| commits.iter().any(|commit| self.commits[*commit].modified.contains(&FILES[*file]))).collect()
    }

    /// A commit that sets whole files.
    pub fn commit_with(&mut self, parents: Vec<CommitIx>, files: Vec<(&'static str, Vec<u8>)>, words: Words) -> CommitIx {
        let mut entries = parents.first().map(|parent| self.commits[*parent].entries.clone()).unwrap_or_default();
        let (mut added, mut modified) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let blob = self.blob(content);
            if let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) {
                entry.blob = blob;
                modified.push(name);
            } else {
                entries.push(Entry { name, blob });
                added.push(name);
            }
        }
        entries.sort_by_key(|entry| entry.name);
        let tree = self.tree(&entries);
        let signature = |at: Sec| gix::actor::Signature {
            name: words.author.name.into(),
            email: words.author.email().into(),
            time: gix::date::Time { seconds: at, offset: words.author.offset * 60 },
        };
        let object = gix::objs::Commit {
            tree,
            parents: parents.iter().map(|parent| self.commits[*parent].id).collect(),
            author: signature(words.authored_at),
            committer: signature(words.committed_at),
            encoding: None,
            message: words.message.as_str().into(),
            extra_headers: Vec::new(),
        };
        let id = self.put(&object);
        self.commits.push(Commit {
            id,
            sha: id.to_string(),
            tree,
            parents,
            author: words.author,
            authored_at: words.authored_at,
            committed_at: words.committed_at,
            message: words.message,
            added,
            modified,
            entries,
        });
        self.commits.len() - 1
    }

    /// Moves a ref, or makes it.
    pub fn set_ref(&mut self, name: &str, target: CommitIx) {
        match self.refs.iter_mut().find(|(existing, _)| existing == name) {
            Some((_, place)) => *place = target,
            None => self.refs.push((name.to_owned(), target)),
        }
    }

    fn content(&self, name: &str, turn: usize) -> Vec<u8> {
        format!("{} {name}\nturn {turn}\n", self.path).into_bytes()
    }

    fn next_content(&self, parent: CommitIx, name: &str) -> Vec<u8> {
        let current = self.commits[parent].entries.iter().find(|entry| entry.name == name).map(|entry| entry.blob);
        let turn = (0..CONTENTS).find(|turn| self.blobs.get(&self.content(name, *turn)).copied() == current);
        self.content(name, turn.map_or(0, |turn| (turn + 1) % CONTENTS))
    }

    fn blob(&mut self, content: Vec<u8>) -> ObjectId {
        if let Some(id) = self.blobs.get(&content) {
            return *id;
        }
        let id = self.put(&gix::objs::Blob { data: content.clone() });
        self.blobs.insert(content, id);
        id
    }

    fn tree(&mut self, entries: &[Entry]) -> ObjectId {
        if let Some(id) = self.trees.get(entries) {
            return *id;
        }
        let object = gix::objs::Tree {
            entries: entries
                .iter()
                .map(|entry| gix::objs::tree::Entry {
                    mode: gix::objs::tree::EntryKind::Blob.into(),
                    filename: entry.name.into(),
                    oid: entry.blob,
                })
                .collect(),
        };
        let id = self.put(&object);
        self.trees.insert(entries.to_vec(), id);
        id
    }

    fn put(&mut self, object: &dyn WriteTo) -> ObjectId {
        let mut bytes = Vec::with_capacity(512);
        object.write_to(&mut bytes).expect("memory takes every byte");
        let kind = object.kind();
        let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, &bytes).expect("no colliding object is made here");
        self.objects.push((kind, id, bytes));
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::PEOPLE;

    fn words(message: &str) -> Words {
        Words { author: &PEOPLE[0], authored_at: 1_719_792_000, committed_at: 1_719_795_600, message: message.to_owned() }
    }

    #[test]
    fn a_change_touches_its_files_and_no_other() {
        let mut repo = Repo::new("gitlab.shop.example", "shop/one".to_owned());
        let root = repo.root(words("Begin"));
        let next = repo.change(vec![root], &[1, 4], words("Go on"));
        assert_eq!(repo.commits[root].added.len(), FILES.len());
        assert_eq!(repo.commits[next].modified, ["README.md", "handler.go"]);
        assert_ne!(repo.commits[root].tree, repo.commits[next].tree);
        assert_eq!(repo.touched(&[next]), [1, 4]);
    }

    #[test]
    fn the_same_words_make_the_same_id() {
        let id = || {
            let mut repo = Repo::new("gitlab.shop.example", "shop/one".to_owned());
            let root = repo.root(words("Begin"));
            repo.commits[root].sha.clone()
        };
        assert_eq!(id(), id());
    }
}
