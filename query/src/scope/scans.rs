//! Scans: what they found in the versions that run at a moment, and which changes they looked at before these were merged.

use super::{Builder, ScopeRow, Subject};
use crate::facts::deployments::{Classified, same_version};
use crate::facts::scans::Scanned;
use crate::question::Dimension;
use flowgauge_lake::model::{ScanKind, Time};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Builder<'a> {
    /// For each service that runs somewhere, the findings of the latest scan of each kind in each version that runs (semantics, 7.60).
    pub(super) fn findings(&mut self) {
        let facts = self.facts;
        for (service, of) in self.services() {
            self.connect(service, of);
            let mut places: BTreeMap<(Vec<String>, &str), Vec<&'a Classified>> = BTreeMap::new();
            for i in self.counted_rows(&of.deployments) {
                let deployment = &of.deployments[i];
                let environment = deployment.row.environment.as_str();
                if deployment.took_effect {
                    let key = self.key(&self.deployment_labels(service, environment));
                    places.entry((key, environment)).or_default().push(deployment);
                }
            }
            let id = self.next_number();
            for (bucket, part) in (0..).zip(self.buckets).filter(|(_, part)| !part.is_empty()) {
                let at = self.question.state_at(part);
                let mut running: BTreeMap<&[String], Vec<&'a Classified>> = BTreeMap::new();
                for ((key, _), rows) in &places {
                    let last = rows.partition_point(|deployment| deployment.finished_at() <= Some(at)).checked_sub(1);
                    let Some(current) = last.map(|last| rows[last]) else { continue };
                    let versions = running.entry(key).or_default();
                    if !versions.iter().any(|known| same_version(&known.row, &current.row)) {
                        versions.push(current);
                    }
                }
                for (key, versions) in running {
                    let row = ScopeRow { what: "service", bucket: Some(bucket), id: Some(id), at: Some(at), ..ScopeRow::default() };
                    self.push(key, row, || versions.iter().map(|deployment| Subject::deployment(deployment)).collect());
                    for deployment in versions {
                        for scanned in
                            latest(facts.scans.of_version(deployment.row.digest.as_deref(), deployment.source_sha.as_deref()), at)
                        {
                            self.finding(key, bucket, id, scanned);
                        }
                    }
                }
            }
        }
    }

    fn finding(&mut self, key: &[String], bucket: i64, id: i64, scanned: &Scanned) {
        let scan = &scanned.scan;
        let severities = [("critical", scan.critical), ("high", scan.high), ("medium", scan.medium), ("low", scan.low)];
        for (severity, count) in severities {
            let row = ScopeRow {
                what: "finding",
                bucket: Some(bucket),
                id: Some(id),
                at: scan.finished_at,
                name: Some(scan.kind.as_str().into()),
                reason: Some(severity),
                count: Some(count.unwrap_or(0)),
                ..ScopeRow::default()
            };
            self.push(key, row, || vec![Subject::scan(scanned)]);
        }
    }

    /// Merged changes, and the first SAST and the first SCA scan of each.
    pub(super) fn scanned_changes(&mut self) {
        let facts = self.facts;
        for repo in facts.repos.values().filter(|repo| !repo.changes().is_empty()) {
            let mut keys = BTreeSet::new();
            for service in self.services_of_repo(Some(&repo.name)) {
                let team = service.and_then(|service| facts.catalogue.team(service));
                let labels = [(Dimension::Repo, Some(repo.name.as_str())), (Dimension::Service, service), (Dimension::Team, team)];
                if self.passes(&labels) {
                    self.configured(&labels);
                    keys.insert(self.key(&labels));
                }
            }
            if keys.is_empty() {
                continue;
            }
            for change in repo.changes() {
                let merged = change.merged_at.filter(|&at| self.exists(at)).and_then(|at| Some((at, self.bucket(at)?)));
                let Some((merged_at, bucket)) = merged else { continue };
                let commits: Vec<&str> = change.commits.iter().copied().chain(change.merge).map(|node| repo.sha(node)).collect();
                let scans = facts.scans.of_change(&repo.name, &change.change_id, &commits, &facts.by_run);
                let first = |kind: ScanKind| {
                    let of_kind = scans.iter().filter(|scanned| scanned.scan.kind == kind);
                    of_kind.filter_map(|scanned| Some((scanned.scan.finished_at?, *scanned))).min_by_key(|(at, _)| *at)
                };
                let first = [(ScanKind::Sast, first(ScanKind::Sast)), (ScanKind::Sca, first(ScanKind::Sca))];
                let id = self.next_number();
                let base = ScopeRow { bucket: Some(bucket), id: Some(id), at: Some(merged_at), ..ScopeRow::default() };
                for key in &keys {
                    let row = ScopeRow { what: "change", ..base.clone() };
                    self.push(key, row, || vec![Subject::change(&repo.name, &change.change_id)]);
                    for (kind, found) in &first {
                        let Some((finished_at, scanned)) = found.filter(|(at, _)| self.exists(*at)) else { continue };
                        let row = ScopeRow { what: "scan", since: Some(finished_at), reason: Some(kind.as_str()), ..base.clone() };
                        self.push(key, row, || vec![Subject::scan(scanned)]);
                    }
                }
            }
        }
    }
}

/// Of each kind the scan that finished last by then.
fn latest<'s>(scans: impl Iterator<Item = &'s Scanned>, at: Time) -> impl Iterator<Item = &'s Scanned> {
    let order = |scanned: &Scanned| (scanned.scan.finished_at, scanned.scan.scan_id.clone(), scanned.source.clone());
    let mut last: BTreeMap<ScanKind, &Scanned> = BTreeMap::new();
    for scanned in scans.filter(|scanned| scanned.scan.finished_at.is_some_and(|finished| finished <= at)) {
        if last.get(&scanned.scan.kind).is_none_or(|known| order(known) < order(scanned)) {
            last.insert(scanned.scan.kind, scanned);
        }
    }
    last.into_values()
}
