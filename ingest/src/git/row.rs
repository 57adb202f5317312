//! One commit as a row of `commits`, and what it changes in the images that files pin.

use super::manifests::{File, Files};
use crate::people::People;
use crate::providers::shared::{filled, message};
use flowgauge_lake::model::{Commit, Manifest, Time};
use gix::diff::tree::{Recorder, State, recorder::Change};
use gix::objs::TreeRefIter;
use std::collections::{BTreeMap, HashSet};

pub struct Reader<'r> {
    repository: &'r gix::Repository,
    repo: &'r str,
    people: &'r People,
    /// Commits at the edge of a shallow clone: their parents are named, but not here, so what they changed is unknown.
    edge: HashSet<gix::ObjectId>,
    state: State,
    manifests: Files,
}

impl<'r> Reader<'r> {
    pub fn new(repository: &'r gix::Repository, repo: &'r str, people: &'r People) -> Result<Self, gix::Error> {
        let edge = repository.shallow_commits()?.iter().flat_map(|commits| commits.iter().copied()).collect();
        Ok(Reader { repository, repo, people, edge, state: State::default(), manifests: Files::default() })
    }

    pub fn read(&mut self, id: gix::ObjectId) -> Result<(Commit, Vec<File>), gix::Error> {
        let commit = self.repository.find_commit(id)?;
        let is_edge = self.edge.contains(&id);
        let author = commit.author().ok();
        let name = author.as_ref().map(|author| author.name.to_string()).unwrap_or_default();
        let email = author.as_ref().map(|author| author.email.to_string()).unwrap_or_default();
        let files = if is_edge { None } else { self.files(&commit)? };
        let row = Commit {
            repo: self.repo.to_owned(),
            sha: id.to_string(),
            parents: (!is_edge).then(|| commit.parent_ids().map(|parent| parent.to_string()).collect()),
            authored_at: author.as_ref().and_then(|author| author.time().ok()).map(|at| Time::from_seconds(at.seconds)),
            committed_at: commit.time().ok().map(|at| Time::from_seconds(at.seconds)),
            author_is_bot: author.is_some().then(|| name.ends_with("[bot]") || email.contains("[bot]@")),
            author: filled(email.trim()).or_else(|| filled(name.trim())).map(|person| self.people.name(&person)),
            message: Some(message(&commit.message_raw_sloppy().to_string())),
            files: files.as_ref().map(|files| files.iter().map(|file| file.path.clone()).collect()),
            ..Commit::default()
        };
        Ok((row, files.unwrap_or_default()))
    }

    /// What the commit, read just now, changes in the images that files pin; all that its files pin where the line of first parents
    /// ends, be it that everything before `since` is left out.
    pub fn manifests(&mut self, row: &Commit, changed: &[File], since: Option<Time>) -> Result<Vec<Manifest>, gix::Error> {
        let Ok(id) = gix::ObjectId::from_hex(row.sha.as_bytes()) else { return Ok(Vec::new()) };
        let parent = row.parents.iter().flatten().next().and_then(|sha| gix::ObjectId::from_hex(sha.as_bytes()).ok());
        let is_left_out = |parent: gix::ObjectId| {
            let at = self.repository.find_commit(parent).ok().and_then(|commit| commit.time().ok());
            since.is_some_and(|since| at.is_none_or(|at| Time::from_seconds(at.seconds) < since))
        };
        let whole = if parent.is_none_or(is_left_out) { self.all_files(id)? } else { None };
        let of = (self.repo, row.sha.as_str(), row.committed_at);
        Ok(self.manifests.rows(self.repository, of, whole.as_deref().unwrap_or(changed)))
    }

    /// Whether the files of this commit are those of a configuration repository.
    pub fn is_configuration(&mut self, id: gix::ObjectId) -> Result<bool, gix::Error> {
        let files = self.all_files(id)?.unwrap_or_default();
        Ok(self.manifests.are_configuration(self.repository, &files))
    }

    fn all_files(&mut self, id: gix::ObjectId) -> Result<Option<Vec<File>>, gix::Error> {
        let commit = self.repository.find_commit(id)?;
        let Ok(tree) = commit.tree() else { return Ok(None) };
        Ok(self.differences(&[], &tree.data))
    }

    /// The files that differ from the first parent's, for a root all of them. A renamed file is there by both names.
    /// Unknown where the trees are not here, as in a clone without them.
    fn files(&mut self, commit: &gix::Commit<'_>) -> Result<Option<Vec<File>>, gix::Error> {
        let Ok(tree) = commit.tree() else { return Ok(None) };
        let before = match commit.parent_ids().next() {
            None => Vec::new(),
            Some(parent) => match self.repository.find_commit(parent).and_then(|parent| parent.tree()) {
                Ok(tree) => tree.data.clone(),
                Err(_) => return Ok(None),
            },
        };
        Ok(self.differences(&before, &tree.data))
    }

    fn differences(&mut self, before: &[u8], after: &[u8]) -> Option<Vec<File>> {
        let kind = self.repository.object_hash();
        let (old, new) = (TreeRefIter::from_bytes(before, kind), TreeRefIter::from_bytes(after, kind));
        let mut recorder = Recorder::default();
        gix::diff::tree(old, new, &mut self.state, &self.repository.objects, &mut recorder).ok()?;
        // A folder that became a file of the same name is two changes of one path.
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        for file in recorder.records.into_iter().filter_map(file) {
            let known = files.entry(file.path.clone()).or_insert_with(|| File { path: file.path, before: None, after: None });
            known.before = known.before.or(file.before);
            known.after = known.after.or(file.after);
        }
        Some(files.into_values().collect())
    }
}

/// A change of a file; folders are told by what is in them.
fn file(change: Change) -> Option<File> {
    let (path, before, after) = match change {
        Change::Addition { entry_mode, path, oid, .. } => (path, None, Some((entry_mode, oid))),
        Change::Deletion { entry_mode, path, oid, .. } => (path, Some((entry_mode, oid)), None),
        Change::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path } => {
            (path, Some((previous_entry_mode, previous_oid)), Some((entry_mode, oid)))
        }
    };
    let file = |side: Option<(gix::objs::tree::EntryMode, gix::ObjectId)>| side.filter(|(mode, _)| !mode.is_tree()).map(|(_, id)| id);
    let (before, after) = (file(before), file(after));
    (before.is_some() || after.is_some()).then(|| File { path: path.to_string(), before, after })
}
