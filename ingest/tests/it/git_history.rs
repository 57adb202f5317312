//! The history of a small repository that the test writes itself: root, rename, merge, tag, bot, shallow edge.

use flowgauge_ingest::git::{GitError, History, Holds};
use flowgauge_ingest::{OWN_KIND, People, own_event, own_lines};
use flowgauge_lake::model::{Commit, Entity, Observation, Source, Table, Tenant, Time};
use gix::actor::Signature;
use gix::objs::tree::{Entry, EntryKind};
use gix::{ObjectId, Repository};
use std::collections::BTreeMap;
use std::path::Path;

/// A repository in the making.
pub struct Writer(Repository);

impl Writer {
    pub fn new(folder: &Path) -> Self {
        Writer(gix::ThreadSafeRepository::init(folder, gix::create::Kind::Bare, Default::default()).expect("a repository").into())
    }

    /// A tree of files, at most one folder deep.
    fn tree(&self, files: &[(&str, &str)]) -> ObjectId {
        let mut folders: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        let mut entries = Vec::new();
        for (path, text) in files {
            match path.split_once('/') {
                Some((folder, name)) => folders.entry(folder).or_default().push((name, text)),
                None => entries.push(entry(EntryKind::Blob, path, self.0.write_blob(text).expect("a blob").detach())),
            }
        }
        entries.extend(folders.iter().map(|(name, files)| entry(EntryKind::Tree, name, self.tree(files))));
        entries.sort();
        self.0.write_object(gix::objs::Tree { entries }).expect("a tree").detach()
    }

    pub fn commit(&self, message: &str, at: i64, author: (&str, &str), parents: &[ObjectId], files: &[(&str, &str)]) -> ObjectId {
        let by = |(name, email): (&str, &str), seconds| Signature {
            name: name.into(),
            email: email.into(),
            time: gix::date::Time::new(seconds, 7200),
        };
        let commit = gix::objs::Commit {
            tree: self.tree(files),
            parents: parents.iter().copied().collect(),
            author: by(author, at),
            committer: by(("Web", "web@acme.example"), at + 60),
            encoding: None,
            message: message.into(),
            extra_headers: Vec::new(),
        };
        self.0.write_object(commit).expect("a commit").detach()
    }

    pub fn point(&self, reference: &str, to: ObjectId) {
        self.0.reference(reference, to, gix::refs::transaction::PreviousValue::Any, "test").expect("a reference");
    }
}

fn entry(kind: EntryKind, name: &str, oid: ObjectId) -> Entry {
    Entry { mode: kind.into(), filename: name.into(), oid }
}

pub const INES: (&str, &str) = ("Ines", "ines@acme.example");
const BOT: (&str, &str) = ("renovate[bot]", "bot@renovate.example");

/// root ── rename ── merge (main)
///     └── side ────┘    └─ tag v1 on bump, which no branch holds
struct Sample {
    root: ObjectId,
    rename: ObjectId,
    side: ObjectId,
    merge: ObjectId,
    bump: ObjectId,
}

fn sample(folder: &Path) -> Sample {
    let w = Writer::new(folder);
    let root = w.commit("Start", 1000, INES, &[], &[("README.md", "hi"), ("src/lib.rs", "a")]);
    let rename = w.commit("Move", 2000, INES, &[root], &[("README.md", "hi"), ("src/core.rs", "a")]);
    let side = w.commit("Side\n\nMore words.", 3000, INES, &[root], &[("README.md", "hi"), ("src/lib.rs", "a"), ("docs/a.md", "d")]);
    let merge = w.commit("Merge", 4000, INES, &[rename, side], &[("README.md", "hi"), ("src/core.rs", "a"), ("docs/a.md", "d")]);
    let bump = w.commit(
        &format!("Bump{}", "é".repeat(4000)),
        5000,
        BOT,
        &[merge],
        &[("README.md", "hi"), ("src/core.rs", "b"), ("docs", "now a file")],
    );
    w.point("refs/heads/main", merge);
    w.0.tag("v1", bump, gix::objs::Kind::Commit, None, "first", gix::refs::transaction::PreviousValue::Any).expect("a tag");
    w.point("refs/tags/just-a-file", w.0.write_blob("no commit").expect("a blob").detach());
    w.point("refs/stash", w.commit("Stash", 9000, INES, &[root], &[]));
    Sample { root, rename, side, merge, bump }
}

fn history<'a>(folder: &'a Path, address: &'a str) -> History<'a> {
    History { address, repo: "git.acme.example/shop/checkout", since: None, into: folder, holds: Holds::Source }
}

fn read(history: &History) -> Result<Vec<Commit>, GitError> {
    let mut rows = Vec::new();
    history.for_each_chunk(&People::Clear, |chunk| {
        rows.extend(chunk.into_iter().map(|row| match row.entity {
            Entity::Commit(commit) => commit,
            other => panic!("a commit, not {other:?}"),
        }));
        Ok::<(), GitError>(())
    })?;
    Ok(rows)
}

fn files(row: &Commit) -> Option<Vec<&str>> {
    row.files.as_ref().map(|files| files.iter().map(String::as_str).collect())
}

#[test]
fn every_commit_that_a_branch_or_a_tag_leads_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = sample(folder.path());
    let path = folder.path().to_str().expect("a plain path").to_owned();
    for address in [path.clone(), format!("file://{path}")] {
        let rows = read(&history(Path::new("unused"), &address)).expect("a history");
        let ids: Vec<String> = rows.iter().map(|row| row.sha.clone()).collect();
        assert_eq!(ids, [sample.bump, sample.merge, sample.side, sample.rename, sample.root].map(|id| id.to_string()), "newest first");
        let [bump, merge, side, rename, root] = &rows[..] else { panic!("five commits") };
        assert_eq!(root.parents.as_deref(), Some(&[][..]));
        assert_eq!(merge.parents.as_deref(), Some(&[sample.rename.to_string(), sample.side.to_string()][..]));
        assert_eq!(files(root).expect("known"), ["README.md", "src/lib.rs"], "a root touches all its files");
        assert_eq!(files(rename).expect("known"), ["src/core.rs", "src/lib.rs"], "a renamed file has both names");
        assert_eq!(files(merge).expect("known"), ["docs/a.md"], "against the first parent");
        assert_eq!(files(bump).expect("known"), ["docs", "docs/a.md", "src/core.rs"], "a folder that became a file");
        assert_eq!(side.message.as_deref(), Some("Side\n\nMore words."));
        assert_eq!(bump.message.as_ref().map(String::len), Some(4096));
        assert_eq!((side.authored_at, side.committed_at), (Some(Time::from_seconds(3000)), Some(Time::from_seconds(3060))));
        assert_eq!((side.author.as_deref(), side.author_is_bot), (Some("ines@acme.example"), Some(false)));
        assert_eq!(bump.author_is_bot, Some(true));
        assert!(rows.iter().all(|row| row.branch.is_none() && row.pushed_at.is_none() && row.repo == "git.acme.example/shop/checkout"));
    }
}

#[test]
fn since_filters_by_the_time_of_the_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = sample(folder.path());
    let address = folder.path().to_str().expect("a plain path");
    let rows = read(&History { since: Some(Time::from_seconds(4060)), ..history(Path::new("unused"), address) }).expect("a history");
    assert_eq!(rows.iter().map(|row| row.sha.clone()).collect::<Vec<_>>(), [sample.bump.to_string(), sample.merge.to_string()]);
}

#[test]
fn beyond_a_shallow_edge_nothing_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = sample(folder.path());
    std::fs::write(folder.path().join("shallow"), format!("{}\n", sample.merge)).expect("the edge");
    let rows = read(&history(Path::new("unused"), folder.path().to_str().expect("a plain path"))).expect("a history");
    let [bump, merge] = &rows[..] else { panic!("two commits, not {rows:?}") };
    assert_eq!(bump.parents.as_deref(), Some(&[sample.merge.to_string()][..]));
    assert_eq!((merge.parents.as_ref(), merge.files.as_ref()), (None, None));
}

#[test]
fn a_chunk_sent_as_our_own_schema_gives_the_rows_that_a_reader_with_pseudonyms_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    sample(folder.path());
    let address = folder.path().to_str().expect("a plain path");
    let chunks = |people: &People| {
        let mut chunks: Vec<Vec<Observation>> = Vec::new();
        let read = history(Path::new("unused"), address).for_each_chunk(people, |chunk| {
            chunks.push(chunk);
            Ok::<(), GitError>(())
        });
        read.expect("a history");
        chunks
    };
    let people = People::Pseudonym(b"a tenant's key".to_vec());
    let (clear, pseudonyms) = (chunks(&People::Clear), chunks(&people));
    assert_eq!((clear.len(), pseudonyms.len()), (1, 1));
    assert!(!String::from_utf8_lossy(&own_lines(&pseudonyms[0])).contains("ines"), "a clear name");
    let lines = own_lines(&clear[0]);
    assert_eq!(lines.iter().filter(|&&byte| byte == b'\n').count(), 5);
    let event = own_event(Tenant::default(), Source::new("backfill"), Table::Commit, lines, Time::default()).expect("rows of ours");
    assert_eq!(event.kind, OWN_KIND);
    let rules = flowgauge_ingest::Rules { people, incident_labels: Vec::new() };
    assert_eq!(flowgauge_ingest::Normaliser::new(rules).normalise(&event).expect("rows"), pseudonyms[0]);
}

#[test]
fn an_empty_repository_has_no_commit_and_a_missing_one_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    Writer::new(&folder.path().join("empty"));
    std::fs::create_dir(folder.path().join("plain")).expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    assert_eq!(read(&history(Path::new("unused"), &at("empty"))).expect("no history").len(), 0);
    assert!(matches!(read(&history(Path::new("unused"), &at("plain"))), Err(GitError::Open { .. })));
    assert!(matches!(read(&history(Path::new("unused"), &at("nothing"))), Err(GitError::Address(_))));
}

#[test]
fn an_error_of_the_caller_ends_the_reading() {
    #[derive(Debug)]
    struct Full;
    impl From<GitError> for Full {
        fn from(error: GitError) -> Self {
            panic!("{error}")
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    sample(folder.path());
    let address = folder.path().to_str().expect("a plain path");
    assert!(history(Path::new("unused"), address).for_each_chunk(&People::Clear, |_| Err(Full)).is_err());
}
