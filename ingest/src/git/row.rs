//! One commit as a row of `commits`.

use crate::people::People;
use crate::providers::shared::{filled, message};
use flowgauge_lake::model::{Commit, Time};
use gix::diff::tree::{Recorder, State, recorder::Change};
use gix::objs::TreeRefIter;
use std::collections::HashSet;

pub struct Reader<'r> {
    repository: &'r gix::Repository,
    repo: &'r str,
    people: &'r People,
    /// Commits at the edge of a shallow clone: their parents are named, but not here, so what they changed is unknown.
    edge: HashSet<gix::ObjectId>,
    state: State,
}

impl<'r> Reader<'r> {
    pub fn new(repository: &'r gix::Repository, repo: &'r str, people: &'r People) -> Result<Self, gix::Error> {
        let edge = repository.shallow_commits()?.iter().flat_map(|commits| commits.iter().copied()).collect();
        Ok(Reader { repository, repo, people, edge, state: State::default() })
    }

    pub fn read(&mut self, id: gix::ObjectId) -> Result<Commit, gix::Error> {
        let commit = self.repository.find_commit(id)?;
        let is_edge = self.edge.contains(&id);
        let author = commit.author().ok();
        let name = author.as_ref().map(|author| author.name.to_string()).unwrap_or_default();
        let email = author.as_ref().map(|author| author.email.to_string()).unwrap_or_default();
        let files = if is_edge { None } else { self.files(&commit)? };
        Ok(Commit {
            repo: self.repo.to_owned(),
            sha: id.to_string(),
            parents: (!is_edge).then(|| commit.parent_ids().map(|parent| parent.to_string()).collect()),
            authored_at: author.as_ref().and_then(|author| author.time().ok()).map(|at| Time::from_seconds(at.seconds)),
            committed_at: commit.time().ok().map(|at| Time::from_seconds(at.seconds)),
            author_is_bot: author.is_some().then(|| name.ends_with("[bot]") || email.contains("[bot]@")),
            author: filled(email.trim()).or_else(|| filled(name.trim())).map(|person| self.people.name(&person)),
            message: Some(message(&commit.message_raw_sloppy().to_string())),
            files,
            ..Commit::default()
        })
    }

    /// The paths that differ from the first parent's, for a root all of them. A renamed file is there by both names.
    /// Unknown where the trees are not here, as in a clone without them.
    fn files(&mut self, commit: &gix::Commit<'_>) -> Result<Option<Vec<String>>, gix::Error> {
        let Ok(tree) = commit.tree() else { return Ok(None) };
        let before = match commit.parent_ids().next() {
            None => Vec::new(),
            Some(parent) => match self.repository.find_commit(parent).and_then(|parent| parent.tree()) {
                Ok(tree) => tree.data.clone(),
                Err(_) => return Ok(None),
            },
        };
        let kind = self.repository.object_hash();
        let (old, new) = (TreeRefIter::from_bytes(&before, kind), TreeRefIter::from_bytes(&tree.data, kind));
        let mut recorder = Recorder::default();
        if gix::diff::tree(old, new, &mut self.state, &self.repository.objects, &mut recorder).is_err() {
            return Ok(None);
        }
        let mut files: Vec<String> = recorder.records.into_iter().filter_map(path).collect();
        files.sort();
        files.dedup();
        Ok(Some(files))
    }
}

/// The path of a change; folders are told by what is in them.
fn path(change: Change) -> Option<String> {
    let (is_folder, path) = match change {
        Change::Addition { entry_mode, path, .. } | Change::Deletion { entry_mode, path, .. } => (entry_mode.is_tree(), path),
        Change::Modification { entry_mode, previous_entry_mode, path, .. } => (entry_mode.is_tree() && previous_entry_mode.is_tree(), path),
    };
    (!is_folder).then(|| path.to_string())
}
