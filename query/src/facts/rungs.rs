//! The ladder of a service's environments: what runs on each rung, and how far the upper one is behind the lower (semantics 1.7, 7.43).

use super::ServiceFacts;
use super::deployments::{Classified, Tip, same_version};
use super::graph::{Node, Reached, Repo};
use crate::catalogue::glob_matches;
use flowgauge_lake::model::{Outcome, Tier, Time};
use std::sync::Arc;

/// How far up an environment is: its place on the ladder by name, else that of the last rung of its tier; without a ladder by tier.
pub fn rank(environment: &str, ladder: Option<&[String]>, tier: &dyn Fn(&str) -> Tier) -> Option<usize> {
    let of_tier = |tier| [Tier::Development, Tier::Testing, Tier::Staging, Tier::Production].iter().position(|known| *known == tier);
    match ladder {
        Some(ladder) => {
            let own = tier(environment);
            ladder.iter().position(|rung| rung == environment).or_else(|| ladder.iter().rposition(|rung| tier(rung) == own))
        }
        None => of_tier(tier(environment)),
    }
}

/// Two neighbouring rungs of a service at a moment: indices of the deployments that are current there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub lower: usize,
    pub upper: usize,
}

/// What the upper rung of a pair is behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Lag {
    pub commits: Vec<Node>,
    pub oldest: Option<Time>,
}

/// When a deployment was there, and its id: what comes later in this order is current.
type Arrival<'a> = (Time, &'a str);

/// None: not there yet. Before the best evidence of it had come, others may have told of it, and of the same version.
fn arrival(deployment: &Classified, at: Time) -> Option<Arrival<'_>> {
    let own = deployment.finished_at().filter(|end| *end <= at).map(|end| (end, deployment.row.deployment_id.as_str()));
    let told = deployment.duplicates.iter().filter(|other| other.outcome == Some(Outcome::Success));
    let others = told.filter_map(|other| Some((other.finished_at.filter(|end| *end <= at)?, other.deployment_id.as_str())));
    own.or_else(|| others.max())
}

impl ServiceFacts {
    /// The pairs at a moment, one for each environment that has something below it.
    pub fn pairs(&self, at: Time) -> Vec<Pair> {
        let all = &self.deployments;
        let mut current: Vec<(usize, Arrival<'_>, usize)> = Vec::new();
        for (environment, &rank) in &self.ranks {
            let here = all.iter().enumerate().filter(|(_, row)| row.row.environment == *environment && row.took_effect);
            let there = here.filter_map(|(index, row)| Some((rank, arrival(row, at)?, index)));
            // The last that took effect stands.
            current.extend(there.max());
        }
        let below = |upper: usize| current.iter().filter(|(rank, _, _)| *rank < upper).max().map(|(_, _, index)| *index);
        current.iter().filter_map(|&(rank, _, upper)| Some(Pair { lower: below(rank)?, upper })).collect()
    }

    pub fn is_skewed(&self, pair: Pair) -> bool {
        !same_version(&self.deployments[pair.lower].row, &self.deployments[pair.upper].row)
    }

    /// The commits of the lower rung that the upper one has not, or why they cannot be told.
    pub fn lag(&self, pair: Pair) -> Result<Lag, &'static str> {
        let (lower, upper) = (&self.deployments[pair.lower], &self.deployments[pair.upper]);
        let (Some(below), Some(above)) = (&lower.source_sha, &upper.source_sha) else { return Err("no_source_link") };
        if below == above {
            return Ok(Lag { commits: Vec::new(), oldest: None });
        }
        let (repo, missing) = missing(&lower.tip, &upper.tip).ok_or("no_graph")?;
        let mut lag = Lag { commits: Vec::new(), oldest: None };
        for node in missing {
            if repo.is_merge(node) {
                continue;
            }
            if let Some(paths) = &self.paths {
                let files = repo.files(node).ok_or("no_files")?;
                if !files.iter().any(|file| paths.iter().any(|glob| glob_matches(glob, file))) {
                    continue;
                }
            }
            lag.oldest = [lag.oldest, repo.started_at(node)].into_iter().flatten().min();
            lag.commits.push(node);
        }
        Ok(lag)
    }
}

/// The commits in the history of one tip that are not in the other's; nothing where the graph is open.
fn missing<'a>(lower: &'a Tip, upper: &Tip) -> Option<(&'a Arc<Repo>, Vec<Node>)> {
    let mut there = Reached::default();
    let reached_repo = match upper {
        Tip::Commit(repo, node) => {
            there.close(repo, *node);
            repo
        }
        Tip::Listed(repo, nodes, own) => {
            nodes.iter().chain(own).for_each(|&node| there.add(node));
            repo
        }
        Tip::NoGraph(_) | Tip::NoSourceLink => return None,
    };
    match lower {
        Tip::Commit(repo, node) => {
            let there = if repo.name == reached_repo.name { there } else { Reached::default() };
            let brought = there.brought_by(repo, *node);
            (!brought.has_gap).then_some((repo, brought.commits))
        }
        Tip::Listed(repo, nodes, _) => {
            let fresh: Vec<Node> = nodes.iter().copied().filter(|&node| repo.name != reached_repo.name || !there.contains(node)).collect();
            fresh.iter().all(|&node| repo.has_parents(node)).then_some((repo, fresh))
        }
        Tip::NoGraph(_) | Tip::NoSourceLink => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowgauge_lake::model::tier_of;

    #[test]
    fn ranks_by_name_then_by_tier() {
        let ladder: Vec<String> = ["dev", "qa", "preprod", "prod"].map(str::to_owned).to_vec();
        for (environment, with_ladder, without) in [
            ("dev", Some(0), Some(0)),
            ("qa", Some(1), Some(1)),
            ("staging", Some(2), Some(2)),
            ("prod-eu", Some(3), Some(3)),
            ("sandbox", None, None),
        ] {
            assert_eq!(rank(environment, Some(&ladder), &tier_of), with_ladder, "{environment}");
            assert_eq!(rank(environment, None, &tier_of), without, "{environment}");
        }
    }
}
