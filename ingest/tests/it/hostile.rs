//! Bytes from outside never make a reader panic: random JSON, and fixtures that were cut, flipped or twisted.

use crate::support::{Fixture, normalise, raw, rules};
use bytes::Bytes;
use flowgauge_ingest::providers::{ALL, pagerduty};
use flowgauge_ingest::{Headers, Normaliser, Provider, Secrets, Webhook, own_event, own_lines};
use flowgauge_lake::model::{Source, Table, Tenant, Time};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() }
}

/// Values of every kind, among them those that readers are tempted to trust.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        select(vec![
            json!("0000000000000000000000000000000000000000"),
            json!("2026-05-04T09:12:40Z"),
            json!("9999-12-31T23:59:59.999999999+23:59"),
            json!("-262143-01-01T00:00:00Z"),
            json!("completed"),
            json!("success"),
            json!("incident"),
            json!("é\u{0}\u{202e}"),
            json!(i64::MIN),
            json!(1e308),
        ]),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Names that the providers use, and any other.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "event",
            "event_type",
            "data",
            "id",
            "type",
            "action",
            "repository",
            "pull_request",
            "workflow_run",
            "workflow_job",
            "deployment",
            "deployment_status",
            "issue",
            "labels",
            "commits",
            "ref",
            "after",
            "before",
            "package",
            "object_kind",
            "object_attributes",
            "project",
            "builds",
            "metadata",
            "spec",
            "status",
            "operationState",
            "app",
            "name",
            "full_name",
            "number",
            "state",
            "created_at",
            "environment",
        ])
        .prop_map(str::to_owned),
        "[a-z_]{1,8}",
    ]
}

/// Reads the body in every way that the receiver does. Only its not panicking and its purity are asked for.
fn read(provider: &dyn Provider, headers: &[(String, String)], body: &[u8]) {
    let event = raw(provider, headers.to_vec(), Bytes::copy_from_slice(body));
    let _ = provider.event_name(&event);
    let rows = normalise(provider, &event);
    assert_eq!(rows, normalise(provider, &event));
    if let Ok(rows) = rows {
        let _ = own_lines(&rows);
    }
    let hook = Webhook::new(Headers::new(headers.to_vec()), Bytes::copy_from_slice(body));
    if let Ok(hook) = provider.verify(hook, &Secrets::none(), Time::default()) {
        let _ = provider.delivery_id(&hook);
    }
}

/// The provider's fixtures, read once.
fn fixtures(provider: &dyn Provider) -> &'static [Fixture] {
    static FIXTURES: LazyLock<HashMap<&'static str, Vec<Fixture>>> =
        LazyLock::new(|| ALL.iter().map(|provider| (provider.kind(), crate::support::fixtures(*provider))).collect());
    &FIXTURES[provider.kind()]
}

/// The headers under which a provider's events come: of each fixture that has some, else the names of its events.
fn headers_of(provider: &dyn Provider) -> Vec<Vec<(String, String)>> {
    let mut headers: Vec<_> =
        fixtures(provider).iter().map(|fixture| fixture.headers.clone()).filter(|headers| !headers.is_empty()).collect();
    let event_header = provider.kept_headers().iter().find(|name| name.contains("event"));
    headers.extend(
        event_header.iter().flat_map(|name| provider.events().iter().map(|event| vec![((**name).to_owned(), (*event).to_owned())])),
    );
    headers.push(Vec::new());
    headers
}

/// Puts `with` in the place of one value of the document, found by walking down where `steps` say.
fn twist(document: &mut Value, steps: &[Index], with: Value) {
    let mut at = document;
    for step in steps {
        let is_leaf = match at {
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => true,
        };
        if is_leaf {
            break;
        }
        at = match at {
            Value::Array(items) => {
                let i = step.index(items.len());
                &mut items[i]
            }
            Value::Object(members) => {
                let i = step.index(members.len());
                members.values_mut().nth(i).expect("within its length")
            }
            _ => return,
        };
    }
    *at = with;
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_json_never_panics(body in tree(), pick in any::<Index>()) {
        let body = body.to_string();
        for provider in ALL {
            let headers = headers_of(*provider);
            read(*provider, &headers[pick.index(headers.len())], body.as_bytes());
        }
        let value: Value = serde_json::from_str(&body).expect("it was written as JSON");
        let _ = pagerduty::rest(&value);
    }

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200), pick in any::<Index>()) {
        for provider in ALL {
            let headers = headers_of(*provider);
            read(*provider, &headers[pick.index(headers.len())], &body);
        }
    }

    #[test]
    fn twisted_fixtures_never_panic(
        which in any::<Index>(),
        twists in prop::collection::vec((prop::collection::vec(any::<Index>(), 1..7), tree()), 1..4),
        cut in prop::option::of(any::<Index>()),
        flip in prop::option::of((any::<Index>(), any::<u8>())),
    ) {
        for provider in ALL {
            let fixtures = fixtures(*provider);
            if fixtures.is_empty() {
                continue;
            }
            let fixture = &fixtures[which.index(fixtures.len())];
            let Ok(mut document) = serde_json::from_str::<Value>(&fixture.body) else { continue };
            for (steps, with) in &twists {
                twist(&mut document, steps, with.clone());
            }
            let mut body = document.to_string().into_bytes();
            if let Some((at, byte)) = &flip {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            if let Some(at) = &cut {
                body.truncate(at.index(body.len()));
            }
            read(*provider, &fixture.headers, &body);
        }
    }

    #[test]
    fn our_own_schema_never_panics(table in select(Table::ALL.to_vec()), row in tree(), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let known: Map<String, Value> = table.spec().columns.iter().map(|column| (column.name.to_owned(), row.clone())).collect();
        for body in [row.to_string().into_bytes(), Value::Object(known).to_string().into_bytes(), bytes] {
            if let Ok(event) = own_event(Tenant::default(), Source::new("own"), table, body.into(), Time::default()) {
                let rows = Normaliser::new(rules()).normalise(&event).expect("it was checked when it came");
                prop_assert!(!rows.is_empty());
            }
        }
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for (open, close) in [("[", "]"), ("{\"event\":", "}")] {
        let body = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for provider in ALL {
            for headers in headers_of(*provider) {
                read(*provider, &headers, body.as_bytes());
            }
        }
        assert!(own_event(Tenant::default(), Source::new("own"), Table::Commit, body.into(), Time::default()).is_err());
    }
}
