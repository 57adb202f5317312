//! Random worlds: small, and full of what goes wrong in real ones.

mod commits;
mod deployments;
pub mod dice;
mod gates;
mod gitops;
mod incidents;
mod jobs;
mod runs;
mod scans;
mod tests;
mod verdicts;

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde_json::{Value, json};

use self::commits::Repo;
use self::dice::Dice;
use crate::row::Row;
use crate::time::{Time, midnight, show_micros};

/// A service of the world.
#[derive(Clone)]
pub struct Service {
    pub name: String,
    /// Which of the repositories.
    pub repo: usize,
    pub production: Vec<&'static str>,
    /// An environment beside the usual ones.
    pub extra: Option<&'static str>,
    pub has_digests: bool,
    pub has_config: bool,
}

/// A deployment to production that was made up, for incidents, tests and observations to refer to.
#[derive(Clone)]
pub struct Made {
    pub source: String,
    pub id: String,
    pub service: String,
    pub environment: String,
    pub sha: Option<String>,
    pub finished_at: Time,
}

pub struct Maker {
    pub dice: Dice,
    pub tables: BTreeMap<String, Vec<Row>>,
    pub start: Time,
    pub end: Time,
    pub repos: Vec<Repo>,
    pub services: Vec<Service>,
    pub made: Vec<Made>,
    count: usize,
}

/// Starts from which a clock change of some zone lies inside the world.
const STARTS: [(i32, u32, u32); 7] =
    [(2018, 1, 22), (2018, 10, 8), (2023, 4, 3), (2023, 9, 18), (2024, 2, 26), (2025, 3, 3), (2025, 10, 1)];

pub fn world(seed: u64) -> BTreeMap<String, Vec<Row>> {
    let mut dice = Dice::new(seed);
    let (year, month, day) = dice.of(&STARTS);
    let start = midnight(NaiveDate::from_ymd_opt(year, month, day).expect("a date"), Tz::UTC);
    let end = start + TimeDelta::weeks(dice.between(4, 16));
    let mut maker =
        Maker { dice, tables: BTreeMap::new(), start, end, repos: Vec::new(), services: Vec::new(), made: Vec::new(), count: 0 };
    maker.catalogue();
    for repo in 0..maker.repos.len() {
        commits::fill(&mut maker, repo);
    }
    for service in maker.services.clone() {
        deployments::fill(&mut maker, &service);
    }
    gitops::fill(&mut maker);
    incidents::fill(&mut maker);
    runs::fill(&mut maker);
    verdicts::fill(&mut maker); // after all that, which does not depend on them
    jobs::fill(&mut maker);
    tests::fill(&mut maker);
    gates::fill(&mut maker);
    scans::fill(&mut maker);
    maker.tables
}

impl Maker {
    /// Adds a row; what is null is left out.
    pub fn put(&mut self, table: &str, row: Value) {
        let Value::Object(row) = row else { panic!("a row is an object") };
        self.tables.entry(table.into()).or_default().push(row.into_iter().filter(|(_, v)| !v.is_null()).collect());
    }

    pub fn id(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    /// An instant in the world, to the microsecond, sometimes at or next to a local midnight.
    pub fn instant(&mut self) -> Time {
        let length = (self.end - self.start).num_microseconds().expect("weeks");
        let t = self.start + TimeDelta::microseconds((length as f64 * self.dice.unit()) as i64);
        self.bend(t)
    }

    /// Sometimes moved to or next to a local midnight close by.
    pub fn bend(&mut self, t: Time) -> Time {
        if !self.dice.chance(0.12) {
            return t;
        }
        let tz = self.dice.of(&[
            Tz::UTC,
            Tz::Europe__Berlin,
            Tz::America__New_York,
            Tz::Australia__Lord_Howe,
            Tz::Africa__Cairo,
            Tz::America__Sao_Paulo,
            Tz::America__Havana,
            Tz::Asia__Tokyo,
        ]);
        midnight(t.with_timezone(&tz).date_naive(), tz) + TimeDelta::microseconds(self.dice.of(&[-1, 0, 0, 1]))
    }

    /// Between these many minutes and seconds of them, in microseconds.
    pub fn minutes(&mut self, lo: i64, hi: i64) -> TimeDelta {
        TimeDelta::microseconds(self.dice.between(lo * 60_000_000, hi * 60_000_000))
    }

    fn catalogue(&mut self) {
        let names = ["cart", "search", "checkout", "billing", "profile"];
        let count = self.dice.between(2, 5) as usize;
        let teams = &["shop", "pay", "core"][..self.dice.between(1, 3) as usize];
        let monorepo = self.dice.chance(0.5);
        for (n, name) in names[..count].iter().enumerate() {
            let in_monorepo = monorepo && n < 2;
            let repo = if in_monorepo && n == 1 {
                0
            } else {
                let address = format!("git.example.org/acme/{}", if in_monorepo { "mono" } else { *name });
                let paths = if in_monorepo { vec![names[0].into(), names[1].into()] } else { Vec::new() };
                self.repos.push(Repo::new(address, paths));
                self.repos.len() - 1
            };
            let production = if self.dice.chance(0.35) { vec!["prod-eu", "prod-us"] } else { vec!["prod"] };
            let ladder = self.ladder(&production);
            let extra = if self.dice.chance(0.35) { Some(self.dice.of(&["staging", "canary", "dev-eu"])) } else { None };
            let (has_digests, has_config) = (self.dice.chance(0.5), self.dice.chance(0.5));
            let service = Service { name: (*name).into(), repo, production, extra, has_digests, has_config };
            let globs = [format!("services/{name}/**"), "libs/".to_owned()];
            // The last one is sometimes not in the catalogue.
            if n + 1 < count || in_monorepo || self.dice.chance(0.8) {
                let team = if self.dice.chance(0.9) { json!(self.dice.of(teams)) } else { Value::Null };
                let row = json!({"service": name, "team": team, "repo": self.repos[repo].address, "ladder": ladder,
                    "path_globs": if in_monorepo { json!(globs) } else { Value::Null }});
                self.put("services", row);
            }
            self.services.push(service);
        }
    }

    /// All rungs by name; or some only, so that others are placed by their tier or nowhere; or none.
    fn ladder(&mut self, production: &[&str]) -> Value {
        match self.dice.below(10) {
            0 | 1 => Value::Null,
            2 => json!(["dev", "preprod", "prod"]),
            3 => json!(["dev", "qa", "preprod", "prod"]),
            _ => json!(["dev", "qa", "preprod"].iter().chain(production).collect::<Vec<_>>()),
        }
    }
}

/// An instant as it stands in a row.
pub fn at(t: Time) -> Value {
    json!(show_micros(t))
}

/// An instant that may be missing.
pub fn maybe(t: Option<Time>) -> Value {
    t.map_or(Value::Null, at)
}
