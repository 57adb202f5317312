//! Promotion: how a version climbed the ladder of a service's environments (semantics 1.7, 7.42).

use super::ServiceFacts;
use super::deployments::Classified;
use flowgauge_lake::model::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A version's arrival in an environment that is not the lowest.
#[derive(Clone, Debug, PartialEq)]
pub struct Promotion<'a> {
    pub version: &'a str,
    /// Its first success there, as an index into the service's deployments.
    pub to: usize,
    /// Its first success in the environment that it came from, or why there is none.
    pub from: Result<usize, &'static str>,
    /// Rungs that it passed over.
    pub skipped: usize,
}

/// A version that entered the rung below an environment, and what came of it there.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    pub version: &'a str,
    pub environment: &'a str,
    /// Its first success on the rung below, as an index into the service's deployments.
    pub from: usize,
    /// Its first success in the environment.
    pub to: Option<usize>,
    /// The first success there of a version that entered below later, and before it came there.
    pub overtaken_by: Option<usize>,
}

/// Of each version the first success in each environment.
type Arrivals<'a> = BTreeMap<&'a str, BTreeMap<&'a str, usize>>;

fn version(deployment: &Classified) -> Option<&str> {
    deployment.row.digest.as_deref().or(deployment.row.sha.as_deref())
}

impl ServiceFacts {
    fn arrivals(&self, as_of: Time) -> Arrivals<'_> {
        let mut arrivals = Arrivals::new();
        // In order of finish: the first stands.
        for (index, deployment) in self.deployments.iter().enumerate() {
            if let Some(version) = version(deployment).filter(|_| deployment.is_success() && deployment.finished_at() <= Some(as_of)) {
                arrivals.entry(version).or_default().entry(deployment.row.environment.as_str()).or_insert(index);
            }
        }
        arrivals
    }

    /// Every arrival by a moment.
    pub fn promotions(&self, as_of: Time) -> Vec<Promotion<'_>> {
        let finish = |index: usize| self.deployments[index].finished_at();
        let mut promotions = Vec::new();
        for (version, places) in self.arrivals(as_of) {
            let ranked: Vec<(usize, &str, usize)> =
                places.iter().filter_map(|(environment, &index)| Some((*self.ranks.get(*environment)?, *environment, index))).collect();
            for &(rank, _, to) in ranked.iter().filter(|(rank, _, _)| *rank > 0) {
                let below = || ranked.iter().filter(|(other, _, _)| *other < rank);
                let before = below().filter(|(_, _, from)| finish(*from) <= finish(to));
                // The highest rung; there the earliest arrival, then the lesser name.
                let best = before
                    .max_by(|(a_rank, a_name, a), (b_rank, b_name, b)| (a_rank, finish(*b), b_name).cmp(&(b_rank, finish(*a), a_name)));
                let from = match best {
                    Some((_, _, from)) => Ok(*from),
                    None if below().next().is_some() => Err("out_of_order"),
                    None => Err("no_lower_environment"),
                };
                let skipped = best.map_or(0, |(from_rank, _, _)| rank - from_rank - 1);
                promotions.push(Promotion { version, to, from, skipped });
            }
        }
        promotions.sort_by_key(|promotion| promotion.to);
        promotions
    }

    /// Every version that entered the rung below an environment by a moment.
    pub fn entries(&self, as_of: Time) -> Vec<Entry<'_>> {
        let finish = |index: usize| self.deployments[index].finished_at();
        let arrivals = self.arrivals(as_of);
        let mut entries = Vec::new();
        let exists = |deployment: &&Classified| deployment.finished_at().is_some_and(|at| at <= as_of);
        let here: BTreeSet<&str> = self.deployments.iter().filter(exists).map(|deployment| deployment.row.environment.as_str()).collect();
        let ranks: BTreeMap<&str, usize> = here.into_iter().filter_map(|name| Some((name, *self.ranks.get(name)?))).collect();
        // What feeds an environment is the highest rung below it on which anything ever succeeded.
        let succeeded: BTreeSet<usize> =
            arrivals.values().flat_map(|places| places.keys()).filter_map(|name| ranks.get(name).copied()).collect();
        for (&environment, &rank) in &ranks {
            let Some(&feeding) = succeeded.range(..rank).next_back() else { continue };
            let mut entered: Vec<(usize, &str, Option<usize>)> = arrivals
                .iter()
                .filter_map(|(version, places)| {
                    let below = places.iter().filter(|(name, _)| ranks.get(*name) == Some(&feeding)).map(|(_, index)| *index);
                    // The index orders by finish.
                    Some((below.min()?, *version, places.get(environment).copied()))
                })
                .collect();
            entered.sort_unstable();
            // From the last entry back: the earliest arrival among those that entered strictly later.
            let (mut overtaking, mut pending): (Option<usize>, Vec<usize>) = (None, Vec::new());
            let mut found = Vec::with_capacity(entered.len());
            for (place, &(from, version, to)) in entered.iter().enumerate().rev() {
                let is_later = entered.get(place + 1).is_some_and(|(next, _, _)| finish(*next) > finish(from));
                if is_later {
                    overtaking = overtaking.into_iter().chain(pending.drain(..)).min();
                }
                found.push(Entry { version, environment, from, to, overtaken_by: overtaking });
                // What was there before it entered below overtakes nobody.
                pending.extend(to.filter(|&to| finish(to) >= finish(from)));
            }
            entries.extend(found.into_iter().rev());
        }
        entries
    }
}
