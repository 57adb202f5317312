//! The configuration: as typed (`FileConfig`, unknown keys are errors) and as resolved (`Config`, secrets read, defaults filled in).
//! The only place that reads the environment. Secrets never print.

use flowgauge_ingest::{People, Rules as MappingRules, Secrets, providers};
use flowgauge_lake::model::{Tier, nearest, repo_name};
use flowgauge_query::Rules;
use flowgauge_query::catalogue::{CatalogueConfig, EnvironmentRule, RepositoryConfig, ServiceConfig};
use flowgauge_query::definitions::{self, Definitions};
use flowgauge_query::question::Display;
use regex::Regex;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subtle::ConstantTimeEq;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {error}")]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{path}: {message}")]
    Malformed { path: PathBuf, message: String },
    #[error("{0}")]
    Invalid(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileConfig {
    server: ServerSection,
    store: StoreSection,
    source: Vec<SourceSection>,
    reader: Vec<ReaderSection>,
    team: Vec<TeamSection>,
    service: Vec<ServiceConfig>,
    repository: Vec<RepositoryConfig>,
    environment: Vec<EnvironmentSection>,
    #[serde(deserialize_with = "definitions::written")]
    definitions: Definitions,
    display: DisplaySection,
    privacy: PrivacySection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ServerSection {
    listen: Option<String>,
    public_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreSection {
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceSection {
    name: String,
    kind: String,
    secret_file: Option<Paths>,
}

/// A path or, while a secret is rotated, a list of two.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Paths {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReaderSection {
    name: String,
    token_file: PathBuf,
    #[serde(default)]
    scope: Scope,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    Read,
    Write,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamSection {
    name: String,
    #[serde(default)]
    services: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentSection {
    r#match: String,
    tier: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DisplaySection {
    tz: Option<String>,
    first_day: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PrivacySection {
    people: Option<String>,
}

/// A source of webhooks.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    pub name: String,
    pub kind: &'static str,
    pub secrets: Secrets,
}

/// A token that may read, or also write. Only its hash is kept.
#[derive(Clone)]
pub struct Reader {
    pub name: String,
    pub scope: Scope,
    hash: [u8; 32],
}

impl Reader {
    /// Whether `token` is this reader's, in constant time.
    pub fn holds(&self, token: &str) -> bool {
        Sha256::digest(token.as_bytes()).ct_eq(&self.hash).into()
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({}, {:?})", self.name, self.scope)
    }
}

/// What is logged: `RUST_LOG`, else what an operator wants to see.
#[expect(clippy::disallowed_methods, reason = "configuration comes from here")]
pub fn log_filter() -> String {
    std::env::var("RUST_LOG").unwrap_or_else(|_| "warn,flowgauge=info,flowgauge_web=info,flowgauge_lake=info".to_owned())
}

/// The configuration, resolved.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub public_url: Option<String>,
    pub data: PathBuf,
    pub sources: BTreeMap<String, SourceConfig>,
    pub readers: Vec<Reader>,
    pub rules: Rules,
    clear_names: bool,
    incident_labels: Vec<String>,
}

/// What a command line says about the configuration; it wins over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub config: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
}

impl Config {
    /// Reads the file (if any), then applies what the command line says.
    #[expect(clippy::disallowed_methods, reason = "configuration comes from here")]
    pub fn load(overrides: &Overrides) -> Result<Config, ConfigError> {
        let path = overrides.config.clone().or_else(|| std::env::var_os("FLOWGAUGE_CONFIG").map(PathBuf::from));
        let (file, folder) = match &path {
            Some(path) => (read(path)?, path.parent().map(Path::to_owned).unwrap_or_default()),
            None => (FileConfig::default(), PathBuf::new()),
        };
        resolve(file, &folder, overrides)
    }

    /// The mapping rules that normalising depends on; `key` is the tenant's key for pseudonyms.
    pub fn mapping_rules(&self, key: Vec<u8>) -> MappingRules {
        MappingRules {
            people: if self.clear_names { People::Clear } else { People::Pseudonym(key) },
            incident_labels: self.incident_labels.clone(),
        }
    }

    /// On a loopback address and without configured sources and readers everything is open.
    pub fn is_open(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// The source of that name: a configured one, else, on a loopback address without configuration, every provider's kind.
    pub fn source(&self, name: &str) -> Option<SourceConfig> {
        if let Some(source) = self.sources.get(name) {
            return Some(source.clone());
        }
        let provider = providers::by_kind(name).filter(|_| self.sources.is_empty() && self.is_open())?;
        Some(SourceConfig { name: name.to_owned(), kind: provider.kind(), secrets: Secrets::none() })
    }

    /// What must hold before the server listens.
    pub fn check_server(&self) -> Result<(), ConfigError> {
        if self.is_open() {
            return Ok(());
        }
        if self.readers.is_empty() {
            return Err(ConfigError::Invalid(format!(
                "{} is not a loopback address, so readers need a token: add a [[reader]] with a token_file, or listen on 127.0.0.1",
                self.listen
            )));
        }
        if let Some(source) = self.sources.values().find(|source| source.secrets.is_none()) {
            return Err(ConfigError::Invalid(format!(
                "source `{}` has no secret_file and {} is not a loopback address: anybody could send events; add one, or listen on 127.0.0.1",
                source.name, self.listen
            )));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<FileConfig, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| ConfigError::Malformed { path: path.to_owned(), message: with_nearest(&error) })
}

/// The parser's words, with the name that was probably meant.
fn with_nearest(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let Some((slip, known)) = error.message().split_once("expected one of ").or_else(|| error.message().split_once("expected ")) else {
        return text;
    };
    let slip = slip.split('`').nth(1).unwrap_or_default();
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    match nearest(slip, known).filter(|_| error.message().starts_with("unknown ")) {
        Some(name) => format!("{}\ndid you mean `{name}`?", text.trim_end()),
        None => text,
    }
}

fn secret(path: &Path, folder: &Path) -> Result<Vec<u8>, ConfigError> {
    let path = folder.join(path);
    let mut secret = std::fs::read(&path).map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
    if secret.ends_with(b"\n") {
        secret.pop();
        if secret.ends_with(b"\r") {
            secret.pop();
        }
    }
    if secret.is_empty() {
        return Err(ConfigError::Invalid(format!("the secret in {} is empty: it would let everybody in", path.display())));
    }
    Ok(secret)
}

fn resolve(file: FileConfig, folder: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    let invalid = |text: String| Err(ConfigError::Invalid(text));
    let listen = overrides.listen.clone().or(file.server.listen).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listen: SocketAddr = listen
        .replace("localhost", "127.0.0.1")
        .parse()
        .map_err(|_| ConfigError::Invalid(format!("listen = `{listen}` is no address: write `127.0.0.1:8080` or `0.0.0.0:8080`")))?;
    let mut sources = BTreeMap::new();
    for source in file.source {
        let Some(provider) = providers::by_kind(&source.kind) else {
            let kinds = providers::ALL.iter().map(|provider| provider.kind());
            let hint = nearest(&source.kind, kinds.clone()).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            return invalid(format!(
                "source `{}` has the unknown kind `{}`{hint} Known: {}",
                source.name,
                source.kind,
                kinds.collect::<Vec<_>>().join(", ")
            ));
        };
        if source.name.is_empty() || source.name.contains(['/', '?', '#', '%']) {
            return invalid(format!("`{}` cannot be a source's name: it is part of an address", source.name));
        }
        let secrets = match source.secret_file {
            None => Secrets::none(),
            Some(paths) => {
                let paths = match paths {
                    Paths::One(path) => vec![path],
                    Paths::Several(paths) => paths,
                };
                if paths.is_empty() || paths.len() > 2 {
                    return invalid(format!("source `{}`: secret_file is one path, or two while a secret is rotated", source.name));
                }
                let secrets = paths.iter().map(|path| secret(path, folder)).collect::<Result<Vec<_>, _>>()?;
                Secrets::new(secrets).ok_or_else(|| ConfigError::Invalid(format!("source `{}`: an empty secret", source.name)))?
            }
        };
        let entry = SourceConfig { name: source.name.clone(), kind: provider.kind(), secrets };
        if sources.insert(source.name.clone(), entry).is_some() {
            return invalid(format!("there are two sources named `{}`", source.name));
        }
    }
    let readers = file
        .reader
        .into_iter()
        .map(|reader| {
            let token = secret(&reader.token_file, folder)?;
            Ok(Reader { name: reader.name, scope: reader.scope, hash: Sha256::digest(token).into() })
        })
        .collect::<Result<Vec<_>, ConfigError>>()?;
    let mut services = file.service;
    for service in &mut services {
        if let Some(repo) = &service.repo {
            service.repo = Some(repo_name(repo).ok_or_else(|| {
                ConfigError::Invalid(format!(
                    "service `{}`: repo = `{repo}` must be `host/path`, as `git.acme.io/shop/checkout`",
                    service.name
                ))
            })?);
        }
    }
    for service in &services {
        let means = |alias: &String| {
            services.iter().find(|other| other.name == *alias || (other.name != service.name && other.aliases.contains(alias)))
        };
        if let Some((alias, other)) = service.aliases.iter().find_map(|alias| Some((alias, means(alias)?))) {
            let (name, other) = (&service.name, &other.name);
            return invalid(format!("service `{name}`: the alias `{alias}` also means the service `{other}`; it can mean one only"));
        }
    }
    for team in file.team {
        for name in team.services {
            match services.iter_mut().find(|service| service.name == name) {
                Some(service) => service.team = service.team.clone().or_else(|| Some(team.name.clone())),
                None => services.push(ServiceConfig { name, team: Some(team.name.clone()), ..ServiceConfig::default() }),
            }
        }
    }
    let mut repositories = file.repository;
    for repository in &mut repositories {
        repository.repo = repo_name(&repository.repo).ok_or_else(|| {
            ConfigError::Invalid(format!("[[repository]] repo = `{}` must be `host/path`, as `git.acme.io/shop/deploy`", repository.repo))
        })?;
    }
    repositories.sort_by(|a, b| a.repo.cmp(&b.repo));
    if let Some(pair) = repositories.windows(2).find(|pair| pair[0].repo == pair[1].repo) {
        return invalid(format!("there are two [[repository]] entries for `{}`; one must go", pair[0].repo));
    }
    let environments = file
        .environment
        .into_iter()
        .map(|rule| {
            let pattern = Regex::new(&rule.r#match)
                .map_err(|error| ConfigError::Invalid(format!("[[environment]] match = `{}`: {error}", rule.r#match)))?;
            let tier = Tier::parse(&rule.tier).ok_or_else(|| {
                ConfigError::Invalid(format!("[[environment]] tier = `{}`: expected one of {}", rule.tier, Tier::ALL.join(", ")))
            })?;
            Ok(EnvironmentRule { pattern, tier })
        })
        .collect::<Result<Vec<_>, ConfigError>>()?;
    let tz = file.display.tz.as_deref().unwrap_or("UTC");
    let tz = tz.parse().map_err(|_| ConfigError::Invalid(format!("[display] tz = `{tz}` is no IANA time zone, as `Europe/Berlin`")))?;
    let first_day = match file.display.first_day.as_deref().unwrap_or("monday") {
        "monday" => chrono::Weekday::Mon,
        "sunday" => chrono::Weekday::Sun,
        other => return invalid(format!("[display] first_day = `{other}`: expected monday or sunday")),
    };
    let clear_names = match file.privacy.people.as_deref().unwrap_or("pseudonym") {
        "clear" => true,
        "pseudonym" => false,
        other => return invalid(format!("[privacy] people = `{other}`: expected pseudonym or clear")),
    };
    Ok(Config {
        listen,
        public_url: file.server.public_url,
        data: overrides.data.clone().or(file.store.path).unwrap_or_else(|| PathBuf::from("flowgauge-data")),
        sources,
        readers,
        rules: Rules {
            catalogue: Arc::new(CatalogueConfig { services, environments, repositories }),
            definitions: Arc::new(file.definitions.clone()),
            display: Display { tz, first_day },
        },
        clear_names,
        incident_labels: file.definitions.incident_labels.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("secret"), "hush\n").expect("a file");
        std::fs::write(folder.path().join("empty"), "\n").expect("a file");
        std::fs::write(folder.path().join("flowgauge.toml"), text).expect("a file");
        let overrides = Overrides { config: Some(folder.path().join("flowgauge.toml")), ..Overrides::default() };
        Config::load(&overrides).map_err(|error| error.to_string())
    }

    #[test]
    fn secrets_are_read_and_never_printed() {
        let config = config(
            "[[source]]\nname = \"gl\"\nkind = \"gitlab\"\nsecret_file = \"secret\"\n[[reader]]\nname = \"g\"\ntoken_file = \"secret\"",
        )
        .expect("valid");
        assert!(config.sources["gl"].secrets.matches(b"hush"));
        assert!(config.readers[0].holds("hush") && !config.readers[0].holds("hush\n"));
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn slips_and_dangers_are_errors() {
        assert!(config("[server]\nlissten = \"a\"").is_err_and(|text| text.contains("lissten") && text.contains("did you mean `listen`")));
        let renamed = "[[service]]\nname = \"cart\"\naliases = [\"basket\"]\n[[service]]\nname = \"basket\"\n";
        assert!(config(renamed).is_err_and(|text| text.contains("`basket`") && text.contains("one only")));
        assert!(config("[[source]]\nname = \"a\"\nkind = \"gitlb\"").is_err_and(|text| text.contains("did you mean `gitlab`")));
        assert!(config("[[source]]\nname = \"a\"\nkind = \"gitlab\"\nsecret_file = \"empty\"").is_err_and(|text| text.contains("empty")));
        assert!(config("[display]\ntz = \"Mars\"").is_err());
        assert!(config("[[repository]]\nrepo = \"deploy\"\nkind = \"config\"").is_err_and(|text| text.contains("`deploy` must be")));
        assert!(config("[[repository]]\nrepo = \"h/a\"\nkind = \"code\"").is_err_and(|text| text.contains("`config` or `source`")));
        let twice = "[[repository]]\nrepo = \"h/a\"\nkind = \"config\"\n[[repository]]\nrepo = \"https://h/a.git\"\nkind = \"source\"";
        assert!(config(twice).is_err_and(|text| text.contains("two [[repository]] entries for `h/a`")));
        let defined = |text: &str| config(&["[definitions]\n", text].concat());
        assert!(defined("attribution_max_lag = \"1w\"").is_err_and(|text| text.contains("attribution_max_lag")));
        assert!(defined("atribution = \"none\"").is_err_and(|text| text.contains("did you mean `attribution`?")));
        assert!(defined("censoring = \"kn\"").is_err_and(|text| text.contains("in censoring") && text.contains("did you mean `km`?")));
        assert!(defined("preset = \"fourkey\"").is_err_and(|text| text.contains("did you mean `fourkeys`?")));
    }

    #[test]
    fn a_preset_is_a_start() {
        let config = config("[definitions]\npreset = \"devlake_2023\"\ncensoring = \"km\"\nmin_n = 3\n").expect("valid");
        let (ours, preset) = (config.rules.definitions, definitions::presets::definitions("devlake_2023").expect("a preset"));
        assert_eq!((ours.preset.as_str(), ours.min_n, ours.df_stat), ("devlake_2023", 3, preset.df_stat));
        assert_ne!(ours.censoring, preset.censoring);
    }

    #[test]
    fn an_open_address_needs_secrets_and_tokens() {
        let open = config("[server]\nlisten = \"0.0.0.0:8080\"").expect("readable");
        assert!(open.check_server().is_err_and(|error| error.to_string().contains("[[reader]]")));
        assert!(open.source("gitlab").is_none());
        let local = config("").expect("readable");
        assert!(local.check_server().is_ok() && local.source("gitlab").is_some() && local.source("nobody").is_none());
    }
}
