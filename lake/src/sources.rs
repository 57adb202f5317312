//! Counters by kind of event: what came from each source, and what of it could not be read. The tables do not tell
//! that, so the journal keeps the counters, in the same write that forgets the events they count.

use crate::LakeError;
use crate::model::{Source, Tenant, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names of events come from outside: beyond this many of one source the rest is counted together.
const NAMES: usize = 500;
const NAME_LENGTH: usize = 200;
const PROBLEM_LENGTH: usize = 300;
const OTHERS: &str = "(other events)";

/// What came from a source under one event name.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStats {
    pub source: Source,
    pub kind: String,
    pub event: String,
    pub count: u64,
    /// Events that were unknown or unreadable. They are kept raw.
    pub problems: u64,
    /// Whether the last of them was one that no reader knows.
    pub unknown: bool,
    pub last_received_at: Time,
    pub last_problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    tenant: String,
    source: String,
    kind: String,
    event: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Count {
    count: u64,
    problems: u64,
    unknown: bool,
    last_received_at: i64,
    last_problem: Option<String>,
    last_problem_at: i64,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.count += other.count;
        self.problems += other.problems;
        if other.last_received_at >= self.last_received_at {
            self.last_received_at = other.last_received_at;
            self.unknown = other.unknown;
        }
        if other.last_problem.is_some() && (self.last_problem.is_none() || other.last_problem_at >= self.last_problem_at) {
            self.last_problem.clone_from(&other.last_problem);
            self.last_problem_at = other.last_problem_at;
        }
    }
}

type Counts = BTreeMap<Key, Count>;

fn add(all: &mut Counts, other: &Counts) {
    for (key, count) in other {
        all.entry(key.clone()).or_default().add(count);
    }
}

/// One event to count.
pub(crate) struct Seen<'a> {
    pub tenant: &'a Tenant,
    pub source: &'a Source,
    pub kind: &'a str,
    pub event: &'a str,
    pub received_at: Time,
    pub problem: Option<&'a str>,
    pub unknown: bool,
}

/// The counters in the three states an event goes through: applied, on its way to the tables, trimmed from the journal.
#[derive(Default)]
pub(crate) struct Counters {
    stored: Counts,
    flushing: Counts,
    tail: Counts,
}

impl Counters {
    pub fn load(stored: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Counters, LakeError> {
        let read = |(key, count): (Vec<u8>, Vec<u8>)| Ok((serde_json::from_slice(&key)?, serde_json::from_slice(&count)?));
        let stored = stored.into_iter().map(read).collect::<Result<_, serde_json::Error>>().map_err(LakeError::journal)?;
        Ok(Counters { stored, ..Counters::default() })
    }

    pub fn count(&mut self, seen: &Seen<'_>) {
        let mut key = Key {
            tenant: seen.tenant.to_string(),
            source: seen.source.to_string(),
            kind: seen.kind.to_owned(),
            event: shortened(seen.event, NAME_LENGTH),
        };
        if !self.knows(&key) && self.names(&key) >= NAMES {
            key.event = OTHERS.to_owned();
        }
        let problem = seen.problem.map(|problem| shortened(problem, PROBLEM_LENGTH));
        let at = seen.received_at.micros();
        self.tail.entry(key).or_default().add(&Count {
            count: 1,
            problems: u64::from(problem.is_some()),
            unknown: seen.unknown,
            last_received_at: at,
            last_problem_at: if problem.is_some() { at } else { 0 },
            last_problem: problem,
        });
    }

    fn knows(&self, key: &Key) -> bool {
        [&self.stored, &self.flushing, &self.tail].iter().any(|counts| counts.contains_key(key))
    }

    fn names(&self, key: &Key) -> usize {
        let of_source = |counts: &Counts| {
            let from = Key { event: String::new(), ..key.clone() };
            counts.range(from..).take_while(|(k, _)| k.tenant == key.tenant && k.source == key.source && k.kind == key.kind).count()
        };
        [&self.stored, &self.flushing, &self.tail].into_iter().map(of_source).sum()
    }

    /// What is counted now goes with the flush that begins.
    pub fn freeze(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        add(&mut self.flushing, &tail);
    }

    /// The changed counters as they are once the flush is through.
    pub fn to_store(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let bytes = |key: &Key, count: &Count| {
            let key = serde_json::to_vec(key).expect("texts are JSON");
            (key, serde_json::to_vec(count).expect("numbers and texts are JSON"))
        };
        let all = self.flushing.iter().map(|(key, count)| {
            let mut sum = self.stored.get(key).cloned().unwrap_or_default();
            sum.add(count);
            bytes(key, &sum)
        });
        all.collect()
    }

    pub fn stored(&mut self) {
        let flushed = std::mem::take(&mut self.flushing);
        add(&mut self.stored, &flushed);
    }

    pub fn stats(&self, tenant: &Tenant) -> Vec<SourceStats> {
        let mut all = self.stored.clone();
        add(&mut all, &self.flushing);
        add(&mut all, &self.tail);
        let of_tenant = all.into_iter().filter(|(key, _)| key.tenant == tenant.as_str());
        let stats = |(key, count): (Key, Count)| SourceStats {
            source: Source::new(key.source),
            kind: key.kind,
            event: key.event,
            count: count.count,
            problems: count.problems,
            unknown: count.unknown,
            last_received_at: Time::from_micros(count.last_received_at),
            last_problem: count.last_problem,
        };
        of_tenant.map(stats).collect()
    }
}

fn shortened(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(counters: &mut Counters, event: &str, at: i64, problem: Option<&str>) {
        counters.count(&Seen {
            tenant: &Tenant::default(),
            source: &Source::new("a"),
            kind: "github",
            event,
            received_at: Time::from_micros(at),
            problem,
            unknown: false,
        });
    }

    #[test]
    fn counters_survive_a_flush_and_a_restart() {
        let mut counters = Counters::default();
        count(&mut counters, "push", 5, None);
        count(&mut counters, "push", 3, Some(&"x".repeat(1000)));
        counters.freeze();
        count(&mut counters, "push", 9, None);
        let stored = counters.to_store();
        counters.stored();
        let stats = counters.stats(&Tenant::default());
        assert_eq!((stats.len(), stats[0].count, stats[0].problems, stats[0].last_received_at.micros()), (1, 3, 1, 9));
        assert_eq!(stats[0].last_problem.as_ref().unwrap().len(), PROBLEM_LENGTH);
        let restarted = Counters::load(stored).unwrap().stats(&Tenant::default());
        assert_eq!((restarted[0].count, restarted[0].problems, restarted[0].last_received_at.micros()), (2, 1, 5));
        assert!(counters.stats(&Tenant::new("other")).is_empty());
    }

    #[test]
    fn invented_names_are_counted_together() {
        let mut counters = Counters::default();
        (0..3 * NAMES as i64).for_each(|i| count(&mut counters, &format!("event {i}"), i, None));
        let stats = counters.stats(&Tenant::default());
        assert_eq!(stats.len(), NAMES + 1);
        assert_eq!(stats.iter().map(|s| s.count).sum::<u64>(), 3 * NAMES as u64);
    }
}
