//! Webhooks as PagerDuty sends them, version 3.

use crate::calendar::{iso, iso_millis};
use crate::draw::{code, uuid};
use crate::json::{Json, object};
use crate::model::{Incident, Step};
use crate::people::Person;
use crate::scene::Scene;

const SITE: &str = "https://shop.pagerduty.com";
const API: &str = "https://api.pagerduty.com";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// PagerDuty's own id of an incident.
pub fn incident_id(service: usize, incident: &Incident) -> String {
    ["Q", &code(service as u64 + 40, incident.number as u64, LETTERS, 13)].concat()
}

pub fn headers(scene: &Scene) -> Vec<(String, String)> {
    [
        ("Accept", "application/json".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "PagerDuty-Webhook/V3.0".to_owned()),
        ("X-Webhook-Id", uuid(scene.nth, 7)),
        ("X-Webhook-Subscription", "PXSHOP1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn reference(json: &mut Json, kind: &str, plural: &str, id: &str, summary: &str) {
    json.str("html_url", &format!("{SITE}/{plural}/{id}"));
    json.str("id", id);
    json.str("self", &format!("{API}/{plural}/{id}"));
    json.str("summary", summary);
    json.str("type", &[kind, "_reference"].concat());
}

fn user(json: &mut Json, person: &Person) {
    reference(json, "user", "users", &["P", &code(person.id as u64, 9, LETTERS, 6)].concat(), person.name);
}

/// The word for how bad it is: the priority, else the urgency.
pub fn severity(incident: &Incident) -> String {
    match incident.priority {
        Some(priority) => format!("P{priority}"),
        None => urgency(incident).to_owned(),
    }
}

fn urgency(incident: &Incident) -> &'static str {
    if incident.high_urgency { "high" } else { "low" }
}

pub fn payload(scene: &Scene, incident: &Incident, step: Step) -> String {
    let id = incident_id(scene.event.service, incident);
    let (event, status) = match step {
        Step::Opened => ("incident.triggered", "triggered"),
        Step::Acknowledged => ("incident.acknowledged", "acknowledged"),
        Step::Resolved => ("incident.resolved", "resolved"),
        Step::Reopened => ("incident.reopened", "triggered"),
    };
    object(|json| {
        json.object("event", |json| {
            json.str("id", &["01", &code(scene.nth, 8, LETTERS, 24)].concat());
            json.str("event_type", event);
            json.str("resource_type", "incident");
            json.str("occurred_at", &iso_millis(scene.event.at));
            match step {
                Step::Opened => json.null("agent"),
                _ => json.object("agent", |json| user(json, incident.by)),
            }
            json.null("client");
            json.object("data", |json| {
                json.str("id", &id);
                json.str("type", "incident");
                json.str("self", &format!("{API}/incidents/{id}"));
                json.str("html_url", &format!("{SITE}/incidents/{id}"));
                json.num("number", scene.event.service as i64 * 1_000 + incident.number);
                json.str("status", status);
                json.str("incident_key", &uuid(scene.event.service as u64 + 60, incident.number as u64));
                json.str("created_at", &iso(incident.opened_at));
                json.str("title", &incident.title);
                json.object("service", |json| {
                    let id = ["P", &code(scene.event.service as u64, 10, LETTERS, 6)].concat();
                    reference(json, "service", "services", &id, scene.service.name);
                });
                json.array("assignees", |json| {
                    if status != "resolved" {
                        json.element(|json| user(json, incident.by));
                    }
                });
                json.object("escalation_policy", |json| {
                    reference(json, "escalation_policy", "escalation_policies", "PESC001", "On call");
                });
                json.array("teams", |json| {
                    json.element(|json| {
                        let id = ["P", &code(scene.service.team.len() as u64, 11, LETTERS, 6)].concat();
                        reference(json, "team", "teams", &id, scene.service.team);
                    });
                });
                match incident.priority {
                    Some(priority) => json.object("priority", |json| {
                        let id = format!("PPRIO0{priority}");
                        reference(json, "priority", "priorities", &id, &format!("P{priority}"));
                    }),
                    None => json.null("priority"),
                }
                json.str("urgency", urgency(incident));
                json.null("conference_bridge");
                json.null("resolve_reason");
            });
        });
    })
}
