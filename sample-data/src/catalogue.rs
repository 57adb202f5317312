//! The shop: its twenty services, who owns them, where they live and how they deliver.

use crate::people::{self, Person};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provider {
    Gitlab,
    Github,
}

/// Who tells of a deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deploys {
    /// Deployment hooks of GitLab or GitHub.
    Hooks,
    /// Argo CD alone.
    Argo,
    /// Argo CD, and a deployment hook beside it for each.
    Both,
}

/// How a merge or pull request lands on main.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landing {
    Squash,
    Merge,
    Rebase,
}

/// A quantity that moves in a straight line between two weeks and stands still outside them.
#[derive(Clone, Copy)]
pub struct Level {
    from: f64,
    to: f64,
    weeks: (i64, i64),
}

impl Level {
    pub fn at(&self, week: i64) -> f64 {
        let (first, last) = self.weeks;
        let share = (week - first).clamp(0, last - first) as f64 / (last - first) as f64;
        self.from + (self.to - self.from) * share
    }
}

const fn steady(value: f64) -> Level {
    Level { from: value, to: value, weeks: (0, 1) }
}

const fn over(from: f64, to: f64) -> Level {
    Level { from, to, weeks: (0, 104) }
}

const fn second_year(from: f64, to: f64) -> Level {
    Level { from, to, weeks: (52, 100) }
}

pub struct Service {
    pub name: &'static str,
    /// The GitLab group or GitHub organisation, which is the team.
    pub team: &'static str,
    pub provider: Provider,
    pub deploys: Deploys,
    pub landing: Landing,
    pub first_week: i64,
    /// Changes begun in a working week.
    pub changes: Level,
    /// A multiple of every working and waiting time of people.
    pub pace: Level,
    /// The share of production releases that go wrong.
    pub failing: Level,
    /// Median minutes until a failure in production is over.
    pub restore_minutes: f64,
    /// Median minutes of a pipeline.
    pub pipeline_minutes: f64,
    /// The share of pipelines whose first attempt fails.
    pub flaky: f64,
    /// The share of versions in preprod that go on to production.
    pub to_production: f64,
    /// Weeks in which much goes wrong.
    pub bad_weeks: (i64, i64),
    /// Production is synced by a person's hand.
    pub manual_production: bool,
    /// Hooks for single jobs, and for pipelines that only begin, are switched on.
    pub chatty: bool,
}

impl Service {
    pub fn host(&self) -> &'static str {
        match self.provider {
            Provider::Gitlab => GITLAB_HOST,
            Provider::Github => "github.com",
        }
    }

    /// `group/name`.
    pub fn path(&self) -> String {
        [self.team, "/", self.name].concat()
    }

    /// `host/group/name`, the repository's name in the public schema.
    pub fn repo(&self) -> String {
        [self.host(), "/", self.team, "/", self.name].concat()
    }

    pub fn source(&self) -> &'static str {
        match self.provider {
            Provider::Gitlab => "gitlab",
            Provider::Github => "github",
        }
    }

    pub fn uses_argo(&self) -> bool {
        self.deploys != Deploys::Hooks
    }

    pub fn in_bad_weeks(&self, week: i64) -> bool {
        (self.bad_weeks.0..self.bad_weeks.1).contains(&week)
    }

    pub fn people(&self) -> Vec<&'static Person> {
        people::of_team(self.team)
    }
}

pub const GITLAB_HOST: &str = "gitlab.shop.example";

/// The repository of manifests that Argo CD follows.
pub const CONFIG_PATH: &str = "shop/deploy";

pub const ENVIRONMENTS: [&str; 4] = ["dev", "qa", "preprod", "production"];

pub const PRODUCTION: usize = 3;

pub const TEAMS: [&str; 5] = ["payments", "storefront", "fulfilment", "platform", "shopfront"];

/// What most services have in common.
const USUAL: Service = Service {
    name: "",
    team: "",
    provider: Provider::Gitlab,
    deploys: Deploys::Hooks,
    landing: Landing::Squash,
    first_week: 0,
    changes: steady(1.0),
    pace: steady(1.0),
    failing: steady(0.10),
    restore_minutes: 80.0,
    pipeline_minutes: 9.0,
    flaky: 0.09,
    to_production: 0.9,
    bad_weeks: (0, 0),
    manual_production: false,
    chatty: false,
};

const ON_GITHUB: Service = Service { provider: Provider::Github, team: "shopfront", ..USUAL };

pub const SERVICES: [Service; 20] = [
    Service {
        name: "checkout",
        team: "payments",
        deploys: Deploys::Argo,
        changes: Level { from: 2.4, to: 30.0, weeks: (16, 102) },
        pace: second_year(0.7, 0.4),
        failing: second_year(0.10, 0.06),
        restore_minutes: 45.0,
        pipeline_minutes: 6.0,
        flaky: 0.06,
        ..USUAL
    },
    Service {
        name: "payments",
        team: "payments",
        landing: Landing::Merge,
        changes: second_year(2.0, 7.5),
        pace: second_year(2.6, 0.6),
        failing: second_year(0.24, 0.05),
        restore_minutes: 110.0,
        chatty: true,
        ..USUAL
    },
    Service {
        name: "cart",
        team: "payments",
        deploys: Deploys::Argo,
        changes: over(2.2, 3.8),
        pace: second_year(1.3, 0.6),
        failing: second_year(0.12, 0.06),
        ..USUAL
    },
    Service {
        name: "invoicing",
        team: "payments",
        changes: steady(1.0),
        pace: second_year(2.8, 1.2),
        failing: second_year(0.18, 0.09),
        restore_minutes: 120.0,
        ..USUAL
    },
    Service {
        name: "catalog",
        team: "storefront",
        deploys: Deploys::Argo,
        changes: steady(2.2),
        pace: steady(1.1),
        failing: steady(0.09),
        manual_production: true,
        ..USUAL
    },
    Service {
        name: "search",
        team: "storefront",
        deploys: Deploys::Argo,
        landing: Landing::Merge,
        changes: steady(2.4),
        failing: steady(0.09),
        bad_weeks: (60, 73),
        ..USUAL
    },
    Service { name: "product-page", team: "storefront", changes: steady(2.4), failing: steady(0.12), flaky: 0.14, ..USUAL },
    Service {
        name: "recommendations",
        team: "storefront",
        landing: Landing::Merge,
        changes: steady(1.3),
        pace: steady(1.5),
        failing: steady(0.14),
        pipeline_minutes: 24.0,
        ..USUAL
    },
    Service {
        name: "inventory",
        team: "fulfilment",
        deploys: Deploys::Argo,
        landing: Landing::Merge,
        changes: steady(1.6),
        pace: steady(2.0),
        failing: steady(0.24),
        restore_minutes: 150.0,
        manual_production: true,
        ..USUAL
    },
    Service {
        name: "shipping",
        team: "fulfilment",
        deploys: Deploys::Both,
        changes: steady(1.6),
        pace: steady(1.8),
        failing: steady(0.24),
        restore_minutes: 140.0,
        ..USUAL
    },
    Service {
        name: "returns",
        team: "fulfilment",
        changes: steady(1.0),
        pace: steady(2.6),
        failing: steady(0.22),
        restore_minutes: 190.0,
        ..USUAL
    },
    Service {
        name: "warehouse",
        team: "fulfilment",
        landing: Landing::Merge,
        changes: steady(0.95),
        pace: steady(3.0),
        failing: steady(0.16),
        restore_minutes: 200.0,
        pipeline_minutes: 18.0,
        to_production: 0.3,
        ..USUAL
    },
    Service {
        name: "identity",
        team: "platform",
        deploys: Deploys::Argo,
        changes: steady(1.0),
        pace: steady(1.4),
        failing: steady(0.05),
        restore_minutes: 50.0,
        manual_production: true,
        ..USUAL
    },
    Service { name: "notifications", team: "platform", changes: steady(2.8), failing: steady(0.18), chatty: true, ..USUAL },
    Service { name: "web-shop", changes: over(2.4, 4.0), pace: over(0.9, 0.7), failing: steady(0.08), restore_minutes: 55.0, ..ON_GITHUB },
    Service {
        name: "mobile-api",
        deploys: Deploys::Argo,
        landing: Landing::Rebase,
        changes: steady(1.9),
        failing: steady(0.10),
        ..ON_GITHUB
    },
    Service { name: "reviews", landing: Landing::Merge, changes: steady(0.95), pace: steady(1.6), failing: steady(0.12), ..ON_GITHUB },
    Service { name: "loyalty", changes: steady(0.9), pace: steady(1.7), failing: steady(0.10), chatty: true, ..ON_GITHUB },
    Service { name: "promotions", landing: Landing::Merge, changes: steady(1.0), failing: steady(0.14), flaky: 0.15, ..ON_GITHUB },
    Service { name: "gift-cards", first_week: 91, changes: Level { from: 2.0, to: 4.0, weeks: (91, 103) }, ..ON_GITHUB },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_is_as_promised() {
        let gitlab = SERVICES.iter().filter(|service| service.provider == Provider::Gitlab);
        assert_eq!(gitlab.clone().count(), 14);
        assert_eq!(gitlab.filter(|service| service.uses_argo()).count(), 7);
        assert!(SERVICES.iter().all(|service| TEAMS.contains(&service.team)));
    }

    #[test]
    fn a_level_stands_still_outside_its_weeks() {
        let level = second_year(2.0, 1.0);
        assert_eq!((level.at(0), level.at(52), level.at(76), level.at(103)), (2.0, 2.0, 1.5, 1.0));
    }
}
