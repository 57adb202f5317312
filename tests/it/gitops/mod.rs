//! From a sync to the commits that it brought: a shop with one repository of configuration, told by notifications and by git alone.
//! Every pair of deployment and commit must be found, none more, each lead time to the second.

mod git;
mod story;

use crate::server::{Server, flowgauge, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use story::{CONFIG, Service, Story, Style, Sync, Tags, rfc3339};

const DEADLINE: Duration = Duration::from_secs(60);

/// A notification as our template sends it, when the operation has ended and the pods are there.
fn notification(story: &Story, sync: &Sync) -> Value {
    let service = &story.services[sync.service];
    let environment = story::ENVIRONMENTS[sync.environment];
    let name = service.name;
    let git = format!("https://{CONFIG}.git");
    let sources = match service.style {
        Style::Chart => json!([{"repoURL": git, "path": format!("charts/{name}"), "targetRevision": "main",
            "helm": {"valueFiles": ["values.yaml", format!("values-{environment}.yaml")]}}]),
        Style::RemoteChart => json!([
            {"repoURL": "registry.story.example/charts", "chart": "app", "targetRevision": "3.1.0",
                "helm": {"valueFiles": [format!("$values/values/{name}/common.yaml"), format!("$values/values/{name}/{environment}.yaml")]}},
            {"repoURL": git, "targetRevision": "main", "ref": "values"}]),
        Style::Kustomize => json!([{"repoURL": git, "path": format!("apps/{name}/overlays/{environment}"), "targetRevision": "main"}]),
        Style::Plain => json!([{"repoURL": git, "path": format!("envs/{environment}/{name}"), "targetRevision": "main"}]),
    };
    let revisions = sync.revisions(&story.services);
    // One source has fields of its own names.
    let (spec, result, compared) = match sources.as_array().expect("sources").len() {
        1 => (
            json!({"source": sources[0]}),
            json!({"source": sources[0], "revision": revisions[0]}),
            json!({"status": "Synced", "revision": revisions[0]}),
        ),
        _ => (
            json!({"sources": sources}),
            json!({"sources": sources, "revision": "", "revisions": revisions}),
            json!({"status": "Synced", "revisions": revisions}),
        ),
    };
    let images = [service.reference(sync.version), "docker.io/envoy:v1.30.0".to_owned()];
    let summary = if service.shows_images(sync.environment) { json!({"images": images}) } else { json!({}) };
    app(
        &sync.app(&story.services),
        spec,
        sync,
        compared,
        result,
        json!([{"kind": "Deployment", "name": name, "status": "Synced"}]),
        summary,
    )
}

fn app(name: &str, spec: Value, sync: &Sync, compared: Value, result: Value, resources: Value, summary: Value) -> Value {
    let mut spec = spec;
    spec["destination"] = json!({"server": "https://kubernetes.default.svc", "namespace": "shop"});
    json!({
        "app": {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": spec,
            "status": {
                "controllerNamespace": "argocd",
                "sync": compared,
                "health": {"status": "Healthy"},
                "operationState": {
                    "phase": "Succeeded",
                    "startedAt": rfc3339(sync.started),
                    "finishedAt": rfc3339(sync.finished),
                    "operation": {"initiatedBy": {"automated": true}, "sync": {}},
                    "syncResult": result,
                },
                "reconciledAt": rfc3339(sync.finished + 1),
                "resources": resources,
                "summary": summary,
            },
        },
        "context": {"argocdUrl": "https://argocd.story.example"},
        "timestamp": rfc3339(sync.finished + 2),
    })
}

/// The application that holds the others: synced as often, and never a deployment.
fn parent(sync: &Sync) -> Value {
    let source = json!({"repoURL": format!("https://{CONFIG}.git"), "path": "root", "targetRevision": "main"});
    let compared = json!({"status": "Synced", "revision": sync.revision});
    let result = json!({"source": source, "revision": sync.revision});
    app("root-prod", json!({"source": source}), sync, compared, result, json!([{"kind": "Application", "name": "cart-prod"}]), json!({}))
}

/// The registry's event of an image with a label that names its commit.
fn labelled(service: &Service, version: usize) -> Value {
    let digest = service.digest(version);
    json!({
        "action": "published",
        "registry_package": {
            "name": service.name,
            "package_type": "CONTAINER",
            "package_version": {
                "version": digest,
                "container_metadata": {
                    "tag": {"name": "", "digest": digest},
                    "labels": {"source": format!("https://{}", service.repo()), "revision": service.id_of(version)},
                    "manifest": {"digest": digest},
                },
                "package_url": format!("{}:", service.image()),
            },
        },
    })
}

fn artifacts(service: &Service) -> String {
    let row = |version: usize| {
        let (name, tag, digest) = (service.image(), service.tag(version), service.digest(version));
        json!({"digest": digest, "name": name, "version": tag, "repo": service.repo(), "source_sha": service.id_of(version)}).to_string()
    };
    (0..service.versions.len()).map(|version| row(version) + "\n").collect()
}

async fn post(http: &reqwest::Client, url: String, headers: &[(&str, &str)], body: String) {
    let mut request = http.post(&url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("the server runs");
    let status = response.status();
    assert!(status.is_success(), "{url}: {status} {}", response.text().await.unwrap_or_default());
}

async fn rows(http: &reqwest::Client, server: &Server, query: &str) -> Vec<Value> {
    let response = http.post(server.url("/api/v1/sql")).json(&json!({"query": query})).send().await.expect("the server runs");
    let status = response.status();
    let body = response.text().await.expect("a text");
    assert!(status.is_success(), "{query}: {body}");
    serde_json::from_str(&body).expect("an array of rows")
}

fn text_of(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("{column} of {row}")).to_owned()
}

/// What the product found: pairs with their lead times, and deployments without a link.
#[derive(Default, PartialEq)]
struct Found {
    pairs: BTreeMap<(String, String, String, String), i64>,
    unlinked: BTreeSet<(String, String, String)>,
    others: BTreeMap<String, usize>,
}

async fn found(http: &reqwest::Client, server: &Server) -> Found {
    let mut found = Found::default();
    let facts = rows(
        http,
        server,
        "select environment, service, deployment_id, sha, lead_seconds, excluded_reason from change_facts where grain = 'environment'",
    )
    .await;
    for fact in &facts {
        let place = (text_of(fact, "environment"), text_of(fact, "service"), text_of(fact, "deployment_id"));
        match fact["excluded_reason"].as_str() {
            None => {
                let lead = fact["lead_seconds"].as_f64().expect("a lead time");
                assert_eq!(lead.fract(), 0.0, "{fact}");
                found.pairs.insert((place.0, place.1, place.2, text_of(fact, "sha")), lead as i64);
            }
            Some("no_source_link") => drop(found.unlinked.insert(place)),
            Some(reason) => *found.others.entry(reason.to_owned()).or_default() += 1,
        }
    }
    found
}

fn backfill(server: &Server, address: &str, repo: &str) -> String {
    let output = flowgauge(&["backfill", "git", address, "--repo", repo, "--server", &server.base]);
    assert!(output.status.success(), "{repo}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_commit_is_found_behind_the_sync_that_brought_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let story = Story::write(folder.path());
    let server = Server::start(&folder.path().join("data"), &[]);
    let http = reqwest::Client::new();
    let json_body = [("content-type", "application/json")];

    // Syncs before the history that they need, the artifacts last, the repositories in between: the order must not matter.
    for sync in &story.syncs {
        post(&http, server.url("/hooks/argocd"), &json_body, notification(&story, sync).to_string()).await;
    }
    for sync in story.syncs.iter().step_by(20) {
        post(&http, server.url("/hooks/argocd"), &json_body, parent(sync).to_string()).await;
    }
    for (i, service) in story.services.iter().enumerate() {
        // Some come as clones, some as bundles.
        let bundle = (i % 2 == 1).then(|| git::bundle(&service.folder));
        let said = backfill(&server, text(bundle.as_deref().unwrap_or(&service.folder)), &service.repo());
        assert!(!said.contains("pinned"), "{said}: a repository of source");
        if i == story.services.len() / 2 {
            println!("{}", backfill(&server, text(&story.config_folder), CONFIG));
        }
    }
    for service in &story.services {
        match service.tags {
            Tags::Artifact => post(&http, server.url("/v1/events/artifacts"), &json_body, artifacts(service)).await,
            Tags::Label => {
                for version in 0..service.versions.len() {
                    let headers = [("content-type", "application/json"), ("x-github-event", "registry_package")];
                    let id = format!("{}-{version}", service.name);
                    let headers = [headers[0], headers[1], ("x-github-delivery", id.as_str())];
                    post(&http, server.url("/hooks/github"), &headers, labelled(service, version).to_string()).await;
                }
            }
            _ => {}
        }
    }
    // Once more: what is known already changes nothing.
    backfill(&server, text(&story.config_folder), CONFIG);

    let since = Instant::now();
    let mut seen = found(&http, &server).await;
    while (seen.pairs != story.truth.pairs || seen.unlinked != story.truth.unlinked) && since.elapsed() < DEADLINE {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let again = found(&http, &server).await;
        // It has come to rest, on whatever it is.
        if again == seen && since.elapsed() > Duration::from_secs(10) {
            break;
        }
        seen = again;
    }
    let commits: usize = story.services.iter().map(|service| service.commits.len()).sum();
    println!(
        "{} services, {commits} source commits, {} config commits, {} syncs; {} pairs expected, {} found; {} without a link expected, {} found; others {:?}",
        story.services.len(),
        story.config_commits,
        story.syncs.len(),
        story.truth.pairs.len(),
        seen.pairs.len(),
        story.truth.unlinked.len(),
        seen.unlinked.len(),
        seen.others,
    );
    let rules =
        rows(&http, &server, "select link_rule, link_confidence, count(*) as n from deployment_facts group by 1, 2 order by 1, 2").await;
    for rule in &rules {
        println!("  {}: {} ({})", rule["link_rule"], rule["n"], rule["link_confidence"]);
    }
    let missing: Vec<_> = story.truth.pairs.iter().filter(|(key, lead)| seen.pairs.get(*key) != Some(lead)).take(5).collect();
    let extra: Vec<_> = seen.pairs.iter().filter(|(key, lead)| story.truth.pairs.get(*key) != Some(lead)).take(5).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing or otherwise {missing:#?}, extra {extra:#?}");
    assert_eq!(seen.unlinked, story.truth.unlinked);
    assert!(story.truth.pairs.len() > 500 && story.truth.unlinked.len() > 5 && story.truth.rollbacks > 2, "a story worth telling");
    assert_eq!(seen.others.keys().collect::<Vec<_>>(), ["merge_commit", "no_baseline"]);

    // Every way of telling a commit is in the story, and counted under its name.
    let told: BTreeSet<String> = rules.iter().map(|rule| text_of(rule, "link_rule")).collect();
    let expected = ["artifact_digest", "artifact_version", "commit_trailer", "manifest_digest", "manifest_tag", "none", "tag_is_commit"];
    assert_eq!(told, expected.map(str::to_owned).into());
    let unlinked =
        rows(&http, &server, "select count(*) as n from deployment_facts where link_rule = 'none' and service <> 'legacy'").await;
    assert_eq!(unlinked[0]["n"], 0);
    let all = rows(&http, &server, "select count(*) as n from deployment_facts").await;
    assert_eq!(all[0]["n"], story.syncs.len(), "one deployment a sync, none of the application that holds the others");
    let rollbacks = rows(&http, &server, "select count(*) as n from deployment_facts where kind = 'rollback'").await;
    assert_eq!(rollbacks[0]["n"], story.truth.rollbacks);

    tickets_and_manifests(&http, &server, &story).await;
    server.stop();
}

/// From a deployment to the tickets of its commits and to the file that named its image.
async fn tickets_and_manifests(http: &reqwest::Client, server: &Server, story: &Story) {
    let service = story.services.iter().find(|service| service.style == Style::Kustomize && !service.shows_images(3)).expect("a service");
    let of_service = story.truth.pairs.keys().filter(|(environment, name, ..)| environment == "prod" && name == service.name);
    let (_, _, id, _) = of_service.clone().next().expect("a deployment");
    let shas: BTreeSet<&String> = of_service.filter(|(_, _, other, _)| other == id).map(|(_, _, _, sha)| sha).collect();
    let brought = service.commits.iter().filter(|commit| shas.contains(&commit.id));
    let expected: BTreeSet<String> = brought.filter_map(|commit| commit.ticket.clone()).collect();
    let mut url = reqwest::Url::parse(&server.url("/api/v1/deployments/")).expect("an address");
    url.path_segments_mut().expect("a path").pop_if_empty().push(id);
    let item: Value = http.get(url).send().await.expect("the server runs").json().await.expect("JSON");
    let tickets: BTreeSet<String> =
        item["tickets"].as_array().expect("tickets").iter().map(|ticket| ticket.as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(tickets, expected);
    assert!(!tickets.is_empty());
    assert_eq!(item["data"]["link_rule"], "manifest_tag");
    assert_eq!(item["manifests"][0]["path"], format!("apps/{}/overlays/prod/kustomization.yaml", service.name));
    assert_eq!(item["manifests"][0]["image"], service.image());
}
