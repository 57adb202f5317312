//! The corpus of cases: rows in, numbers out, worked out by hand in each case's text. `tests/corpus/README.md` has the format.

use crate::numbers::{close, difference};
use flowgauge_ingest::own_event;
use flowgauge_lake::model::{Source, Table, Tenant};
use flowgauge_query::question::Question;
use flowgauge_web::App;
use flowgauge_web::config::{Config, Overrides};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("a case").path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    cases
}

/// A server's inside with the rows of a case.
async fn open(case: &Path, data: &Path) -> App {
    let config = Some(case.join("flowgauge.toml")).filter(|path| path.exists());
    let overrides = Overrides { config, data: Some(data.to_owned()), listen: None };
    let config = Config::load(&overrides).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
    let app = App::open(config, overrides).await.expect("a new lake opens");
    let mut files: Vec<PathBuf> = std::fs::read_dir(case).expect("a case").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    for file in files {
        let table =
            Table::parse(file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()).expect("a file is named by its table");
        let bytes = std::fs::read(&file).expect("a file");
        let event = own_event(Tenant::default(), Source::new("import"), table, bytes.into(), app.now());
        app.lake().append(vec![event.unwrap_or_else(|error| panic!("{}: {error}", file.display()))]).await.expect("rows are taken");
    }
    app.lake().applied().await;
    app.engine().refresh();
    app
}

/// Names and values; of a list each is a value of its own.
fn parameters(question: &Value) -> Vec<(String, String)> {
    let given = question["parameters"].as_object().into_iter().flatten();
    let pairs = given.flat_map(|(name, value)| {
        let values = match value {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        values.into_iter().map(move |value| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
    });
    pairs.collect()
}

/// The first place where an answer is not what the case says. What the case does not name is not compared.
fn unlike(expected: &Value, found: &Value) -> Option<String> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let (expected, mut found) = (list(expected, "series"), found.as_array().cloned().unwrap_or_default());
    found.sort_by_key(|series| series["labels"].to_string());
    if expected.len() != found.len() {
        return Some(format!("{} series instead of {}", found.len(), expected.len()));
    }
    expected.iter().zip(&found).find_map(|(expected, found)| {
        let at = expected["labels"].to_string();
        let (points, answered) = (list(expected, "points"), list(found, "points"));
        if difference("", &expected["labels"], &found["labels"]).is_some() || points.len() != answered.len() {
            return Some(format!("{at}: {} with {} points", found["labels"], answered.len()));
        }
        points.iter().zip(&answered).enumerate().find_map(|(i, (point, answer))| {
            point.as_object()?.iter().find_map(|(name, wanted)| {
                let place = format!("{at} point {i} {name}");
                match (wanted.as_f64(), answer[name].as_f64()) {
                    (Some(a), Some(b)) if (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) => None,
                    (Some(a), Some(b)) if close(a, b) => Some(format!("{place}: {b:?} is near {a:?}, but not the same")),
                    // Of what stands beside a value only that is compared which the case names.
                    _ if name == "detail" => wanted.as_object().into_iter().flatten().find_map(|(part, wanted)| {
                        let close = matches!((wanted.as_f64(), answer[name][part].as_f64()), (Some(a), Some(b)) if (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0));
                        if close { None } else { difference(&format!("{place}.{part}"), wanted, &answer[name][part]) }
                    }),
                    _ => difference(&place, wanted, &answer[name]),
                }
            })
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_corpus_is_answered_as_it_was_worked_out() {
    let (mut questions, mut wrong) = (0, Vec::new());
    let cases = cases();
    for case in &cases {
        let folder = tempfile::tempdir().expect("a folder");
        let app = open(case, folder.path()).await;
        let text = std::fs::read(case.join("expected.json")).expect("a case has expected.json");
        let expected: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        for asked in expected["questions"].as_array().expect("questions") {
            questions += 1;
            let metric = asked["metric"].as_str().expect("a metric");
            let question = Question::parse(metric, &parameters(asked), app.now(), app.engine().rules().display);
            let question = question.unwrap_or_else(|error| panic!("{}: {error}", case.display()));
            let answer = app.engine().ask(&app.tenant(), &question, app.now()).await.expect("an answer");
            let found = serde_json::to_value(&answer.series).expect("plain data");
            let name = case.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            wrong.extend(unlike(asked, &found).map(|how| format!("{name}, {metric}: {how}")));
        }
    }
    println!("{} cases, {questions} questions, {} answered otherwise", cases.len(), wrong.len());
    assert!(cases.len() >= 80 && questions >= cases.len(), "the corpus is not all there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
