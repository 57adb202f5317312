use super::*;
use crate::model::{Source, Tenant};
use std::fs;
use std::path::{Path, PathBuf};

fn event(number: u64) -> RawEvent {
    let body = vec![number as u8; 3000];
    RawEvent::new(
        Tenant::default(),
        Source::new("a"),
        "test",
        Some(number.to_string()),
        Time::from_seconds(number as i64),
        Vec::new(),
        body.into(),
    )
}

fn open(path: &Path, durability: Durability) -> Result<(Journal, std_mpsc::Receiver<Accepted>), LakeError> {
    let (accepted, receiver) = std_mpsc::channel();
    Journal::open(&Arc::new(DataFolder::open(path)?), durability, 1 << 30, accepted, 0).map(|journal| (journal, receiver))
}

fn stored(journal: &Journal) -> Vec<(u64, RawEvent)> {
    journal.snapshot().events_after(0).collect::<Result<_, _>>().unwrap()
}

fn duplicates(receipts: &[Receipt]) -> Vec<bool> {
    receipts.iter().map(|receipt| receipt.duplicate).collect()
}

#[tokio::test]
async fn an_event_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, accepted) = open(folder.path(), Durability::Synced).unwrap();
    let receipts = journal.append(vec![event(1), event(2), event(1)]).await.unwrap();
    assert_eq!(duplicates(&receipts), [false, false, true]);
    assert_eq!(receipts[1].event_id, event(2).event_id);
    assert_eq!(duplicates(&journal.append(vec![event(2), event(3)]).await.unwrap()), [true, false]);
    assert!(journal.append(Vec::new()).await.unwrap().is_empty());
    let fed: Accepted = accepted.try_iter().flatten().collect();
    assert_eq!(fed, [(1, event(1)), (2, event(2)), (3, event(3))]);
    drop(journal);
    let (journal, _accepted) = open(folder.path(), Durability::Synced).unwrap();
    assert_eq!(stored(&journal), fed);
    assert_eq!(duplicates(&journal.append(vec![event(3), event(4)]).await.unwrap()), [true, false]);
    assert_eq!(journal.acknowledged(), 4);
}

#[tokio::test]
async fn numbers_go_on_after_a_trim() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _accepted) = open(folder.path(), Durability::Synced).unwrap();
    journal.append((1..=5).map(event).collect()).await.unwrap();
    let before = journal.snapshot();
    journal.trim(5, vec![(b"key".to_vec(), b"value".to_vec())]).unwrap();
    assert_eq!((before.events_after(3).count(), journal.snapshot().events_after(0).count()), (2, 0));
    drop((journal, before));
    let (journal, _accepted) = open(folder.path(), Durability::Synced).unwrap();
    assert_eq!(journal.sources().unwrap(), [(b"key".to_vec(), b"value".to_vec())]);
    assert_eq!(duplicates(&journal.append(vec![event(5), event(6)]).await.unwrap()), [true, false]);
    assert_eq!(stored(&journal), [(6, event(6))]);
    let view = journal.snapshot();
    assert_eq!(view.place(event(2).event_id).unwrap(), Some(Place { received_at: event(2).received_at, seq: 2 }));
    assert_eq!((view.event(2).unwrap(), view.event(6).unwrap()), (None, Some(event(6))));
    assert_eq!(view.place(event(9).event_id).unwrap(), None);
}

#[tokio::test]
async fn what_does_not_fit_is_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let (accepted, _receiver) = std_mpsc::channel();
    let journal = Journal::open(&Arc::new(DataFolder::open(folder.path()).unwrap()), Durability::Synced, 5000, accepted, 0).unwrap();
    journal.append(vec![event(1), event(2)]).await.unwrap();
    assert!(matches!(journal.append(vec![event(3)]).await, Err(LakeError::Busy)));
    journal.adjust_backlog(-3000);
    journal.append(vec![event(3)]).await.unwrap();
}

#[tokio::test]
async fn a_failed_journal_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _accepted) = open(folder.path(), Durability::Synced).unwrap();
    journal.fail("the disk is gone".into());
    let error = journal.append(vec![event(1)]).await.unwrap_err();
    assert!(matches!(error, LakeError::Unavailable(_)) && error.to_string().contains("the disk is gone"));
    journal.close(false);
    assert!(matches!(journal.append(vec![event(1)]).await, Err(LakeError::Unavailable(_))));
}

/// The control of the crash test must fail it: with the same ending a synced journal keeps what it has acknowledged.
#[tokio::test]
async fn the_unsafe_control_loses_and_doubles() {
    for (durability, expected) in [(Durability::Synced, 3), (Durability::Unsafe, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _accepted) = open(folder.path(), durability).unwrap();
        for number in 1..=3 {
            let small = RawEvent { body: "x".into(), ..event(number) };
            assert_eq!(duplicates(&journal.append(vec![small]).await.unwrap()), [false]);
        }
        // A killed process leaves the files as they are at this moment.
        let killed = tempfile::tempdir().unwrap();
        copy(folder.path(), killed.path());
        let (journal, _accepted) = open(killed.path(), durability).unwrap();
        assert_eq!(stored(&journal).len(), expected);
    }
    let folder = tempfile::tempdir().unwrap();
    let (journal, _accepted) = open(folder.path(), Durability::Unsafe).unwrap();
    assert_eq!(duplicates(&journal.append(vec![event(1), event(1)]).await.unwrap()), [false, false]);
    journal.close(false);
    assert_eq!(stored(&journal).len(), 2);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (source, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if source.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&source, &target);
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}

/// A journal of five batches of one event, its file, and where in it each event's body begins.
async fn written(path: &Path) -> (PathBuf, Vec<usize>) {
    let (journal, _accepted) = open(path, Durability::Synced).unwrap();
    for number in 1..=5 {
        journal.append(vec![event(number)]).await.unwrap();
    }
    drop(journal);
    let file = path.join("journal/0.jnl");
    let bytes = fs::read(&file).unwrap();
    let body = |number: u64| bytes.windows(3000).position(|window| window == event(number).body).unwrap();
    (file, (1..=5).map(body).collect())
}

fn spoil(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x55;
    fs::write(file, bytes).unwrap();
}

/// The numbers of the events that are left after the journal was opened, and how many files were put aside.
fn left(path: &Path) -> (Vec<u64>, usize) {
    let (journal, _accepted) = open(path, Durability::Synced).unwrap();
    let numbers = stored(&journal)
        .into_iter()
        .map(|(seq, stored)| {
            assert_eq!(stored, event(seq));
            seq
        })
        .collect();
    (numbers, fs::read_dir(path.join("journal/spoiled")).map_or(0, Iterator::count))
}

#[tokio::test]
async fn a_file_may_end_anywhere() {
    for cut in [0, 1, 2999, 3000, 3001, 3040] {
        let folder = tempfile::tempdir().unwrap();
        let (file, bodies) = written(folder.path()).await;
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len((bodies[4] + cut) as u64).unwrap();
        assert_eq!(left(folder.path()), (vec![1, 2, 3, 4], 0), "{cut}");
        let (journal, _accepted) = open(folder.path(), Durability::Synced).unwrap();
        assert_eq!(duplicates(&journal.append(vec![event(4), event(5)]).await.unwrap()), [true, false]);
        drop(journal);
        assert_eq!(left(folder.path()).0, [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn a_spoiled_byte_costs_its_batch_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bodies) = written(folder.path()).await;
    let mut bytes = fs::read(&file).unwrap();
    assert_eq!(torn::spoiled(&bytes), None);
    bytes.truncate(bodies[4] + 4000);
    let begins: Vec<usize> = bodies.iter().map(|body| body - 101).collect();
    for batch in [1, 3] {
        for at in begins[batch]..begins[batch + 1] {
            bytes[at] ^= 0x55;
            // The database's own number of a batch (8 bytes after the count) is under no checksum.
            let numbered = (5..13).contains(&(at - begins[batch]));
            assert_eq!(torn::spoiled(&bytes), (!numbered).then(|| begins[batch]..begins[batch + 1]), "{at}");
            bytes[at] ^= 0x55;
        }
    }
    for (batch, lost) in [(0, 1), (2, 3), (4, 5)] {
        let folder = tempfile::tempdir().unwrap();
        let (file, bodies) = written(folder.path()).await;
        spoil(&file, bodies[batch] + 100);
        let expected: Vec<u64> = (1..=5).filter(|number| *number != lost).collect();
        assert_eq!(left(folder.path()), (expected.clone(), 1));
        assert_eq!(left(folder.path()), (expected, 1));
    }
}

#[tokio::test]
async fn a_body_cannot_pass_for_the_journal() {
    // A sender puts a whole batch of another journal into a body; then the disk spoils the batch it is in.
    let other = tempfile::tempdir().unwrap();
    let (file, bodies) = written(other.path()).await;
    let forged = fs::read(file).unwrap()[..bodies[4]].to_vec();
    let folder = tempfile::tempdir().unwrap();
    let (journal, _accepted) = open(folder.path(), Durability::Synced).unwrap();
    let hostile = RawEvent { body: [b"begin".as_slice(), &forged].concat().into(), ..event(1) };
    journal.append(vec![hostile]).await.unwrap();
    journal.append(vec![event(2)]).await.unwrap();
    drop(journal);
    let file = folder.path().join("journal/0.jnl");
    let begin = fs::read(&file).unwrap().windows(5).position(|window| window == b"begin").unwrap();
    spoil(&file, begin);
    assert_eq!(left(folder.path()), (vec![2], 1));
}
