//! What a small configuration repository pins, commit by commit: set, changed, merged, removed, and where its history ends.

use crate::git_history::{INES, Writer};
use flowgauge_ingest::People;
use flowgauge_ingest::git::{GitError, History, Holds};
use flowgauge_lake::model::{Entity, Manifest, Time};
use gix::ObjectId;
use std::path::Path;

const VALUES: &str = "cart/values-prod.yaml";
const PLAIN: &str = "mail/pod.yaml";

fn values(tag: &str) -> String {
    format!("image:\n  tag: {tag}\n")
}

fn pod(tag: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: 'shop/mail:{tag}'}}]}}\n")
}

/// start ── bump ── merge ── scale ── gone
///     └── side ────┘
struct Sample {
    start: ObjectId,
    bump: ObjectId,
    side: ObjectId,
    merge: ObjectId,
    gone: ObjectId,
}

fn sample(folder: &Path) -> Sample {
    let w = Writer::new(folder);
    let (one, two) = (values("1.10"), values("2"));
    let (mail, mail_two) = (pod("7"), pod("8"));
    let start = w.commit("Start", 1000, INES, &[], &[(VALUES, &one), (PLAIN, &mail), ("README.md", "hi")]);
    let bump = w.commit("Bump cart", 2000, INES, &[start], &[(VALUES, &two), (PLAIN, &mail), ("README.md", "hi")]);
    let side = w.commit("Bump mail", 3000, INES, &[start], &[(VALUES, &one), (PLAIN, &mail_two), ("README.md", "hi")]);
    let merge = w.commit("Merge", 4000, INES, &[bump, side], &[(VALUES, &two), (PLAIN, &mail_two), ("README.md", "hi")]);
    let scaled = format!("{two}replicas: 3\n");
    let scale = w.commit("Scale", 5000, INES, &[merge], &[(VALUES, &scaled), (PLAIN, &mail_two), ("README.md", "hi")]);
    let gone = w.commit("Remove mail", 6000, INES, &[scale], &[(VALUES, &scaled), ("README.md", "hi")]);
    w.point("refs/heads/main", gone);
    Sample { start, bump, side, merge, gone }
}

fn read(folder: &Path, since: Option<Time>, holds: Holds) -> Vec<Manifest> {
    let address = folder.to_str().expect("a plain path");
    let history = History { address, repo: "git.acme.example/shop/deploy", since, into: Path::new("unused"), holds };
    let mut rows = Vec::new();
    let each = |chunk: Vec<flowgauge_lake::model::Observation>| {
        rows.extend(chunk.into_iter().filter_map(|row| if let Entity::Manifest(row) = row.entity { Some(row) } else { None }));
        Ok::<(), GitError>(())
    };
    history.for_each_chunk(&People::Clear, each).expect("a history");
    rows
}

fn told(row: &Manifest) -> (String, String) {
    let what = if row.removed == Some(true) { "removed" } else { row.tag.as_deref().unwrap_or("-") };
    (row.sha.clone(), format!("{} {} {what} {}", row.path, row.image, row.environment.as_deref().unwrap_or("-")))
}

#[test]
fn rows_say_how_a_commit_differs_from_its_first_parent() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = sample(folder.path());
    // Two of three files are YAML and pin images: that it is a configuration is seen.
    for holds in [Holds::Unknown, Holds::Configuration] {
        let rows = read(folder.path(), None, holds);
        let expected = [
            (sample.gone, "mail/pod.yaml shop/mail removed -"),
            (sample.merge, "mail/pod.yaml shop/mail 8 -"),
            (sample.side, "mail/pod.yaml shop/mail 8 -"),
            (sample.bump, "cart/values-prod.yaml .image 2 prod"),
            (sample.start, "cart/values-prod.yaml .image 1.10 prod"),
            (sample.start, "mail/pod.yaml shop/mail 7 -"),
        ];
        assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected.map(|(id, text)| (id.to_string(), text.to_owned())));
        assert!(rows.iter().all(|row| row.committed_at.is_some()));
    }
    assert_eq!(read(folder.path(), None, Holds::Source), []);
}

#[test]
fn where_history_is_cut_off_everything_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = sample(folder.path());
    let rows = read(folder.path(), Some(Time::from_seconds(4060)), Holds::Configuration);
    let expected = [
        (sample.gone, "mail/pod.yaml shop/mail removed -"),
        (sample.merge, "cart/values-prod.yaml .image 2 prod"),
        (sample.merge, "mail/pod.yaml shop/mail 8 -"),
    ];
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected.map(|(id, text)| (id.to_string(), text.to_owned())));

    std::fs::write(folder.path().join("shallow"), format!("{}\n", sample.merge)).expect("a file");
    let rows = read(folder.path(), None, Holds::Configuration);
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected.map(|(id, text)| (id.to_string(), text.to_owned())));
}

#[test]
fn a_repository_of_source_is_seen_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let w = Writer::new(folder.path());
    let values = values("1");
    let files = [("src/a.rs", "a"), ("src/b.rs", "b"), ("deploy/values.yaml", values.as_str())];
    w.point("refs/heads/main", w.commit("Start", 1000, INES, &[], &files));
    assert_eq!(read(folder.path(), None, Holds::Unknown), []);
    assert_eq!(read(folder.path(), None, Holds::Configuration).len(), 1);
}
