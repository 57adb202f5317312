use super::*;
use ::parquet::arrow::ArrowWriter;
use arrow::array::{ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray};
use std::sync::Arc;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn rows(path: &Path) -> Vec<(Table, String)> {
    read_file(path).unwrap().into_iter().map(|(table, chunk)| (table, String::from_utf8(chunk).unwrap())).collect()
}

const CANONICAL: &str = concat!(
    r#"{"deployment_id":"7","service":"checkout","environment":"prod","sha":"abc1","commit_shas":["abc1","def2"],"#,
    r#""finished_at":"2026-07-01T12:00:00Z","automated":true,"updated_at":"2026-07-01T12:00:01Z"}"#,
    "\n",
    r#"{"deployment_id":"8","service":"a, \"b\"","environment":"prod\nx","source":"argo","cleared":["sha"]}"#,
    "\n"
);

#[test]
fn the_same_rows_in_every_format_are_the_same() {
    let ndjson = r#"{"service":"checkout","deployment_id":7,"environment":"prod","sha":"ABC1","commit_shas":["abc1","def2"],"finished_at":1782907200000000,"automated":true,"version":null,"updated_at":"2026-07-01T14:00:01+02:00"}

{"deployment_id":"8","service":"a, \"b\"","environment":"prod\nx","source":"argo","cleared":["sha"]}"#;
    let list = format!("\u{feff}[{}]", ndjson.replace("\n\n", ","));
    let csv = "deployment_id,service,environment,sha,commit_shas,finished_at,automated,version,updated_at,source,cleared\r\n\
        7,checkout,prod,ABC1,abc1; def2,2026-07-01T12:00:00Z,TRUE,,1782907201000000,,\r\n\
        8,\"a, \"\"b\"\"\",\"prod\nx\",,,,,,,argo,\"[\"\"sha\"\"]\"\r\n";
    let folder = folder(&[("deployments.ndjson", ndjson), ("deployments.json", &list), ("deployments.csv", csv)]);
    for name in ["deployments.ndjson", "deployments.json", "deployments.csv"] {
        assert_eq!(rows(&folder.path().join(name)), [(Table::Deployment, CANONICAL.to_owned())], "{name}");
    }
    assert_eq!(rows(folder.path()).len(), 3);
}

#[test]
fn parquet_by_name() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.values().append_value("a");
    lists.append(true);
    lists.append(false);
    let times = TimestampMillisecondArray::from(vec![Some(1_782_907_200_000), None]).with_timezone("UTC");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("attempt", Arc::new(Int64Array::from(vec![2, 1]))),
        ("needs", Arc::new(lists.finish())),
        ("finished_at", Arc::new(times)),
        ("run_id", Arc::new(Int64Array::from(vec![5, 6]))),
        ("job_id", Arc::new(StringArray::from(vec!["x", "y"]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.parquet");
    let mut writer = ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let expected = concat!(
        r#"{"run_id":"5","job_id":"x","attempt":2,"needs":["a"],"finished_at":"2026-07-01T12:00:00Z"}"#,
        "\n",
        r#"{"run_id":"6","job_id":"y","attempt":1}"#,
        "\n"
    );
    assert_eq!(rows(&path), [(Table::Job, expected.to_owned())]);
}

#[test]
fn large_files_come_in_parts() {
    let line = format!(r#"{{"repo":"r","sha":"abc","message":"{}"}}"#, "m".repeat(1 << 20));
    let folder = folder(&[("commits.jsonl", &[line.as_str(); 10].join("\n"))]);
    let chunks = rows(&folder.path().join("commits.jsonl"));
    assert!(chunks.len() >= 3 && chunks.iter().all(|(_, chunk)| chunk.len() <= CHUNK));
    assert_eq!(chunks.iter().map(|(_, chunk)| chunk.lines().count()).sum::<usize>(), 10);
}

#[test]
fn errors_name_the_place_and_what_was_meant() {
    let good = r#"{"run_id":"1","job_id":"2"}"#;
    for (files, path, expected) in [
        (vec![("readme.md", "")], "", "has no file named by a table"),
        (vec![("deploymnets.csv", "")], "", "did you mean `deployments`?"),
        (vec![("jobs.ndjson", good), ("comits.csv", "")], "", "did you mean `commits`?"),
        (vec![("deployment.json", "")], "deployment.json", "did you mean `deployments`?"),
        (vec![("deployments.xml", "")], "deployments.xml", "is not named by a table"),
        (vec![], "jobs.csv", "cannot be read"),
        (
            vec![("jobs.ndjson", &format!("{good}\n\n{{\"run_id\":\"1\",\n\"job\":3}}"))],
            "jobs.ndjson",
            "line 3: unknown column `job` in `jobs`",
        ),
        (vec![("jobs.ndjson", &format!("{good}\n{{\"run_id\":\"1\",]"))], "jobs.ndjson", "line 2, column 15: "),
        (
            vec![("jobs.json", &format!("[{good},\n {good},\n  {{\"run_id\":\"1\"}}]"))],
            "jobs.json",
            "line 3: column `job_id` of `jobs` is missing",
        ),
        (vec![("jobs.json", &format!("[{good},\n {good} {good}]"))], "jobs.json", "line 2, column 30: expected `,` or `]`"),
        (vec![("jobs.json", &format!("[{good},\n {good}"))], "jobs.json", "line 2, column 29: "),
        (vec![("jobs.json", "[\n  {\"run_id\" 5}")], "jobs.json", "line 2, column 13: expected `:`"),
        (vec![("jobs.csv", "run_id,job_idd\n")], "jobs.csv", "unknown column `job_idd` in `jobs`, did you mean `job_id`?"),
        (vec![("jobs.csv", "run_id,tenant\n")], "jobs.csv", "`tenant` is set by Flowgauge"),
        (vec![("jobs.csv", "run_id,run_id\n")], "jobs.csv", "`run_id` is there twice"),
        (
            vec![("jobs.csv", "run_id,job_id,attempt\n1,\"a\nb\",1\n1,2,x\n")],
            "jobs.csv",
            "line 4: column `attempt`: expected int64, found `x`",
        ),
        (vec![("jobs.csv", "run_id,job_id\n1,2,3\n")], "jobs.csv", "jobs.csv"),
        (vec![("jobs.parquet", "PAR1")], "jobs.parquet", "jobs.parquet"),
    ] {
        let folder = folder(&files);
        let error = read_file(&folder.path().join(path)).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{expected}: {error}");
    }
}

#[test]
fn an_empty_list_has_no_rows() {
    assert!(rows(&folder(&[("jobs.json", "[ ]\n")]).path().join("jobs.json")).is_empty());
}

#[test]
fn hostile_files_never_panic() {
    for text in ["", "\u{feff}", "[", "{}", "null", "a,b\n\"", "\0\0", ",,,\n,,,\n", "[[[[[]]]]]", "{\"a\":1e999}"] {
        for name in ["jobs.ndjson", "jobs.csv", "jobs.parquet"] {
            let _ = read_file(&folder(&[(name, text)]).path().join(name));
        }
    }
}
