//! A shop as the test makes it up, with all that should be found out about it: twenty services, four environments, one repository
//! of configuration. Nothing here is read from the product.

use super::git::{Draft, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub const HOST: &str = "git.story.example";
pub const CONFIG: &str = "git.story.example/shop/deploy";
pub const ENVIRONMENTS: [&str; 4] = ["dev", "qa", "preprod", "prod"];
const NAMES: [&str; 20] = [
    "cart", "cart-api", "checkout", "search", "catalog", "pricing", "stock", "orders", "invoices", "mail", "accounts", "login", "reviews",
    "media", "shipping", "returns", "loyalty", "coupons", "reports", "legacy",
];
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-01-05T08:00:00Z, a Monday.
const START: i64 = 1_767_600_000;

/// How a service's configuration is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Style {
    /// A chart in the configuration's repository, one values file an environment.
    Chart,
    /// A chart from a registry, its values in the configuration's repository.
    RemoteChart,
    Kustomize,
    Plain,
}

/// What tells which commit an image was built from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tags {
    /// The tag is the beginning of the commit's id.
    Sha,
    /// A version with the beginning of the commit's id in it.
    VersionAndSha,
    /// A version; rows of `artifacts` tell the commit.
    Artifact,
    /// Only digests are pinned; the registry tells of their label.
    Label,
    /// A version; the configuration's commit names the source in a trailer.
    Trailer,
    /// A version, and nobody tells.
    Unlinked,
}

pub struct Commit {
    pub parents: Vec<usize>,
    pub authored: i64,
    pub committed: i64,
    /// The ticket that its title names.
    pub ticket: Option<String>,
    pub id: String,
}

/// A build of a service.
#[derive(Clone)]
pub struct Version {
    pub commit: usize,
    pub number: usize,
}

pub struct Service {
    pub name: &'static str,
    pub style: Style,
    pub tags: Tags,
    index: usize,
    pub commits: Vec<Commit>,
    pub versions: Vec<Version>,
    pub folder: PathBuf,
}

/// A sync that ended, as the controller saw it, and what runs since.
pub struct Sync {
    pub service: usize,
    pub environment: usize,
    pub version: usize,
    pub started: i64,
    pub finished: i64,
    pub revision: String,
}

/// What should be found.
#[derive(Default)]
pub struct Truth {
    /// Environment, service, deployment and commit, with the lead time in seconds.
    pub pairs: BTreeMap<(String, String, String, String), i64>,
    /// Environment, service and deployment.
    pub unlinked: BTreeSet<(String, String, String)>,
    pub rollbacks: usize,
}

pub struct Story {
    pub services: Vec<Service>,
    pub syncs: Vec<Sync>,
    pub config_folder: PathBuf,
    pub config_commits: usize,
    pub truth: Truth,
}

/// Numbers as they come, the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % end
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(to - from)
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }
}

/// Something that the configuration's repository is committed for.
#[derive(Clone, Copy)]
enum Event {
    /// Another version.
    Bump(usize),
    /// The commit of the last bump is taken back.
    Revert,
    /// Something else about the service: more replicas.
    Tune,
    /// Another service's commit makes the controller sync this one too.
    Touch,
}

struct Planned {
    at: i64,
    service: usize,
    environment: usize,
    event: Event,
}

impl Story {
    pub fn write(folder: &Path) -> Story {
        let mut draw = Draw(7);
        let mut services: Vec<Service> = (0..NAMES.len()).map(|i| service(i, folder, &mut draw)).collect();
        let mut plan: Vec<Planned> = (0..services.len()).flat_map(|i| releases(i, &services[i], &mut draw)).collect();
        plan.sort_by_key(|planned| planned.at);
        // Every commit of the configuration has a second of its own.
        for i in 1..plan.len() {
            plan[i].at = plan[i].at.max(plan[i - 1].at + 1);
        }
        let config_folder = folder.join("deploy.git");
        let (syncs, config_commits) = configure(&mut services, &plan, &config_folder, &mut draw);
        let truth = truth(&services, &syncs);
        Story { services, syncs, config_folder, config_commits, truth }
    }
}

fn service(index: usize, folder: &Path, draw: &mut Draw) -> Service {
    let style = match index {
        0..=3 => Style::Chart,
        4..=6 => Style::RemoteChart,
        7..=11 | 16 => Style::Kustomize,
        12..=15 => Style::Plain,
        _ => Style::Chart,
    };
    let tags = match index {
        16 => Tags::Artifact,
        17 => Tags::Label,
        18 => Tags::Trailer,
        19 => Tags::Unlinked,
        i if i % 3 == 0 => Tags::VersionAndSha,
        _ => Tags::Sha,
    };
    let name = NAMES[index];
    let mut writer = Writer::new();
    let mut commits: Vec<Commit> = Vec::new();
    let mut versions = Vec::new();
    let mut at = START + draw.below(2 * DAY);
    let mut head: Vec<usize> = Vec::new();
    let mut add = |parents: Vec<usize>, at: i64, message: &str, draw: &mut Draw, commits: &mut Vec<Commit>| -> usize {
        // Written some time before it was committed as it is, as after a rebase.
        let authored = at - draw.below(6 * HOUR);
        let files = [("src/main.txt".to_owned(), format!("{name} {}\n", commits.len()))];
        let place = writer.commit(&Draft { parents: &parents, authored, committed: at, message, files: &files });
        let ticket = message.split(' ').next().filter(|word| word.starts_with("SHOP-")).map(str::to_owned);
        commits.push(Commit { parents, authored, committed: at, ticket, id: String::new() });
        place
    };
    for round in 0..7 {
        for _ in 0..draw.between(1, 4) {
            at += draw.between(HOUR, 10 * HOUR);
            if !head.is_empty() && draw.chance(30) {
                let first = add(head.clone(), at, &format!("SHOP-{} branch", commits.len() + 1), draw, &mut commits);
                let second = add(vec![first], at + HOUR, "more of it", draw, &mut commits);
                let main = add(head.clone(), at + 90 * MINUTE, "meanwhile", draw, &mut commits);
                at += 2 * HOUR;
                head = vec![add(vec![main, second], at, "Merge branch 'work'", draw, &mut commits)];
            } else {
                let message = format!("SHOP-{} on main", commits.len() + 1);
                head = vec![add(head.clone(), at, &message, draw, &mut commits)];
            }
        }
        versions.push(Version { commit: head[0], number: round });
    }
    let folder = folder.join(format!("{name}.git"));
    for (commit, id) in commits.iter_mut().zip(writer.write(&folder)) {
        commit.id = id;
    }
    Service { name, style, tags, index, commits, versions, folder }
}

/// When which version goes where. In one environment hours lie between two events, so that a sync is over before the next.
fn releases(index: usize, service: &Service, draw: &mut Draw) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut free = [0_i64; 4];
    let mut bumps = [0_usize; 4];
    for (version, built) in service.versions.iter().enumerate() {
        let mut at = service.commits[built.commit].committed + 10 * MINUTE;
        for environment in 0..4 {
            // Some versions never leave the first environment, some leave one out.
            if environment > 0 && version > 0 && draw.chance(25) {
                continue;
            }
            at = (at + draw.between(20 * MINUTE, 8 * HOUR)).max(free[environment]);
            let mut event = |at: i64, event: Event| {
                planned.push(Planned { at, service: index, environment, event });
                free[environment] = at + 2 * HOUR;
            };
            event(at, Event::Bump(version));
            bumps[environment] += 1;
            if index % 4 == 3 && environment == 3 && bumps[environment] == 3 {
                event(at + 2 * HOUR, Event::Revert);
            } else if draw.chance(10) {
                event(at + 2 * HOUR, Event::Tune);
            } else if draw.chance(10) {
                event(at + 2 * HOUR, Event::Touch);
            }
        }
    }
    planned
}

impl Service {
    /// Whether the notifications show the images that run; else only the configuration tells them.
    pub fn shows_images(&self, environment: usize) -> bool {
        (self.index + environment) % 2 == 0
    }

    pub fn repo(&self) -> String {
        format!("{HOST}/shop/{}", self.name)
    }

    pub fn id_of(&self, version: usize) -> &str {
        &self.commits[self.versions[version].commit].id
    }

    pub fn image(&self) -> String {
        format!("registry.story.example/shop/{}", self.name)
    }

    /// `None` where only the digest is pinned.
    pub fn tag(&self, version: usize) -> Option<String> {
        let (id, number) = (self.id_of(version), self.versions[version].number);
        match self.tags {
            Tags::Sha => Some(id[..12].to_owned()),
            Tags::VersionAndSha => Some(format!("1.{number}.0-{}", &id[..8])),
            Tags::Artifact | Tags::Trailer | Tags::Unlinked => Some(format!("2.{number}.0")),
            Tags::Label => None,
        }
    }

    /// The digest of the image: any 64 digits that no other image has.
    pub fn digest(&self, version: usize) -> String {
        let half: String = self.id_of(version).chars().rev().take(32).collect();
        format!("sha256:{half}{half}")
    }

    /// The image as a pod shows it.
    pub fn reference(&self, version: usize) -> String {
        match self.tag(version) {
            Some(tag) => format!("{}:{tag}", self.image()),
            None => format!("{}@{}", self.image(), self.digest(version)),
        }
    }

    /// The files that are the same in all environments.
    fn shared_files(&self) -> Vec<(String, String)> {
        let name = self.name;
        match self.style {
            Style::Chart => vec![
                (format!("charts/{name}/Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n")),
                (
                    format!("charts/{name}/values.yaml"),
                    format!("replicas: 1\nimage:\n  repository: {}\nproxy:\n  image:\n    repository: proxy\n    tag: 1.30.0\n", self.image()),
                ),
                (format!("charts/{name}/templates/app.yaml"), "kind: Deployment\nimage: \"{{ .Values.image.tag }}\"\n".to_owned()),
            ],
            Style::RemoteChart => vec![(format!("values/{name}/common.yaml"), format!("image:\n  repository: {}\n", self.image()))],
            Style::Kustomize => vec![(
                format!("apps/{name}/base/kustomization.yaml"),
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [app.yaml]\nimages:\n- name: proxy\n  newTag: 1.30.0\n".to_owned(),
            )],
            Style::Plain => Vec::new(),
        }
    }

    /// The file of one environment.
    fn file(&self, environment: &str, version: usize, replicas: usize) -> (String, String) {
        let (name, image) = (self.name, self.image());
        let pin = match self.tag(version) {
            Some(tag) => format!("tag: \"{tag}\""),
            None => format!("digest: {}", self.digest(version)),
        };
        match self.style {
            Style::Chart => (format!("charts/{name}/values-{environment}.yaml"), format!("replicas: {replicas}\nimage:\n  {pin}\n")),
            Style::RemoteChart => {
                (format!("values/{name}/{environment}.yaml"), format!("replicas: {replicas}\nimage:\n  repository: {image}\n  {pin}\n"))
            }
            Style::Kustomize => (
                format!("apps/{name}/overlays/{environment}/kustomization.yaml"),
                format!(
                    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../base]\nreplicas:\n- name: {name}\n  count: {replicas}\n\
                     images:\n- name: {name}\n  newName: {image}\n  {}\n",
                    pin.replace("tag:", "newTag:")
                ),
            ),
            Style::Plain => (
                format!("envs/{environment}/{name}/deployment.yaml"),
                format!(
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  template:\n    spec:\n      containers:\n\
                     \x20     - name: proxy\n        image: docker.io/envoy:v1.30.0\n      - name: app\n        image: {}\n",
                    self.reference(version)
                ),
            ),
        }
    }
}

/// Writes the configuration's repository, and has each commit synced some time later.
fn configure(services: &mut [Service], plan: &[Planned], folder: &Path, draw: &mut Draw) -> (Vec<Sync>, usize) {
    struct State {
        runs: Vec<usize>,
        replicas: usize,
    }
    let mut writer = Writer::new();
    let mut state: BTreeMap<(usize, usize), State> = BTreeMap::new();
    let mut files: Vec<(String, String)> = services.iter().flat_map(Service::shared_files).collect();
    files.push(("README.md".to_owned(), "What runs where.\n".to_owned()));
    let mut head = writer.commit(&Draft { parents: &[], authored: START - DAY, committed: START - DAY, message: "Start", files: &files });
    let mut times = vec![START - DAY];
    let mut ids: Vec<(usize, usize, usize, i64)> = Vec::new();
    for planned in plan {
        let service = &services[planned.service];
        let environment = ENVIRONMENTS[planned.environment];
        let here = state.entry((planned.service, planned.environment)).or_insert(State { runs: Vec::new(), replicas: 1 });
        let message = match planned.event {
            Event::Bump(version) => {
                here.runs.push(version);
                let trailer = format!("\n\nSource-Commit: shop/{}@{}", service.name, service.id_of(version));
                let trailer = if service.tags == Tags::Trailer { trailer } else { String::new() };
                format!("Bump {} in {environment}{trailer}", service.name)
            }
            Event::Revert => {
                here.runs.pop();
                format!("Revert \"Bump {} in {environment}\"", service.name)
            }
            Event::Tune => {
                here.replicas += 1;
                format!("Scale {}", service.name)
            }
            Event::Touch => "Tidy up".to_owned(),
        };
        let version = here.runs[here.runs.len() - 1];
        let file = match planned.event {
            Event::Touch => ("README.md".to_owned(), format!("What runs where, {}.\n", times.len())),
            _ => service.file(environment, version, here.replicas),
        };
        head = writer.commit(&Draft { parents: &[head], authored: planned.at, committed: planned.at, message: &message, files: &[file] });
        times.push(planned.at);
        ids.push((planned.service, planned.environment, version, planned.at));
    }
    let commits = writer.write(folder);
    let mut syncs = Vec::new();
    for (service, environment, version, at) in ids {
        let started = at + draw.between(30, 300);
        let finished = started + draw.between(20, 120);
        // The controller syncs to what is newest, which may be another service's commit.
        let revision = commits[times.partition_point(|time| *time <= started) - 1].clone();
        syncs.push(Sync { service, environment, version, started, finished, revision });
    }
    (syncs, commits.len())
}

impl Sync {
    pub fn app(&self, services: &[Service]) -> String {
        format!("{}-{}", services[self.service].name, ENVIRONMENTS[self.environment])
    }

    pub fn revisions(&self, services: &[Service]) -> Vec<String> {
        match services[self.service].style {
            Style::RemoteChart => vec!["3.1.0".to_owned(), self.revision.clone()],
            _ => vec![self.revision.clone()],
        }
    }

    pub fn deployment_id(&self, services: &[Service]) -> String {
        format!("{}@{}@{}", self.app(services), rfc3339(self.started), self.revisions(services).join(","))
    }
}

pub fn rfc3339(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// All commits that lead to one, itself too.
fn history(commits: &[Commit], of: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![of];
    while let Some(commit) = open.pop() {
        if found.insert(commit) {
            open.extend(&commits[commit].parents);
        }
    }
    found
}

/// Which deployment first brought which commit, by the story alone.
fn truth(services: &[Service], syncs: &[Sync]) -> Truth {
    let mut truth = Truth::default();
    for (index, service) in services.iter().enumerate() {
        for (environment, name) in ENVIRONMENTS.iter().enumerate() {
            let mut of: Vec<&Sync> = syncs.iter().filter(|sync| (sync.service, sync.environment) == (index, environment)).collect();
            of.sort_by_key(|sync| sync.finished);
            let mut there: BTreeSet<usize> = BTreeSet::new();
            let mut highest = None;
            let mut running = None;
            for sync in of {
                let id = sync.deployment_id(services);
                let is_first = running.is_none();
                let is_new = running != Some(sync.version);
                let is_back = highest > Some(sync.version);
                truth.rollbacks += usize::from(is_new && is_back);
                running = Some(sync.version);
                highest = highest.max(running);
                let whole = history(&service.commits, service.versions[sync.version].commit);
                if service.tags == Tags::Unlinked {
                    if is_new && !is_back && !is_first {
                        truth.unlinked.insert(((*name).to_owned(), service.name.to_owned(), id));
                    }
                    continue;
                }
                for &commit in whole.difference(&there).filter(|_| !is_first) {
                    let commit = &service.commits[commit];
                    if commit.parents.len() < 2 {
                        let key = ((*name).to_owned(), service.name.to_owned(), id.clone(), commit.id.clone());
                        truth.pairs.insert(key, sync.finished - commit.authored);
                    }
                }
                there.extend(whole);
            }
        }
    }
    truth
}
