//! Notifications as Argo CD posts them with the template that sends the whole application.

use crate::calendar::{Sec, iso};
use crate::catalogue::{ENVIRONMENTS, PRODUCTION};
use crate::draw::uuid;
use crate::history::CommitIx;
use crate::json::{Json, object};
use crate::model::{App, Observation, Phase};
use crate::people::Person;
use crate::scene::Scene;

const CONFIG_URL: &str = "https://gitlab.shop.example/shop/deploy.git";

/// Group, kind and suffix of an application's resources.
const RESOURCES: [(&str, &str, &str); 4] =
    [("apps", "Deployment", ""), ("", "ConfigMap", "-config"), ("", "Service", ""), ("batch", "CronJob", "-cleanup")];

pub fn app_name(service: &str, environment: usize) -> String {
    [service, "-", ENVIRONMENTS[environment]].concat()
}

/// What the application's health shows.
pub fn health(app: &App) -> &'static str {
    match &app.operation {
        _ if app.degraded_since.is_some() => "Degraded",
        _ if app.image.is_none() => "Missing",
        Some(operation) if operation.phase == Phase::Running => "Progressing",
        _ => "Healthy",
    }
}

pub fn sync_status(app: &App) -> &'static str {
    if app.out_of_sync.is_empty() { "Synced" } else { "OutOfSync" }
}

pub fn images(scene_service: &str, tag: Option<&str>) -> Vec<String> {
    tag.map(|tag| format!("registry.shop.example/{scene_service}:{tag}")).into_iter().collect()
}

pub fn headers() -> Vec<(String, String)> {
    [("Content-Type", "application/json"), ("User-Agent", "Go-http-client/1.1")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

fn source(json: &mut Json, key: &str, service: &str, environment: usize) {
    json.object(key, |json| {
        json.str("repoURL", CONFIG_URL);
        json.str("path", ".");
        json.str("targetRevision", &["env/", &app_name(service, environment)].concat());
    });
}

fn initiated_by(json: &mut Json, by: Option<&Person>) {
    json.object("initiatedBy", |json| match by {
        Some(person) => json.str("username", person.username),
        None => json.bool("automated", true),
    });
}

fn resources(json: &mut Json, namespace: &str, scene: &Scene, app: &App) {
    json.array("resources", |json| {
        for (place, (group, kind, suffix)) in RESOURCES.into_iter().enumerate() {
            let drifted = app.out_of_sync.contains(&place);
            // What is left over shows up only while it is.
            if kind == "CronJob" && !drifted {
                continue;
            }
            json.element(|json| {
                if !group.is_empty() {
                    json.str("group", group);
                }
                json.str("version", "v1");
                json.str("kind", kind);
                json.str("namespace", namespace);
                json.str("name", &[scene.service.name, suffix].concat());
                json.str("status", if drifted { "OutOfSync" } else { "Synced" });
                if kind == "Deployment" {
                    json.object("health", |json| json.str("status", health(app)));
                }
                if drifted && app.prune_only {
                    json.bool("requiresPruning", true);
                }
            });
        }
    });
}

fn operation_state(json: &mut Json, namespace: &str, scene: &Scene, environment: usize, app: &App) {
    let Some(operation) = &app.operation else { return };
    let revision = scene.shop.config.sha(operation.revision);
    let (phase, message) = match operation.phase {
        Phase::Running => ("Running", "waiting for healthy state of apps/Deployment"),
        Phase::Succeeded => ("Succeeded", "successfully synced (all tasks run)"),
        Phase::Failed => ("Failed", "one or more synchronization tasks completed unsuccessfully"),
    };
    json.object("operationState", |json| {
        json.str("phase", phase);
        json.str("message", message);
        json.str("startedAt", &iso(operation.started_at));
        if let Some(at) = operation.finished_at {
            json.str("finishedAt", &iso(at));
        }
        json.object("operation", |json| {
            initiated_by(json, operation.by);
            json.object("retry", |json| json.num("limit", 5));
            json.object("sync", |json| {
                json.str("revision", revision);
                if operation.by.is_none() {
                    json.bool("prune", true);
                }
                if operation.heals {
                    json.num("autoHealAttemptsCount", 1);
                    json.array("resources", |json| {
                        json.element(|json| {
                            json.str("kind", "ConfigMap");
                            json.str("name", &[scene.service.name, "-config"].concat());
                            json.str("namespace", namespace);
                        });
                    });
                }
            });
        });
        json.object("syncResult", |json| {
            json.str("revision", revision);
            source(json, "source", scene.service.name, environment);
            json.array("resources", |json| {
                json.element(|json| {
                    json.str("group", "apps");
                    json.str("version", "v1");
                    json.str("kind", "Deployment");
                    json.str("namespace", namespace);
                    json.str("name", scene.service.name);
                    json.str("status", if operation.phase == Phase::Failed { "SyncFailed" } else { "Synced" });
                    json.str("syncPhase", "Sync");
                    json.str("hookPhase", "Running");
                });
            });
        });
    });
}

pub fn payload(scene: &Scene, observation: &Observation) -> String {
    let Observation { environment, at, trigger, app } = observation;
    let service = scene.service;
    let name = app_name(service.name, *environment);
    let namespace = [service.team, "-", ENVIRONMENTS[*environment]].concat();
    let sha = |commit: CommitIx| scene.shop.config.sha(commit);
    let tag = app.image.map(|commit| scene.world.repo.commits[commit].tag());
    let progressing_since =
        app.operation.as_ref().filter(|operation| operation.phase == Phase::Running).map(|operation| operation.started_at);
    let health_since: Sec = app.degraded_since.or(progressing_since).unwrap_or(app.healthy_since);
    let by_hand = service.manual_production && *environment == PRODUCTION;
    object(|json| {
        json.object("app", |json| {
            json.str("apiVersion", "argoproj.io/v1alpha1");
            json.str("kind", "Application");
            json.object("metadata", |json| {
                json.str("name", &name);
                json.str("namespace", "argocd");
                json.str("uid", &uuid(scene.event.service as u64, *environment as u64));
                json.str("resourceVersion", &(70_000_000 + scene.nth).to_string());
                json.object("labels", |json| {
                    json.str("app.kubernetes.io/part-of", service.name);
                    json.str("team", service.team);
                });
            });
            json.object("spec", |json| {
                json.str("project", service.team);
                source(json, "source", service.name, *environment);
                json.object("destination", |json| {
                    json.str("server", "https://kubernetes.default.svc");
                    json.str("namespace", &namespace);
                });
                if !by_hand {
                    json.raw("syncPolicy", "{\"automated\":{\"prune\":true,\"selfHeal\":true}}");
                }
            });
            json.object("status", |json| {
                json.object("sync", |json| {
                    json.str("status", sync_status(app));
                    if let Some(revision) = app.revision {
                        json.str("revision", sha(revision));
                    }
                    json.object("comparedTo", |json| {
                        source(json, "source", service.name, *environment);
                        json.object("destination", |json| {
                            json.str("server", "https://kubernetes.default.svc");
                            json.str("namespace", &namespace);
                        });
                    });
                });
                json.object("health", |json| {
                    json.str("status", health(app));
                    json.str("lastTransitionTime", &iso(health_since));
                });
                operation_state(json, &namespace, scene, *environment, app);
                json.array("history", |json| {
                    for line in &app.history {
                        json.element(|json| {
                            json.num("id", line.id);
                            json.str("revision", sha(line.revision));
                            json.str("deployStartedAt", &iso(line.started_at));
                            json.str("deployedAt", &iso(line.finished_at));
                            source(json, "source", service.name, *environment);
                            initiated_by(json, line.by);
                        });
                    }
                });
                json.str("reconciledAt", &iso(*at));
                resources(json, &namespace, scene, app);
                json.str("sourceType", "Kustomize");
                json.object("summary", |json| json.strings("images", images(service.name, tag)));
            });
        });
        json.object("context", |json| {
            json.str("argocdUrl", "https://argocd.shop.example");
            json.str("notificationType", "flowgauge");
            json.str("trigger", trigger);
        });
        json.str("timestamp", &iso(*at));
    })
}
