//! Every declared event has a fixture, every fixture gives the rows that stand beside it, and a replay gives equal rows.

use crate::support::{fixtures, normalise, raw, shown};
use flowgauge_ingest::providers::ALL;
use flowgauge_ingest::{NormaliseError, Normaliser, own_event, own_lines};
use flowgauge_lake::model::{Source, Tenant, Time};

#[test]
fn the_registry_is_in_alphabetical_order() {
    let kinds: Vec<&str> = ALL.iter().map(|provider| provider.kind()).collect();
    let mut sorted = kinds.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(kinds, sorted);
}

#[test]
fn every_fixture_gives_the_rows_beside_it() {
    let mut wrong = Vec::new();
    for provider in ALL {
        for fixture in fixtures(*provider) {
            let event = raw(*provider, fixture.headers.clone(), fixture.body.clone());
            match normalise(*provider, &event) {
                Ok(rows) if rows == fixture.expected => {}
                Ok(rows) => wrong.push(format!(
                    "{}/{}: expected\n{}found\n{}",
                    provider.kind(),
                    fixture.name,
                    shown(&fixture.expected),
                    shown(&rows)
                )),
                Err(error) => wrong.push(format!("{}/{}: {error}", provider.kind(), fixture.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_declared_event_has_a_fixture_and_every_fixture_is_of_a_declared_event() {
    for provider in ALL {
        let names: Vec<String> =
            fixtures(*provider).into_iter().map(|fixture| provider.event_name(&raw(*provider, fixture.headers, fixture.body))).collect();
        assert!(!provider.events().is_empty(), "{} declares no event", provider.kind());
        for event in provider.events() {
            assert!(names.iter().any(|name| name == event), "{}: no fixture of `{event}`", provider.kind());
        }
        for name in names {
            assert!(provider.events().contains(&name.as_str()), "{}: `{name}` has a fixture and is not declared", provider.kind());
        }
    }
}

#[test]
fn normalising_twice_gives_equal_rows_through_the_normaliser_too() {
    let normaliser = Normaliser::new(crate::support::rules());
    for provider in ALL {
        for fixture in fixtures(*provider) {
            let event = raw(*provider, fixture.headers, fixture.body);
            assert_eq!(normalise(*provider, &event), normaliser.normalise(&event), "{}/{}", provider.kind(), fixture.name);
        }
    }
}

#[test]
fn our_own_schema_reads_every_row_that_a_provider_gives() {
    for provider in ALL {
        for fixture in fixtures(*provider) {
            for row in fixture.expected {
                let lines = own_lines(std::slice::from_ref(&row));
                let event = own_event(Tenant::default(), Source::new("own"), row.entity.table(), lines, Time::default())
                    .unwrap_or_else(|error| panic!("{}/{}: {error}", provider.kind(), fixture.name));
                let read = Normaliser::new(crate::support::rules()).normalise(&event).expect("it was checked");
                assert_eq!(read, [row], "{}/{}", provider.kind(), fixture.name);
            }
        }
    }
}

#[test]
fn an_unknown_event_is_told_from_a_silent_one() {
    for provider in ALL {
        let bodies = [r#"{"event":{"event_type":"quite.unknown"},"object_kind":"quite_unknown"}"#, "{}"];
        for body in bodies {
            let answer = normalise(*provider, &raw(*provider, Vec::new(), body));
            assert!(
                matches!(answer, Err(NormaliseError::UnknownEvent(_) | NormaliseError::Malformed(_))),
                "{}: {body} gave {answer:?}",
                provider.kind()
            );
        }
    }
}
