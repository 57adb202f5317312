//! Deployments: which there are, what each first brought, and of what kind each was (section 0.1, rules 12 to 22).

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::graph::{Graph, History};
use crate::row::{Row, flag, list, sha, source, text, time};
use crate::time::Time;
use crate::verdicts::{self, Verdict};

#[derive(Debug, Clone)]
pub struct Deployment {
    pub source: String,
    pub id: String,
    /// References to these ids (source, id) mean this deployment too: evidence of it that was merged into it.
    pub aliases: Vec<(String, String)>,
    pub service: String,
    pub environment: String,
    pub started_at: Option<Time>,
    pub finished_at: Time,
    pub outcome: String,
    pub explicit_kind: Option<String>,
    pub evidence: Option<String>,
    /// Rule 14.
    pub took_effect: bool,
    /// The source commit: the row's own, else the artifact's (rule 24).
    pub sha: Option<String>,
    row_sha: Option<String>,
    pub digest: Option<String>,
    pub version: Option<String>,
    pub config_repo: Option<String>,
    pub config_sha: Option<String>,
    /// Rule 24.
    pub repo: Option<String>,
    pub history: History,
    /// What it first brings to its environment: not in the history of an earlier successful one (rule 19).
    pub brought: BTreeSet<String>,
    pub kind: String,
    /// Of a revert: the commits it takes back.
    pub reverted: BTreeSet<String>,
}

impl Deployment {
    /// Rule 35, and the order of rule 16.
    pub fn order(&self) -> (Time, &str, &str) {
        (self.finished_at, &self.id, &self.source)
    }

    pub fn is_success(&self) -> bool {
        self.outcome == "success"
    }

    pub fn is_production(&self) -> bool {
        tier(&self.environment) == "production"
    }

    pub fn is_failure(&self) -> bool {
        ["failure", "error", "timeout"].contains(&self.outcome.as_str())
    }

    pub fn named(&self, source: &str, id: &str) -> bool {
        (self.source == source && self.id == id) || self.aliases.iter().any(|a| a.0 == source && a.1 == id)
    }

    /// Rule 42: what is promoted is the row's digest, else its own sha.
    pub fn promoted(&self) -> Option<&String> {
        self.digest.as_ref().or(self.row_sha.as_ref())
    }

    /// Rule 15.
    pub fn same_version(&self, other: &Deployment) -> bool {
        match ((&self.digest, &other.digest), (&self.row_sha, &other.row_sha), (&self.version, &other.version)) {
            ((Some(a), Some(b)), _, _) => a == b,
            (_, (Some(a), Some(b)), _) => a == b,
            (_, _, (Some(a), Some(b))) => a == b,
            _ => false,
        }
    }
}

/// Rule 13: by whole parts between non-alphanumerics, case-insensitively, the first match in this order.
pub fn tier(environment: &str) -> &'static str {
    let lower = environment.to_lowercase();
    let parts: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty()).collect();
    let has = |names: &[&str]| parts.iter().any(|p| names.contains(p));
    let pre_prod = parts.windows(2).any(|two| two == ["pre", "prod"]);
    if pre_prod || has(&["preprod", "staging", "stage", "uat"]) {
        "staging"
    } else if has(&["prod", "production", "live"]) {
        "production"
    } else if has(&["qa", "test", "testing"]) {
        "testing"
    } else if has(&["dev", "development"]) {
        "development"
    } else {
        "other"
    }
}

/// Every finished deployment as its row tells it, whatever `as_of` is.
pub fn read_all(rows: &[Row], graph: &Graph) -> Vec<Deployment> {
    rows.iter().filter_map(|r| read(r, graph)).collect()
}

/// Those that finished by an instant (rule 1), in the order of rule 16, evidence of one merged (rule 22).
pub fn finished_by(read: &[Deployment], moment: Time) -> Vec<Deployment> {
    let mut all: Vec<Deployment> = read.iter().filter(|d| d.finished_at <= moment).cloned().collect();
    all.sort_by(|a, b| a.order().cmp(&b.order()));
    merge_evidence(all)
}

/// All deployments that finished by `as_of`, with what follows from them.
pub fn derive(read: &[Deployment], verdicts: &[Verdict], graph: &Graph, as_of: Time) -> Vec<Deployment> {
    let mut all = finished_by(read, as_of);
    // V4: whatever `as_of` is, and before the row's own.
    let kinds: Vec<Option<String>> = verdicts::about_deployments(verdicts, &all).iter().map(|said| verdicts::kind(said)).collect();
    for (d, kind) in all.iter_mut().zip(kinds) {
        d.explicit_kind = kind.or(d.explicit_kind.take());
    }
    let mut places: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (i, d) in all.iter().enumerate() {
        places.entry((d.service.clone(), d.environment.clone())).or_default().push(i);
    }
    for place in places.values() {
        derive_place(&mut all, place, graph);
    }
    all
}

/// Rule 33: the row of the same source, else the only row with that id, else none.
pub fn resolve(deployments: &[Deployment], source: &str, id: &str) -> Option<usize> {
    let same_source = deployments.iter().position(|d| d.named(source, id));
    let with_id = |d: &Deployment| d.id == id || d.aliases.iter().any(|a| a.1 == id);
    let with: Vec<usize> = (0..deployments.len()).filter(|&i| with_id(&deployments[i])).collect();
    same_source.or(if with.len() == 1 { Some(with[0]) } else { None })
}

/// Rule 14: a deployment without `finished_at` counts nowhere.
fn read(row: &Row, graph: &Graph) -> Option<Deployment> {
    let finished_at = time(row, "finished_at")?;
    let service = text(row, "service").unwrap_or_default();
    let outcome = text(row, "outcome").unwrap_or_default();
    let (row_sha, digest) = (sha(row, "sha"), text(row, "digest"));
    let source_sha = graph.source_sha(row_sha.as_ref(), digest.as_ref());
    let repo = source_sha.as_ref().and_then(|s| graph.source_repo(text(row, "repo").as_ref(), digest.as_ref(), &service, s));
    let history = graph.history(row_sha.as_ref(), digest.as_ref(), text(row, "repo").as_ref(), &service, list(row, "commit_shas").as_ref());
    Some(Deployment {
        source: source(row),
        id: text(row, "deployment_id").unwrap_or_default(),
        aliases: Vec::new(),
        service,
        environment: text(row, "environment").unwrap_or_default(),
        started_at: time(row, "started_at"),
        finished_at,
        took_effect: outcome == "success" || flag(row, "took_effect") == Some(true),
        outcome,
        explicit_kind: text(row, "kind"),
        evidence: text(row, "evidence"),
        sha: source_sha,
        row_sha,
        digest,
        version: text(row, "version"),
        config_repo: text(row, "config_repo"),
        repo,
        config_sha: sha(row, "config_sha"),
        history,
        brought: BTreeSet::new(),
        kind: String::new(),
        reverted: BTreeSet::new(),
    })
}

/// Rule 22 and DESIGN section 3: rows of one service and environment whose evidence is given and differs, of one sha or digest and within
/// 15 minutes, are one deployment, told by the best evidence.
fn merge_evidence(all: Vec<Deployment>) -> Vec<Deployment> {
    let one = |a: &Deployment, b: &Deployment| {
        a.service == b.service
            && short_name(&a.environment) == short_name(&b.environment)
            && a.evidence.is_some()
            && b.evidence.is_some()
            && a.evidence != b.evidence
            && ((a.row_sha.is_some() && a.row_sha == b.row_sha) || (a.digest.is_some() && a.digest == b.digest))
            && (a.finished_at - b.finished_at).abs() <= TimeDelta::minutes(15)
    };
    // Groups: a row joins every group it is one with, which makes these one group.
    let mut groups: Vec<Vec<Deployment>> = Vec::new();
    for d in all {
        let (joined, rest): (Vec<_>, Vec<_>) = groups.into_iter().partition(|g| g.iter().any(|x| one(x, &d)));
        let mut group: Vec<Deployment> = joined.into_iter().flatten().collect();
        group.push(d);
        groups = rest;
        groups.push(group);
    }
    let mut merged: Vec<Deployment> = groups.into_iter().map(best_evidence).collect();
    merged.sort_by(|a, b| a.order().cmp(&b.order()));
    merged
}

fn best_evidence(mut group: Vec<Deployment>) -> Deployment {
    let rank = |d: &Deployment| ["deployment", "gitops_sync", "job", "event"].iter().position(|e| d.evidence.as_deref() == Some(*e));
    group.sort_by_key(|d| rank(d).unwrap_or(4));
    let mut best = group.remove(0);
    best.aliases = group.iter().map(|d| (d.source.clone(), d.id.clone())).collect();
    best
}

/// Names that differ only as `prod` and `production` do are one.
fn short_name(environment: &str) -> String {
    environment.replace("production", "prod")
}

/// History and kind of the deployments of one service and environment, `place` being their places in order.
fn derive_place(all: &mut [Deployment], place: &[usize], graph: &Graph) {
    let mut deployed: BTreeSet<String> = BTreeSet::new(); // the histories of the earlier successful ones
    for (n, &i) in place.iter().enumerate() {
        let earlier: Vec<&Deployment> = place[..n].iter().map(|&j| &all[j]).collect();
        let contained = all[i].history.contained();
        let brought: BTreeSet<String> = contained.difference(&deployed).cloned().collect();
        let reverted = reverted_by(&brought, &deployed, graph);
        let kind = kind(&all[i], &earlier, &brought, &reverted, graph);
        if all[i].is_success() {
            deployed.extend(contained);
        }
        all[i].brought = brought;
        all[i].reverted = reverted;
        all[i].kind = kind;
    }
}

/// Rules 15 to 20.
fn kind(d: &Deployment, earlier: &[&Deployment], brought: &BTreeSet<String>, reverted: &BTreeSet<String>, graph: &Graph) -> String {
    if let Some(explicit) = &d.explicit_kind {
        return explicit.clone(); // rule 18
    }
    if earlier.is_empty() {
        return "release".into(); // rule 19: nothing is derived for the first of an environment
    }
    let effective: Vec<&&Deployment> = earlier.iter().filter(|e| e.took_effect).collect();
    if let Some(current) = effective.last() {
        // Rule 16.
        if d.same_version(current) {
            let other_config = d.config_sha.is_some() && current.config_sha.is_some() && d.config_sha != current.config_sha;
            return if other_config {
                "config_only".into()
            } else if current.is_success() {
                "no_op".into()
            } else {
                "release".into() // a retry
            };
        }
        // Rule 17: a version that was here before; a rollback only if it came before the one it replaces.
        let first = |version: &Deployment| effective.iter().position(|e| e.same_version(version));
        if let Some(came) = first(d) {
            return if Some(came) < first(current) { "rollback".into() } else { "release".into() };
        }
    }
    // Rule 19.
    let is_merge = |repo: &str, sha: &str| graph.commit(repo, sha).is_some_and(|c| c.is_merge());
    let hotfix = graph.changes.iter().filter(|c| c.is_hotfix()).any(|c| c.commits().any(|s| brought.contains(s) && !is_merge(&c.repo, s)));
    if hotfix {
        "hotfix".into()
    } else if !reverted.is_empty() {
        "revert".into() // rule 20
    } else {
        "release".into()
    }
}

/// Rule 20: the commits deployed there before that a commit among `brought` takes back.
fn reverted_by(brought: &BTreeSet<String>, deployed: &BTreeSet<String>, graph: &Graph) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for ((repo, sha), commit) in &graph.commits {
        if !brought.contains(sha) {
            continue;
        }
        for part in commit.message.split("This reverts commit ").skip(1) {
            let named: String = part.chars().take_while(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
            if named.len() >= 7 {
                found.extend(deployed.iter().filter(|s| s.starts_with(&named)).cloned());
            }
        }
        if commit.message.contains("This reverts commit ") {
            continue;
        }
        let first_line = commit.message.lines().next().unwrap_or_default();
        if let Some((title, _)) = first_line.strip_prefix("Revert \"").and_then(|rest| rest.rsplit_once('"')) {
            // Titles come again: of several changes deployed there, the last that was merged is meant.
            let is_it = |c: &&crate::graph::Change| {
                c.repo == *repo && c.title.as_deref() == Some(title) && c.commits().any(|s| deployed.contains(s))
            };
            let titled = graph.changes.iter().filter(is_it);
            let last = titled.max_by_key(|c| (c.merged_at, c.change_id.clone()));
            found.extend(last.into_iter().flat_map(|c| c.commits()).filter(|s| deployed.contains(*s)).cloned());
        }
    }
    found
}

/// A logical deployment: the places of its rows, in finish order (rule 21).
pub type Group = Vec<usize>;

/// Rule 21: the rows (in finish order) merged over environments, unless split or filtered by environment.
pub fn fan_out(all: &[Deployment], rows: &[usize], by_environment: bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for &i in rows {
        let d = &all[i];
        let joins = |g: &Group| {
            let first = &all[g[0]];
            first.service == d.service
                && first.same_version(d)
                && g.iter().all(|&j| all[j].environment != d.environment)
                && d.finished_at - first.finished_at <= TimeDelta::hours(2)
        };
        match groups.iter_mut().rev().find(|g| !by_environment && joins(g)) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::tier;

    #[test]
    fn tiers_follow_rule_13() {
        for (name, want) in [
            ("prod", "production"),
            ("prod-eu", "production"),
            ("Live", "production"),
            ("pre-prod", "staging"),
            ("preprod", "staging"),
            ("products", "other"),
            ("eu/qa", "testing"),
            ("dev_1", "development"),
            ("uat.prod", "staging"),
            ("", "other"),
        ] {
            assert_eq!(tier(name), want, "{name}");
        }
    }
}
