//! The catalogue: which services there are, who owns them, where their code and applications are, and what tier an environment has.
//! From the configuration, from rows of `services`, and from names when nothing else is said.

use flowgauge_lake::model::{Service, Tier, tier_of};
use regex::Regex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// `[[service]]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    pub name: String,
    pub team: Option<String>,
    pub repo: Option<String>,
    #[serde(default)]
    pub paths: Vec<String>,
    #[serde(default)]
    pub apps: Vec<String>,
    #[serde(default)]
    pub ladder: Vec<String>,
    /// Earlier names of the same service.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// `[[repository]]` of the configuration: what a repository holds, where that is not seen rightly.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryConfig {
    pub repo: String,
    pub kind: RepositoryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryKind {
    Config,
    Source,
}

/// `[[environment]]` of the configuration: a pattern of names and their tier.
#[derive(Clone, Debug)]
pub struct EnvironmentRule {
    pub pattern: Regex,
    pub tier: Tier,
}

/// What the configuration says about services and environments.
#[derive(Clone, Debug, Default)]
pub struct CatalogueConfig {
    pub services: Vec<ServiceConfig>,
    pub environments: Vec<EnvironmentRule>,
    pub repositories: Vec<RepositoryConfig>,
}

impl CatalogueConfig {
    /// What the owner says that a repository holds.
    pub fn kind_of_repo(&self, repo: &str) -> Option<RepositoryKind> {
        self.repositories.iter().find(|repository| repository.repo == repo).map(|repository| repository.kind)
    }

    /// The repositories that hold configuration and no source, as the owner says.
    pub fn configuration_repos(&self) -> BTreeSet<String> {
        let of_kind = self.repositories.iter().filter(|repository| repository.kind == RepositoryKind::Config);
        of_kind.map(|repository| repository.repo.clone()).collect()
    }

    pub fn tier(&self, environment: &str) -> Tier {
        self.environments.iter().find(|rule| rule.pattern.is_match(environment)).map_or_else(|| tier_of(environment), |rule| rule.tier)
    }

    /// The service that is configured for an application's name.
    pub fn service_of_app(&self, app: &str) -> Option<&str> {
        self.services.iter().find(|service| service.apps.iter().any(|glob| glob_matches(glob, app))).map(|service| service.name.as_str())
    }

    /// The service that a name from outside means: itself, or the one that has it as an alias, or the only one of the repository.
    pub fn service_of(&self, name: &str, repo: Option<&str>) -> String {
        let known = |service: &&ServiceConfig| service.name == name || service.aliases.iter().any(|alias| alias == name);
        if let Some(service) = self.services.iter().find(known) {
            return service.name.clone();
        }
        let mut of_repo = self.services.iter().filter(|service| repo.is_some() && service.repo.as_deref() == repo);
        match (of_repo.next(), of_repo.next()) {
            (Some(only), None) if only.paths.is_empty() => only.name.clone(),
            _ => name.to_owned(),
        }
    }
}

/// One service, all sources put together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceEntry {
    pub team: Option<String>,
    pub repo: Option<String>,
    pub paths: Option<Vec<String>>,
    pub ladder: Option<Vec<String>>,
}

/// The services by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    services: BTreeMap<String, ServiceEntry>,
}

impl Catalogue {
    /// The configuration wins over rows of `services`, these over what `repo_of` learnt from deployments and runs.
    /// `is_deployed`: whether anything of that name was ever deployed. What only runs is a service by its repository's name, unless the
    /// repository has services already.
    pub fn build(
        config: &CatalogueConfig,
        rows: impl Iterator<Item = Service>,
        repo_of: &BTreeMap<String, String>,
        is_deployed: &dyn Fn(&str) -> bool,
    ) -> Catalogue {
        let mut services: BTreeMap<String, ServiceEntry> = BTreeMap::new();
        let mut only_ran: BTreeSet<&str> = BTreeSet::new();
        for (service, repo) in repo_of {
            services.entry(service.clone()).or_default().repo = Some(repo.clone());
            if !is_deployed(service) && !config.services.iter().any(|known| known.name == *service) {
                only_ran.insert(service);
            }
        }
        for row in rows {
            only_ran.remove(row.service.as_str());
            let entry = services.entry(row.service).or_default();
            entry.team = row.team;
            entry.repo = row.repo.or(entry.repo.take());
            entry.paths = row.path_globs;
            entry.ladder = row.ladder;
        }
        for service in &config.services {
            let entry = services.entry(service.name.clone()).or_default();
            entry.team = service.team.clone().or(entry.team.take());
            entry.repo = service.repo.clone().or(entry.repo.take());
            if !service.paths.is_empty() {
                entry.paths = Some(service.paths.clone());
            }
            if !service.ladder.is_empty() {
                entry.ladder = Some(service.ladder.clone());
            }
        }
        let told = services.iter().filter(|(name, _)| !only_ran.contains(name.as_str()));
        let owned: BTreeSet<String> = told.filter_map(|(_, entry)| entry.repo.clone()).collect();
        services.retain(|name, entry| !only_ran.contains(name.as_str()) || entry.repo.as_ref().is_none_or(|repo| !owned.contains(repo)));
        for entry in services.values_mut() {
            if entry.team.is_none() {
                entry.team = entry.repo.as_deref().and_then(owner).map(str::to_owned);
            }
        }
        Catalogue { services }
    }

    pub fn get(&self, service: &str) -> Option<&ServiceEntry> {
        self.services.get(service)
    }

    pub fn team(&self, service: &str) -> Option<&str> {
        self.get(service)?.team.as_deref()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// The services whose code is in `repo`.
    pub fn services_of_repo<'a>(&'a self, repo: &'a str) -> impl Iterator<Item = (&'a str, &'a ServiceEntry)> + 'a {
        self.services.iter().filter(move |(_, entry)| entry.repo.as_deref() == Some(repo)).map(|(name, entry)| (name.as_str(), entry))
    }
}

/// The top group or owner of `host/owner/…/name`.
pub fn owner(repo: &str) -> Option<&str> {
    let mut parts = repo.split('/');
    let (_host, owner) = (parts.next()?, parts.next()?);
    parts.next().map(|_| owner)
}

/// `*` and `?` stay within a folder, `**` crosses folders, a trailing `/` means all below (semantics, 7.27).
pub fn glob_matches(glob: &str, path: &str) -> bool {
    let glob: Vec<char> =
        if let Some(folder) = glob.strip_suffix('/') { format!("{folder}/**") } else { glob.to_owned() }.chars().collect();
    let path: Vec<char> = path.chars().collect();
    // reachable[j]: the pattern so far matches the first j characters of the path.
    let mut reachable = vec![false; path.len() + 1];
    reachable[0] = true;
    let mut i = 0;
    while i < glob.len() {
        let mut next = vec![false; path.len() + 1];
        if glob[i] == '*' && glob.get(i + 1) == Some(&'*') {
            let folder = glob.get(i + 2) == Some(&'/');
            for start in (0..=path.len()).filter(|&j| reachable[j]) {
                // `**/` is also no folder at all.
                next[start] = true;
                for end in start + 1..=path.len() {
                    next[end] |= !folder || path[end - 1] == '/';
                }
            }
            i += if folder { 3 } else { 2 };
        } else {
            for j in (0..=path.len()).filter(|&j| reachable[j]) {
                match glob[i] {
                    '*' => {
                        next[j] = true;
                        for end in j + 1..=path.len() {
                            if path[end - 1] == '/' {
                                break;
                            }
                            next[end] = true;
                        }
                    }
                    '?' if j < path.len() && path[j] != '/' => next[j + 1] = true,
                    c if j < path.len() && path[j] == c => next[j + 1] = true,
                    _ => {}
                }
            }
            i += 1;
        }
        reachable = next;
    }
    reachable[path.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, path, matches) in [
            ("services/checkout/**", "services/checkout/src/main.rs", true),
            ("services/checkout/", "services/checkout/a", true),
            ("services/*/a", "services/x/a", true),
            ("services/*/a", "services/x/y/a", false),
            ("**/Cargo.toml", "Cargo.toml", true),
            ("**/Cargo.toml", "a/b/Cargo.toml", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("services/checkout/**", "services/checkout2/a", false),
            ("checkout-*", "checkout-prod", true),
        ] {
            assert_eq!(glob_matches(glob, path), matches, "{glob} {path}");
        }
    }

    #[test]
    fn owners() {
        assert_eq!(owner("git.acme.io/shop/checkout"), Some("shop"));
        assert_eq!(owner("git.acme.io/checkout"), None);
    }
}
