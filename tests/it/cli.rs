//! The command line: exit codes, words of errors, import and the same answers as the oracle's.

use crate::numbers::{difference, parameters, plain};
use crate::server::{Server, flowgauge, json, text};
use flowgauge_oracle::{Question, World, answer};
use std::collections::BTreeMap;
use std::path::Path;

/// Runs a command that must end with `code`, and gives what it said on standard error.
fn fails(code: i32, arguments: &[&str]) -> String {
    let output = flowgauge(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    said
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.insert(text(&path).to_owned(), Vec::new());
            found.extend(files(&path));
        } else {
            found.insert(text(&path).to_owned(), std::fs::read(&path).expect("the file can be read"));
        }
    }
    found
}

#[test]
fn a_slip_ends_with_2_and_names_what_was_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, missing) = (text(folder.path()), folder.path().join("missing"));
    assert!(fails(2, &["metric", "led_time", "--data", here]).contains("lead_time"));
    assert!(fails(2, &["metric", "lead_time", "--data", text(&missing)]).contains("missing"));
    assert!(fails(2, &["query", "select 1", "--data", text(&missing)]).contains("missing"));
    assert!(fails(2, &["import", text(&missing), "--data", here]).contains("missing"));
    assert!(fails(2, &["query", "drop table deployments", "--data", here]).lines().count() >= 1);
    assert!(fails(2, &["query", "select 1 from deploymnets", "--data", here]).contains("did you mean `deployments`?"));
    assert!(fails(2, &["metric", "lead_time", "--from", "yesterdy", "--data", here]).contains("yesterdy"));
    fails(2, &["metrik"]);
    assert!(!missing.exists(), "a question made a folder");
}

#[test]
fn what_fails_ends_with_1() {
    // Nobody listens on port 1 of a loopback address.
    let said = fails(1, &["metric", "lead_time", "--server", "http://127.0.0.1:1"]);
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

#[test]
fn a_newer_format_ends_with_3_and_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("format"), "99\n").expect("a file");
    let here = text(folder.path());
    let before = files(folder.path());
    for arguments in [vec!["metric", "lead_time"], vec!["query", "select 1"], vec!["serve", "--listen", "127.0.0.1:0"]] {
        let said = fails(3, &[arguments, vec!["--data", here]].concat());
        assert!(said.contains("99") && said.contains(here), "{said}");
    }
    assert_eq!(before, files(folder.path()));
}

#[test]
fn a_second_process_is_told_whose_folder_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = text(folder.path());
    let server = Server::start(folder.path(), &[]);
    for arguments in [vec!["query", "select 1"], vec!["serve", "--listen", "127.0.0.1:0"]] {
        let said = fails(2, &[arguments, vec!["--data", here]].concat());
        assert!(said.contains(here) && said.contains("another"), "{said}");
    }
    server.stop();
    assert!(json(&["query", "select 1 as one", "--format", "json", "--data", here]).is_array());
}

#[test]
fn a_value_is_explained_without_a_server() {
    let (rows, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let row = |id: u32, outcome: &str| {
        format!(
            "{{\"deployment_id\":\"{id}\",\"service\":\"cart\",\"environment\":\"prod\",\"version\":\"{id}\",\"finished_at\":\"2026-06-0{id}T10:00:00Z\",\"outcome\":\"{outcome}\"}}\n"
        )
    };
    std::fs::write(rows.path().join("deployments.ndjson"), row(1, "success") + &row(2, "failure") + &row(3, "success")).expect("a file");
    assert!(flowgauge(&["import", text(rows.path()), "--data", text(data.path())]).status.success());
    let window = ["--from", "2026-06-01", "--to", "2026-06-11", "--data", text(data.path())];
    let answer = json(&[&["metric", "deployment_success_rate", "--format", "json"][..], &window].concat());
    let point = &answer["series"][0]["points"][0];
    let address = point["explain"].as_str().expect("an address");
    let explanation = json(&["explain", address, "--format", "json", "--data", text(data.path())]);
    assert_eq!((&explanation["point"]["value"], explanation["row_count"].as_u64()), (&point["value"], Some(4)));
    let said = flowgauge(&["explain", address, "--data", text(data.path())]);
    let said = String::from_utf8_lossy(&said.stdout);
    for words in ["Deployment success rate: 0.666", "ratio(d.succeeded, d.total) as value", "2026-06-02T10:00:00"] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
    assert!(fails(2, &["explain", "abc", "--data", text(data.path())]).contains("what stands as `explain` beside a value"));
}

#[test]
fn a_change_of_definitions_is_told_before_it_is_made() {
    let (rows, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let row = |id: u32| {
        format!(
            "{{\"deployment_id\":\"{id}\",\"service\":\"cart\",\"environment\":\"prod\",\"version\":\"{id}\",\"finished_at\":\"2026-06-0{id}T10:00:00Z\",\"outcome\":\"success\"}}\n"
        )
    };
    std::fs::write(rows.path().join("deployments.ndjson"), row(1) + &row(2)).expect("a file");
    // Two days after the second deployment: further than a day, nearer than a week.
    let incident = "{\"incident_id\":\"i\",\"services\":[\"cart\"],\"started_at\":\"2026-06-04T10:00:00Z\"}\n";
    std::fs::write(rows.path().join("incidents.ndjson"), incident).expect("a file");
    assert!(flowgauge(&["import", text(rows.path()), "--data", text(data.path())]).status.success());
    let (old, new) = (rows.path().join("old.toml"), rows.path().join("new.toml"));
    std::fs::write(&old, "").expect("a file");
    std::fs::write(&new, "[definitions]\nattribution_max_lag = \"7d\"\n").expect("a file");
    let both = ["diff", text(&old), text(&new), "--since", "2026-06-01", "--until", "2026-06-08", "--data", text(data.path())];
    let found = json(&[&both[..], &["--format", "json"]].concat());
    let metrics = found["metrics"].as_array().expect("metrics");
    let rate = metrics.iter().find(|metric| metric["metric"] == "change_fail_rate").expect("it is there");
    assert_eq!(
        (rate["old"]["value"].as_f64(), rate["new"]["value"].as_f64(), rate["is_changed"].as_bool()),
        (Some(0.0), Some(0.5), Some(true))
    );
    assert_eq!(found["switches"]["attribution_max_lag"], serde_json::json!({"old": 86_400, "new": 604_800}));
    let output = flowgauge(&both);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in ["attribution_max_lag", "change_fail_rate, 2 rows moved", "unattributed", "deployments 2"] {
        assert!(output.status.success() && said.contains(words), "`{words}` is not in\n{said}");
    }
    std::fs::write(&new, "[definitions]\npreset = \"devlake_2022\"\n").expect("a file");
    assert!(fails(2, &both).contains("did you mean `devlake_202"));
    let backwards = ["diff", text(&old), text(&old), "--since", "2026-06-08", "--until", "2026-06-01", "--data", text(data.path())];
    assert!(fails(2, &backwards).contains("--since"));
    assert!(fails(2, &["diff", text(&old), text(&old), "--since", "soon", "--data", text(data.path())]).contains("`soon`"));
    // And a preset on the command line.
    let window = ["--from", "2026-06-01", "--to", "2026-06-08", "--format", "json", "--data", text(data.path())];
    let answer = json(&[&["metric", "change_fail_rate", "--preset", "devlake_2023"][..], &window].concat());
    assert_eq!((answer["preset"].as_str(), answer["series"][0]["points"][0]["value"].as_f64()), (Some("devlake_2023"), Some(0.5)));
}

#[test]
fn two_windows_are_compared_with_and_without_a_server() {
    let (rows, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    // Twelve in the thirty days from the first of May, twenty-four in the thirty days after.
    let row = |day: u32| {
        let (month, day) = if day < 31 { (5, day + 1) } else { (6, day - 30) };
        format!(
            "{{\"deployment_id\":\"{month}-{day}\",\"service\":\"cart\",\"environment\":\"prod\",\"version\":\"{month}.{day}\",\"finished_at\":\"2026-{month:02}-{day:02}T10:00:00Z\",\"outcome\":\"success\"}}\n"
        )
    };
    let lines: String = (0..24).step_by(2).chain(30..54).map(row).collect();
    std::fs::write(rows.path().join("deployments.ndjson"), lines).expect("a file");
    let here = text(data.path());
    assert!(flowgauge(&["import", text(rows.path()), "--data", here]).status.success());
    let windows = ["compare", "--before", "2026-05-01..2026-05-31", "--after", "2026-05-31..2026-06-30", "--service", "cart"];
    let answer = json(&[&windows[..], &["--format", "json", "--data", here]].concat());
    let frequency = &answer["data"][0];
    assert_eq!((&frequency["metric"], &frequency["verdict"]), (&"deployment_frequency".into(), &"not_significant".into()));
    assert_eq!((frequency["before"]["n"].as_u64(), frequency["after"]["n"].as_u64()), (Some(12), Some(24)));
    for (found, expected) in [
        (&frequency["effect"]["value"], 2.0),
        (&frequency["effect"]["ci"]["lo"], 0.961_929),
        (&frequency["effect"]["ci"]["hi"], 4.389_040),
        (&frequency["p_value"], 0.065_245),
    ] {
        assert!(found.as_f64().is_some_and(|found| (found - expected).abs() < 1e-6), "{found} instead of {expected}");
    }
    let said = flowgauge(&[&windows[..], &["--data", here]].concat());
    let said = String::from_utf8_lossy(&said.stdout);
    let line = said.lines().find(|line| line.starts_with("deployment_frequency")).unwrap_or_else(|| panic!("{said}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[..10], ["deployment_frequency", "1/d", "0.4", "12", "0.8", "24", "2.0", "0.961929", "4.38904", "rate_ratio"]);
    assert!(line.contains("not significant"), "{line}");

    let after = ["--after", "2026-05-31..2026-06-30", "--data", here];
    assert!(fails(2, &[&["compare", "--before", "2026-05-01..yesterdy"][..], &after].concat()).contains("`yesterdy`"));
    assert!(fails(2, &[&["compare", "--before", "2026-05-31..2026-05-01"][..], &after].concat()).contains("the earlier first"));
    fails(2, &[&["compare"][..], &after].concat());

    let server = Server::start(data.path(), &[]);
    let mut asked = json(&[&windows[..], &["--format", "json", "--server", &server.base]].concat());
    let mut told = answer;
    for answer in [&mut asked, &mut told] {
        // What hangs on the moment of asking.
        ["as_of", "computed_at"].iter().for_each(|name| drop(answer.as_object_mut().and_then(|answer| answer.remove(*name))));
        for figure in answer["data"].as_array_mut().into_iter().flatten() {
            ["before", "after"].iter().for_each(|side| drop(figure[*side].as_object_mut().and_then(|point| point.remove("explain"))));
        }
    }
    assert_eq!(asked, told);
    assert!(
        fails(2, &["compare", "--before", "2026-05-01..yesterdy", "--after", "now-1d..now", "--server", &server.base])
            .contains("`yesterdy`")
    );
    server.stop();
}

#[test]
fn imported_worlds_are_answered_as_the_oracle_answers() {
    let (mut asked, mut differences) = (0, Vec::new());
    for seed in 1..=3 {
        let (rows, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let world = World::random(seed);
        world.write(rows.path()).expect("the world can be written");
        let import = ["import", text(rows.path()), "--data", text(data.path())];
        assert!(flowgauge(&import).status.success());
        let again = flowgauge(&import);
        assert!(String::from_utf8_lossy(&again.stdout).contains("known already"), "the second import was not recognised");
        // One question of each metric; another of its three in every world.
        for question in Question::random(seed, &world).iter().skip(seed as usize % 3).step_by(3) {
            let mut arguments = vec!["metric".to_owned(), question.metric.clone()];
            for (name, value) in parameters(question) {
                arguments.extend([format!("--{}", name.replace('_', "-")), value]);
            }
            arguments.extend(["--format", "json", "--data", text(data.path())].map(str::to_owned));
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let ours = plain(json(&arguments)["series"].take());
            asked += 1;
            if let Some(difference) = difference("", &ours, &plain(answer(&world, question))) {
                differences.push(format!("world {seed}, {arguments:?}\n  {difference}"));
            }
        }
    }
    println!("{asked} questions on 3 worlds");
    assert!(asked >= 51 && differences.is_empty(), "{} of {asked}:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn a_configuration_is_checked_without_showing_its_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flowgauge.toml");
    std::fs::write(folder.path().join("secret"), "hush-hush\n").expect("a file");
    let good = "[[source]]\nname = \"gitlab\"\nkind = \"gitlab\"\nsecret_file = \"secret\"\n\
                [[reader]]\nname = \"grafana\"\ntoken_file = \"secret\"\n\
                [[service]]\nname = \"checkout\"\nteam = \"payments\"\n";
    std::fs::write(&path, good).expect("a file");
    let output = flowgauge(&["check-config", "--config", text(&path)]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("/hooks/gitlab") && said.contains("payments"), "{said}");
    assert!(!said.contains("hush-hush"));
    std::fs::write(&path, good.replace("secret_file", "secret_fil")).expect("a file");
    assert!(fails(2, &["check-config", "--config", text(&path)]).contains("secret_file"));
    std::fs::write(&path, "[server]\nlisten = \"0.0.0.0:8080\"\n").expect("a file");
    assert!(fails(2, &["check-config", "--config", text(&path)]).contains("[[reader]]"));
}
