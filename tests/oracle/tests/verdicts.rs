//! A person's word (V1 to V6 of the README), worked out by hand. All days are of May 2024; deployments and verdicts are of noon.

#![allow(clippy::unwrap_used, reason = "tests end where something is missing")]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use flowgauge_oracle::{Bucket, Question, World, answer};
use serde_json::{Value, json};

fn world(tables: Value) -> World {
    let rows = |rows: &Value| rows.as_array().unwrap().iter().map(|r| r.as_object().unwrap().clone()).collect();
    World::new(tables.as_object().unwrap().iter().map(|(table, r)| (table.clone(), rows(r))).collect())
}

fn may(day: u32, hour: u32) -> DateTime<Utc> {
    format!("2024-05-{day:02}T{hour:02}:00:00Z").parse().unwrap()
}

/// All of May, as seen at this instant.
fn ask(metric: &str, as_of: DateTime<Utc>) -> Question {
    Question {
        metric: metric.into(),
        from: may(1, 0),
        to: may(1, 0) + TimeDelta::days(31),
        as_of,
        bucket: Bucket::None,
        tz: Tz::UTC,
        by: Vec::new(),
        filters: BTreeMap::new(),
    }
}

fn seen(world: &World, metric: &str, as_of: DateTime<Utc>) -> Value {
    answer(world, &ask(metric, as_of))[0]["points"][0].clone()
}

/// As seen in July.
fn point(world: &World, metric: &str) -> Value {
    seen(world, metric, may(1, 0) + TimeDelta::days(61))
}

fn share(world: &World, metric: &str) -> (Value, Value) {
    let p = point(world, metric);
    (p["numerator"].clone(), p["denominator"].clone())
}

fn of(n: u32, all: u32) -> (Value, Value) {
    (json!(f64::from(n)), json!(f64::from(all)))
}

/// `row` and these columns.
fn with(mut row: Value, more: Value) -> Value {
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// A success of a version of cart.
fn deployed(id: &str, version: &str, day: u32) -> Value {
    json!({"deployment_id": id, "service": "cart", "environment": "prod", "version": version, "outcome": "success", "finished_at": may(day, 12)})
}

/// Releases on the 1st, 2nd and 3rd, of which no rule says that one failed.
fn three() -> Vec<Value> {
    vec![deployed("d0", "0", 1), deployed("d1", "1", 2), deployed("d2", "2", 3)]
}

/// An incident of cart on the 3rd at 13:00, so of d2, resolved at 19:00.
fn incident() -> Value {
    json!({"incident_id": "i", "services": ["cart"], "started_at": may(3, 13), "resolved_at": may(3, 19)})
}

fn verdict(id: &str, day: u32, word: Value) -> Value {
    with(json!({"verdict_id": id, "decided_at": may(day, 12)}), word)
}

#[test]
fn v1_words_are_ordered_by_time_then_id_then_source() {
    let d1 = |id: &str, day: u32, source: &str, failed: bool| {
        verdict(id, day, json!({"deployment_id": "d1", "source": source, "failed": failed}))
    };
    let failed = |first: Value, second: Value| {
        let told = share(&world(json!({"deployments": three(), "verdicts": [first.clone(), second.clone()]})), "change_fail_rate");
        let turned = share(&world(json!({"deployments": three(), "verdicts": [second, first]})), "change_fail_rate");
        assert_eq!(told, turned);
        told
    };
    // The later one.
    assert_eq!(failed(d1("z", 5, "z", true), d1("a", 6, "a", false)), of(0, 3));
    // At one time the greater id, by bytes: 9 is greater than 10.
    assert_eq!(failed(d1("10", 5, "z", true), d1("9", 5, "a", false)), of(0, 3));
    assert_eq!(failed(d1("10", 5, "z", false), d1("9", 5, "a", true)), of(1, 3));
    // Of one id the greater source.
    assert_eq!(failed(d1("v", 5, "a", true), d1("v", 5, "b", false)), of(0, 3));
    assert_eq!(failed(d1("v", 5, "a", false), d1("v", 5, "b", true)), of(1, 3));
}

#[test]
fn v1_a_word_is_about_the_row_of_its_source_or_the_only_one() {
    let two = vec![deployed("d", "0", 1), with(deployed("d", "1", 2), json!({"source": "mirror"}))];
    let recovery = |deployments: Vec<Value>, word: Value| {
        let w = world(json!({"deployments": deployments, "verdicts": [verdict("v", 5, with(word, json!({"failed": true})))]}));
        let p = point(&w, "recovery_time");
        (p["n"].clone(), p["value"].clone())
    };
    let word = |id: &str, source: &str| json!({"deployment_id": id, "source": source});
    assert_eq!(recovery(two.clone(), word("d", "import")), (json!(1), json!(86400.0))); // the one of the 1st, a day before the other
    assert_eq!(recovery(two.clone(), word("d", "mirror")), (json!(1), Value::Null)); // the one of the 2nd, open
    assert_eq!(recovery(two.clone(), word("d", "person")), (json!(0), Value::Null)); // two of that name
    assert_eq!(recovery(two, word("e", "import")), (json!(0), Value::Null));
    assert_eq!(recovery(three(), word("d1", "person")), (json!(1), json!(86400.0)));
}

#[test]
fn v1_incidents_are_referred_to_alike() {
    let unattributed = |incidents: Value, source: &str| {
        let word = verdict("v", 5, json!({"incident_id": "i", "source": source, "failed": false}));
        let w = world(json!({"deployments": three(), "incidents": incidents, "verdicts": [word]}));
        point(&w, "change_fail_rate")["excluded"]["unattributed"].clone()
    };
    let pager = with(incident(), json!({"source": "pager", "started_at": may(2, 13)}));
    assert_eq!(unattributed(json!([incident(), pager]), "pager"), 1);
    assert_eq!(unattributed(json!([incident(), pager]), "import"), 1);
    assert_eq!(unattributed(json!([incident(), pager]), "person"), Value::Null); // two of that name
    assert_eq!(unattributed(json!([pager]), "person"), 1);
}

#[test]
fn v1_the_rows_of_one_verdict_fold() {
    let rows =
        [verdict("v", 5, json!({"deployment_id": "d1", "failed": true})), verdict("v", 9, json!({"failed": false, "kind": "hotfix"}))];
    let w = world(json!({"deployments": three(), "verdicts": rows}));
    // One verdict of the 9th, about d1: a hotfix, which marks d0, and not failed.
    assert_eq!(share(&w, "change_fail_rate"), of(1, 3));
    assert_eq!(share(&w, "rework_rate"), of(1, 3));
    let before = with(rows[1].clone(), json!({"verdict_id": "w"}));
    let w = world(json!({"deployments": three(), "verdicts": [rows[0], before]}));
    assert_eq!(share(&w, "change_fail_rate"), of(1, 3)); // two verdicts: w is about nothing
    assert_eq!(share(&w, "rework_rate"), of(0, 3));
}

#[test]
fn v2_words_replace_and_take_back() {
    let about = |word: Value| with(json!({"deployment_id": "d1"}), word);
    let all = [
        verdict("a", 5, about(json!({"failed": true}))),
        verdict("b", 6, about(json!({"kind": "hotfix"}))),
        verdict("c", 7, about(json!({"reason": "it was nothing"}))),
        verdict("d", 8, about(json!({"failed": true}))),
        verdict("e", 9, about(json!({"failed": false}))),
    ];
    let shares = |n: usize| {
        let w = world(json!({"deployments": three(), "verdicts": all[..n]}));
        (share(&w, "change_fail_rate"), share(&w, "rework_rate"))
    };
    assert_eq!(shares(1), (of(1, 3), of(0, 3)));
    assert_eq!(shares(2), (of(2, 3), of(1, 3))); // d1 still, and d0, which the hotfix d1 marks
    assert_eq!(shares(3), (of(0, 3), of(0, 3))); // everything is taken back
    assert_eq!(shares(4), (of(1, 3), of(0, 3))); // only what is said anew stands
    assert_eq!(shares(5), (of(0, 3), of(0, 3)));
}

#[test]
fn v3_a_failure_holds_from_the_word_on() {
    let word = |failed: bool, day: u32| verdict(&format!("v{day}"), day, json!({"deployment_id": "d1", "failed": failed}));
    // The next success is one also as a no_op: Q is d0 and d1. Recovered from the 2nd to the 3rd.
    let deployments = [deployed("d0", "0", 1), deployed("d1", "1", 2), deployed("d2", "1", 3)];
    let w = world(json!({"deployments": deployments, "verdicts": [word(true, 10), word(false, 20)]}));
    let rate = |at: DateTime<Utc>| seen(&w, "change_fail_rate", at)["value"].clone();
    let moment = TimeDelta::microseconds(1);
    assert_eq!(rate(may(10, 12) - moment), 0.0);
    assert_eq!(rate(may(10, 12)), 0.5);
    assert_eq!(seen(&w, "recovery_time", may(10, 12))["value"], 86400.0);
    assert_eq!(rate(may(20, 12) - moment), 0.5);
    assert_eq!(rate(may(20, 12)), 0.0);
    assert_eq!(seen(&w, "recovery_time", may(20, 12))["n"], 0);
}

#[test]
fn v3_an_incident_says_when_it_was_remedied() {
    let word = |id: &str, failed: bool| verdict("v", 5, json!({"deployment_id": id, "failed": failed}));
    let about = |word: Value| world(json!({"deployments": three(), "incidents": [incident()], "verdicts": [word]}));
    // d2 with its incident of the 3rd: 12:00 to 19:00 = 7 h.
    assert_eq!(point(&about(word("d2", true)), "recovery_time")["value"], 25200.0);
    // d2 has not failed, but the incident is still its.
    let p = point(&about(word("d2", false)), "change_fail_rate");
    assert_eq!((&p["value"], &p["n"], &p["coverage"], &p["excluded"]), (&json!(0.0), &json!(3), &json!(1.0), &json!({})));
    assert_eq!(point(&about(word("d2", false)), "recovery_time")["n"], 0);
    // d1 too, by word: two of three. 24 h and 7 h: S is 1/2 after 7 h.
    assert_eq!(share(&about(word("d1", true)), "change_fail_rate"), of(2, 3));
    assert_eq!(point(&about(word("d1", true)), "recovery_time")["value"], 25200.0);
}

#[test]
fn v3_words_against_the_rules() {
    // 0, 1, 0: d2 is a rollback, which marks d1; Q is d0 and d1.
    let rows = [deployed("d0", "0", 1), deployed("d1", "1", 2), deployed("d2", "0", 3)];
    let failed = |id: &str, failed: bool| {
        let word = verdict("v", 5, json!({"deployment_id": id, "failed": failed}));
        share(&world(json!({"deployments": rows, "verdicts": [word]})), "change_fail_rate")
    };
    assert_eq!(failed("d1", false), of(0, 2)); // whatever the rules say
    assert_eq!(failed("d2", true), of(1, 2)); // d2 is not in Q
    assert_eq!(failed("d0", true), of(2, 2));
    // A failure with effect has failed by rule 32, but not by this person's word.
    let broken = with(deployed("d3", "3", 4), json!({"outcome": "failure", "took_effect": true}));
    let word = verdict("v", 5, json!({"deployment_id": "d3", "failed": false}));
    assert_eq!(share(&world(json!({"deployments": [broken.clone()], "verdicts": [word]})), "change_fail_rate"), of(0, 1));
    assert_eq!(share(&world(json!({"deployments": [broken]})), "change_fail_rate"), of(1, 1));
}

#[test]
fn v4_a_kind_holds_at_every_as_of() {
    let early = |rows: &[Value], verdicts: Value| {
        let w = world(json!({"deployments": rows, "verdicts": verdicts}));
        let value = |metric: &str| seen(&w, metric, may(5, 12))["numerator"].clone();
        (value("change_fail_rate"), value("rework_rate"))
    };
    let hotfix = verdict("a", 20, json!({"deployment_id": "d1", "kind": "hotfix"}));
    let mut rows = three();
    // Said on the 20th, true on the 5th: d1 is a hotfix and marks d0.
    assert_eq!(early(&rows, json!([hotfix])), (json!(1.0), json!(1.0)));
    rows[1]["kind"] = json!("release");
    assert_eq!(early(&rows, json!([hotfix])), (json!(1.0), json!(1.0)));
    // The last one wins.
    let rollback = verdict("b", 21, json!({"deployment_id": "d1", "kind": "release"}));
    assert_eq!(early(&rows, json!([hotfix, rollback])), (json!(0.0), json!(0.0)));
    // Taken back on the 25th, so at no as_of; but what the first one said of failure holds until then.
    let both = verdict("a", 4, json!({"deployment_id": "d1", "kind": "hotfix", "failed": true}));
    let back = verdict("b", 25, json!({"deployment_id": "d1"}));
    assert_eq!(early(&rows, json!([both])), (json!(2.0), json!(1.0)));
    assert_eq!(early(&rows, json!([both, back])), (json!(1.0), json!(0.0)));
}

#[test]
fn v4_a_kind_is_an_explicit_one() {
    let word = |kind: &str| verdict("v", 5, json!({"deployment_id": "d1", "kind": kind}));
    let w = world(json!({"deployments": three(), "verdicts": [word("no_op")]}));
    assert_eq!(point(&w, "deployment_frequency")["excluded"], json!({"no_op": 1}));
    assert_eq!(share(&w, "change_fail_rate"), of(0, 2));
    // Of a rollback by rule 17 a person says that it is a release: d1 is not marked, and Q is all three.
    let mut rows = three();
    rows[2]["version"] = json!("0");
    let release = verdict("v", 5, json!({"deployment_id": "d2", "kind": "release"}));
    assert_eq!(share(&world(json!({"deployments": rows})), "change_fail_rate"), of(1, 2));
    assert_eq!(share(&world(json!({"deployments": rows, "verdicts": [release]})), "change_fail_rate"), of(0, 3));
}

#[test]
fn v5_an_incident_is_whose_the_last_word_says() {
    let about = |word: Value| with(json!({"incident_id": "i"}), word);
    let w = world(json!({"deployments": three(), "incidents": [incident()], "verdicts": [
        verdict("a", 10, about(json!({"caused_by_deployment": "d1"}))), verdict("b", 12, about(json!({"failed": false}))),
        verdict("c", 14, about(json!({"caused_by_deployment": "d0"}))), verdict("d", 16, about(json!({})))]}));
    let recovery = |day: u32| seen(&w, "recovery_time", may(day, 12))["value"].clone();
    assert_eq!(recovery(9), 25200.0); // by the rules of d2: 7 h
    assert_eq!(recovery(10), 111600.0); // of d1: from the 2nd 12:00 to the 3rd 19:00 = 31 h
    assert_eq!(recovery(13), Value::Null);
    assert_eq!(recovery(15), 198000.0); // of d0: 55 h
    assert_eq!(recovery(17), 25200.0); // the rules again
    let p = seen(&w, "change_fail_rate", may(13, 12));
    assert_eq!((&p["value"], &p["coverage"], &p["excluded"]), (&json!(0.0), &json!(0.0), &json!({"unattributed": 1})));
    assert_eq!(seen(&w, "mttr", may(13, 12))["value"], 21600.0); // it was an incident all the same: 6 h
}

#[test]
fn v5_a_word_never_falls_through_to_the_rules() {
    let preprod = with(deployed("p", "3", 2), json!({"environment": "preprod"}));
    let without = with(deployed("f", "4", 2), json!({"outcome": "failure"}));
    let mirrored = with(deployed("d0", "5", 4), json!({"source": "mirror"}));
    let excluded = |more: &[&Value], word: Value| {
        let mut rows = three();
        rows.extend(more.iter().map(|row| (*row).clone()));
        let word = verdict("v", 5, with(json!({"incident_id": "i"}), word));
        point(&world(json!({"deployments": rows, "incidents": [incident()], "verdicts": [word]})), "recovery_time")
    };
    let cause = |id: &str, source: &str| json!({"caused_by_deployment": id, "source": source});
    let nobody = json!({"unattributed": 1});
    assert_eq!(excluded(&[], cause("d9", "import"))["excluded"], nobody);
    assert_eq!(excluded(&[&preprod], cause("p", "import"))["excluded"], nobody); // not of production
    assert_eq!(excluded(&[&without], cause("f", "import"))["excluded"], nobody); // without effect
    assert_eq!(excluded(&[&mirrored], cause("d0", "person"))["excluded"], nobody); // two of that name
    assert_eq!(excluded(&[&mirrored], cause("d0", "import"))["value"], 198000.0);
    // That of the 4th cannot have broken on the 3rd, but the source of the word says it.
    assert_eq!(excluded(&[&mirrored], cause("d0", "mirror"))["excluded"], json!({"resolved_before_deploy": 1}));
}

#[test]
fn v5_what_the_row_says_gives_way() {
    let row = with(incident(), json!({"caused_by_deployment": "d0"}));
    let recovery =
        |verdicts: Value| point(&world(json!({"deployments": three(), "incidents": [row], "verdicts": verdicts})), "recovery_time");
    let word = |id: &str, day: u32, word: Value| verdict(id, day, with(json!({"incident_id": "i"}), word));
    assert_eq!(recovery(json!([]))["value"], 198000.0);
    assert_eq!(recovery(json!([word("a", 5, json!({"caused_by_deployment": "d1"}))]))["value"], 111600.0);
    let no = word("a", 5, json!({"failed": false}));
    assert_eq!(recovery(json!([no]))["excluded"], json!({"unattributed": 1}));
    // That it is one after all replaces that it is none, and the rules hold again.
    assert_eq!(recovery(json!([no, word("b", 6, json!({"failed": true}))]))["value"], 198000.0);
    // ... but ends no word on its cause.
    let cause = word("a", 5, json!({"caused_by_deployment": "d1"}));
    assert_eq!(recovery(json!([cause, word("b", 6, json!({"failed": true}))]))["value"], 111600.0);
}

#[test]
fn v6_attributed_by_word_is_attributed_by_a_link() {
    let mut rows = three();
    rows.push(with(deployed("s", "s", 3), json!({"service": "search", "environment": "prod-us"})));
    // An incident of search, that d1 of cart caused.
    let row = with(incident(), json!({"services": ["search"], "environment": "prod-us"}));
    let word = verdict("v", 5, json!({"incident_id": "i", "caused_by_deployment": "d1"}));
    let by_word = world(json!({"deployments": rows, "incidents": [row], "verdicts": [word]}));
    let by_link = world(json!({"deployments": rows, "incidents": [with(row.clone(), json!({"caused_by_deployment": "d1"}))]}));
    for metric in ["change_fail_rate", "recovery_time"] {
        for by in [vec![], vec!["service"], vec!["environment"], vec!["service", "environment"]] {
            let q = Question { by: by.into_iter().map(str::to_owned).collect(), ..ask(metric, may(30, 0)) };
            assert_eq!(answer(&by_word, &q), answer(&by_link, &q));
        }
    }
    // By service it counts as attributed in its own, and as the failure in the deployment's.
    let none = verdict("v", 5, json!({"incident_id": "i", "failed": false}));
    let by_none = world(json!({"deployments": rows, "incidents": [row], "verdicts": [none]}));
    let of_services = |w: &World| {
        let q = Question { by: vec!["service".into()], ..ask("change_fail_rate", may(30, 0)) };
        let all = answer(w, &q);
        let point = |n: usize| (all[n]["points"][0]["numerator"].clone(), all[n]["points"][0]["coverage"].clone());
        (point(0), point(1))
    };
    let (zero, one) = (json!(0.0), json!(1.0));
    assert_eq!(of_services(&by_word), ((one.clone(), one.clone()), (zero.clone(), one.clone())));
    assert_eq!(of_services(&by_none), ((zero.clone(), one), (zero.clone(), zero)));
}
