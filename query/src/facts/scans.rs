//! Scans, and the versions and changes that they speak of (semantics, 7.60).

use super::runs::{Run, Runs};
use flowgauge_lake::model::{Scan, Source};
use std::collections::{BTreeSet, HashMap};

/// One run of a scanner.
#[derive(Debug)]
pub struct Scanned {
    pub source: Source,
    pub scan: Scan,
    /// The commit it looked at: its own, else that of its run.
    pub sha: Option<String>,
}

/// All scans, and by what they are found.
#[derive(Debug, Default)]
pub struct Scans {
    pub all: Vec<Scanned>,
    by_digest: HashMap<String, Vec<usize>>,
    /// By their own commit and by that of their run.
    by_sha: HashMap<String, Vec<usize>>,
    /// By repository and change: their own, and that of their run.
    by_change: HashMap<(String, String), Vec<usize>>,
}

impl Scans {
    /// `scans` in a fixed order.
    pub(super) fn build(scans: impl Iterator<Item = (Source, Scan)>, runs: &Runs) -> Scans {
        let mut all = Scans::default();
        for (index, (source, scan)) in scans.enumerate() {
            let group = scan.run_id.as_deref().and_then(|id| runs.get(&source, id));
            let of_runs = || group.iter().flat_map(|group| &group.runs);
            let shas: BTreeSet<&String> = scan.sha.iter().chain(of_runs().filter_map(|run| run.sha.as_ref())).collect();
            let own = scan.repo.clone().zip(scan.change_id.clone());
            let changes: BTreeSet<(String, String)> =
                own.into_iter().chain(of_runs().filter_map(|run| run.repo.clone().zip(run.change_id.clone()))).collect();
            scan.digest.iter().for_each(|digest| all.by_digest.entry(digest.clone()).or_default().push(index));
            shas.into_iter().for_each(|sha| all.by_sha.entry(sha.clone()).or_default().push(index));
            changes.into_iter().for_each(|change| all.by_change.entry(change).or_default().push(index));
            let sha = scan.sha.clone().or_else(|| of_runs().next()?.sha.clone());
            all.all.push(Scanned { source, scan, sha });
        }
        all
    }

    fn found<'a>(&'a self, indices: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Scanned> {
        indices.into_iter().flatten().map(|&index| &self.all[index])
    }

    /// Those of a version: of the same artifact; where one of the two names none, of the same commit.
    pub fn of_version<'a>(&'a self, digest: Option<&'a str>, sha: Option<&'a str>) -> impl Iterator<Item = &'a Scanned> {
        let by_digest = self.found(digest.and_then(|digest| self.by_digest.get(digest)));
        let by_sha = self.found(sha.and_then(|sha| self.by_sha.get(sha)));
        by_digest.chain(by_sha.filter(move |scanned| {
            let has_digests = digest.is_some() && scanned.scan.digest.is_some();
            !has_digests && scanned.sha.as_deref() == sha
        }))
    }

    /// Those of a change: by its number, by one of its commits, or by a run of either. Each at most once.
    pub fn of_change<'a>(&'a self, repo: &str, change_id: &str, commits: &[&str], runs: &Runs) -> Vec<&'a Scanned> {
        let is_of_change = |scanned: &&Scanned| {
            let scan = &scanned.scan;
            let of_repo = scan.repo.as_deref() == Some(repo);
            let is_its = |sha: &Option<String>| sha.as_deref().is_some_and(|sha| commits.contains(&sha));
            let of_run = |run: &Run| run.repo.as_deref() == Some(repo) && (run.change_id.as_deref() == Some(change_id) || is_its(&run.sha));
            let group = || runs.get(&scanned.source, scan.run_id.as_deref()?);
            (of_repo && scan.change_id.as_deref() == Some(change_id))
                || (is_its(&scan.sha) && (of_repo || scan.repo.is_none()))
                || group().is_some_and(|group| group.runs.iter().any(of_run))
        };
        let by_change = self.by_change.get(&(repo.to_owned(), change_id.to_owned()));
        let by_commit = commits.iter().filter_map(|sha| self.by_sha.get(*sha));
        let found: BTreeSet<usize> = by_change.into_iter().chain(by_commit).flatten().copied().collect();
        found.into_iter().map(|index| &self.all[index]).filter(is_of_change).collect()
    }
}
