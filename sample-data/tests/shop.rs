//! The shop keeps its promises: the same bytes every time, within its budget, with a history that git itself would have.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use chrono::{DateTime, Datelike, Utc};
use flowgauge_sample_data::{Delivery, ENVIRONMENTS, Shop, Truth};
use gix::prelude::FindExt;
use serde_json::Value;

static SHOP: LazyLock<Shop> = LazyLock::new(|| Shop::generate(1, 0));
static TRUTH: LazyLock<Truth> = LazyLock::new(|| SHOP.truth());

fn body(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(&delivery.body)))
}

fn text<'a>(row: &'a serde_json::Map<String, Value>, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A folder of this test's own, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("flowgauge-sample-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let again = Shop::generate(1, 0);
    assert!(SHOP.deliveries().eq(again.deliveries()));
    let other = Shop::generate(2, 0);
    assert!(!SHOP.deliveries().take(1_000).eq(other.deliveries().take(1_000)));
}

#[test]
fn a_shift_moves_everything_by_whole_weeks() {
    let shifted = Shop::generate(1, 5);
    let weeks = chrono::Duration::weeks(5);
    assert_eq!(SHOP.deliveries().len(), shifted.deliveries().len());
    let moved = SHOP.deliveries().map(|delivery| (delivery.at + weeks, delivery.hook));
    assert!(moved.eq(shifted.deliveries().map(|delivery| (delivery.at, delivery.hook))));
}

#[test]
fn deliveries_are_json_in_order_and_within_the_budget() {
    assert!((70_000..=100_000).contains(&SHOP.deliveries().len()));
    let (mut last, mut ids, mut size) = (DateTime::UNIX_EPOCH, HashSet::new(), 0);
    for delivery in SHOP.deliveries() {
        assert!(delivery.at >= last);
        last = delivery.at;
        size += delivery.body.len();
        assert!(body(&delivery).is_object());
        let id = ["Idempotency-Key", "X-GitHub-Delivery", "X-Webhook-Id"];
        for (name, value) in delivery.headers.iter().filter(|(name, _)| id.contains(&name.as_str())) {
            assert!(ids.insert(value.clone()), "{name} {value} is not unique");
        }
    }
    assert_eq!(last.date_naive().to_string(), "2026-06-28");
    assert!(size / SHOP.deliveries().len() < 4_096, "payloads are lean");
}

#[test]
fn deliveries_are_made_quickly() {
    let shop = &*SHOP;
    let began = Instant::now();
    let bytes: usize = shop.deliveries().take(20_000).map(|delivery| delivery.body.len()).sum();
    let took = began.elapsed();
    println!("20,000 deliveries, {bytes} bytes, {took:?}");
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn services_deploy_as_often_as_promised() {
    let mut months: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for row in TRUTH.rows("deployments").iter().filter(|row| row.contains_key("finished_at")) {
        let at = time(text(row, "finished_at"));
        *months.entry((text(row, "service"), format!("{}-{:02}", at.year(), at.month()))).or_default() += 1;
        *all.entry(text(row, "service")).or_default() += 1;
    }
    assert_eq!(all.len(), 20);
    for service in SHOP.services() {
        let weeks = 104 - service.first_week as usize;
        assert!(all[service.name] >= 2 * weeks, "{} deploys {} times in {weeks} weeks", service.name, all[service.name]);
    }
    let most = months.values().max().copied().unwrap_or_default();
    assert!((300..=400).contains(&most), "the busiest month has {most} deployments");
}

#[test]
fn the_shop_fails_and_recovers_like_others() {
    let incidents = TRUTH.rows("incidents");
    let open = incidents.iter().filter(|row| !row.contains_key("resolved_at")).count();
    assert!((2..20).contains(&open), "{open} incidents are open");
    let mut minutes: Vec<i64> = incidents
        .iter()
        .filter(|row| row.contains_key("resolved_at"))
        .map(|row| (time(text(row, "resolved_at")) - time(text(row, "created_at"))).num_minutes())
        .collect();
    minutes.sort_unstable();
    assert!((20..240).contains(&minutes[minutes.len() / 2]), "median {}", minutes[minutes.len() / 2]);
    let production = TRUTH.rows("deployments").iter().filter(|row| text(row, "environment") == ENVIRONMENTS[3]);
    let (failed, all) = production.fold((0, 0), |(failed, all), row| (failed + usize::from(text(row, "outcome") == "failure"), all + 1));
    assert!(failed * 100 > all && failed * 10 < all, "{failed} of {all} fail");
}

#[test]
fn every_pushed_commit_exists() {
    let known: HashSet<(String, String)> =
        TRUTH.rows("commits").iter().map(|row| (text(row, "repo").to_owned(), text(row, "sha").to_owned())).collect();
    let mut listed = 0;
    for delivery in SHOP.deliveries() {
        let value = match delivery.hook {
            "gitlab" | "github" => body(&delivery),
            _ => continue,
        };
        let Some(commits) = value["commits"].as_array() else { continue };
        let repo = match delivery.hook {
            "gitlab" => format!("gitlab.shop.example/{}", value["project"]["path_with_namespace"].as_str().expect("a path")),
            _ => format!("github.com/{}", value["repository"]["full_name"].as_str().expect("a name")),
        };
        for commit in commits {
            let sha = commit["id"].as_str().expect("an id").to_owned();
            assert!(known.contains(&(repo.clone(), sha)), "{repo} {commit}");
            listed += 1;
        }
        assert!(commits.len() <= 20 || delivery.hook == "github");
    }
    assert!(listed > 20_000);
}

#[test]
fn deployments_name_commits_of_main() {
    let mut parents: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for row in TRUTH.rows("commits") {
        let list = row["parents"].as_array().expect("parents").iter().filter_map(Value::as_str).collect();
        parents.insert((text(row, "repo"), text(row, "sha")), list);
    }
    for row in TRUTH.rows("deployments") {
        // A sync that failed showed no new image, so nobody says what it would have run.
        if row.contains_key("sha") {
            assert!(parents.contains_key(&(text(row, "repo"), text(row, "sha"))));
        } else {
            assert_ne!(text(row, "outcome"), "success");
            assert!(row.contains_key("config_sha"));
        }
        if row.contains_key("config_sha") {
            assert!(parents.contains_key(&(text(row, "config_repo"), text(row, "config_sha"))));
        }
    }
}

#[test]
fn the_ids_are_those_that_git_computes() {
    let folder = Folder::new("ids");
    let shop = &*SHOP;
    let began = Instant::now();
    shop.write_git(&folder.0).expect("repositories are written");
    println!("write_git {:?}", began.elapsed());
    for (repo, is_config) in [("payments/checkout", false), ("fulfilment/inventory", false), ("shop/deploy", true)] {
        let dir = folder.0.join("gitlab.shop.example").join(format!("{repo}.git"));
        let git = gix::open(&dir).expect("a repository");
        assert_eq!(git.head_name().expect("a head").expect("a branch").as_bstr(), "refs/heads/main");
        let tips: Vec<gix::ObjectId> = git
            .references()
            .expect("references")
            .all()
            .expect("all of them")
            .map(|reference| reference.expect("a reference").id().detach())
            .collect();
        let mut found = HashSet::new();
        let mut buffer = Vec::new();
        for info in git.rev_walk(tips).all().expect("a walk") {
            let id = info.expect("a commit").id;
            let data = git.objects.find(&id, &mut buffer).expect("an object");
            assert_eq!(gix::objs::compute_hash(gix::hash::Kind::Sha1, data.kind, data.data).expect("a hash"), id);
            found.insert(id.to_string());
        }
        let name = format!("gitlab.shop.example/{repo}");
        let told: HashSet<String> =
            TRUTH.rows("commits").iter().filter(|row| text(row, "repo") == name).map(|row| text(row, "sha").to_owned()).collect();
        assert_eq!(found, told, "{name}");
        assert!(is_config || git.find_reference("refs/merge-requests/1/head").is_ok());
    }
}

#[test]
fn one_service_tells_of_a_deployment_twice() {
    let evidence = |service: &str| -> HashSet<&str> {
        TRUTH.rows("deployments").iter().filter(|row| text(row, "service") == service).map(|row| text(row, "evidence")).collect()
    };
    assert_eq!(evidence("shipping").len(), 2);
    assert_eq!(evidence("checkout"), HashSet::from(["gitops_sync"]));
    assert_eq!(evidence("payments"), HashSet::from(["deployment"]));
}

#[test]
fn the_truth_is_written_as_tables() {
    let folder = Folder::new("truth");
    TRUTH.write(&folder.0).expect("tables are written");
    let tables = ["services", "commits", "changes", "deployments", "incidents", "gitops_observations", "pipeline_runs", "jobs"];
    for table in tables {
        let text = std::fs::read_to_string(folder.0.join(format!("{table}.ndjson"))).expect("a table");
        assert_eq!(text.lines().count(), TRUTH.rows(table).len(), "{table}");
    }
}

#[test]
fn what_lies_later_is_not_told() {
    let until: DateTime<Utc> = "2025-03-01T00:00:00Z".parse().expect("a time");
    let shop = Shop::generate(1, 0);
    let earlier = shop.deliveries().filter(|delivery| delivery.at < until).count();
    let shop = shop.told_until(until);
    assert_eq!(shop.deliveries().len(), earlier);
    assert!(earlier > 10_000 && shop.deliveries().all(|delivery| delivery.at < until));
    let folder = Folder::new("until");
    shop.write_git(&folder.0).expect("repositories are written");
    let git = gix::open(folder.0.join("gitlab.shop.example/payments/checkout.git")).expect("a repository");
    let commits: Vec<_> =
        git.head_commit().expect("a tip").ancestors().all().expect("a history").map(|commit| commit.expect("a commit")).collect();
    let times: Vec<i64> = commits.iter().map(|commit| commit.object().expect("an object").time().expect("a time").seconds).collect();
    assert!(times.len() > 50 && times.iter().all(|at| *at < until.timestamp()), "{} commits", times.len());
    // A day before the end the tip is not old.
    assert!(times[0] > until.timestamp() - 14 * 86_400);
}
