//! The JSON API: contract shapes, words that are not known, forms of rows.

use crate::support::{Server, sha};
use arrow::array::AsArray;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_catalogue_says_what_can_be_asked() {
    let server = Server::start().await;
    let catalogue = server.json("/api/v1/metrics").await;
    let lead_time = catalogue["data"].as_array().unwrap().iter().find(|metric| metric["id"] == "lead_time").unwrap();
    assert_eq!(keys(lead_time), ["id", "title", "unit", "better", "definition", "dimensions", "hash"]);
    assert_eq!((lead_time["unit"].as_str(), lead_time["better"].as_str()), (Some("s"), Some("down")));
    assert_eq!(lead_time["dimensions"], json!(["environment", "service", "team"]));
    assert!(lead_time["hash"].as_str().unwrap().starts_with("sha256:"));
}

#[tokio::test]
async fn an_answer_has_the_contract_shape() {
    let (server, _) = Server::with_shop().await;
    let answer = server.json("/api/v1/metrics/lead_time?by=service&from=now-30d").await;
    assert_eq!(keys(&answer), ["metric", "unit", "preset", "definition", "window", "series", "computed_at", "data_as_of"]);
    assert_eq!(keys(&answer["window"]), ["from", "to", "as_of", "bucket", "tz"]);
    assert_eq!(answer["series"][0]["labels"], json!({"service": "checkout"}));
    let point = &answer["series"][0]["points"][0];
    let members = [
        "start",
        "end",
        "partial",
        "value",
        "n",
        "numerator",
        "denominator",
        "quantiles",
        "ci",
        "status",
        "excluded",
        "coverage",
        "detail",
        "explain",
    ];
    assert_eq!(keys(point), members);
    assert_eq!((point["value"].as_f64(), point["status"].as_str(), point["numerator"].is_null()), (Some(36_000.0), Some("ok"), true));

    let rows = server.json("/api/v1/metrics/lead_time?by=service&from=now-30d&format=rows").await;
    assert_eq!(
        (rows[0]["metric"].as_str(), rows[0]["service"].as_str(), rows[0]["value"].as_f64()),
        (Some("lead_time"), Some("checkout"), Some(36_000.0))
    );

    let csv = server.get_as("/api/v1/metrics/lead_time?by=service&from=now-30d", "text/csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let mut lines = csv.text().lines();
    let head =
        "metric,service,start,end,partial,value,n,numerator,denominator,p50,p75,p90,ci_lo,ci_hi,ci_method,status,excluded,coverage,detail";
    assert_eq!(lines.next(), Some(head));
    assert!(lines.next().unwrap().starts_with("lead_time,checkout,"));
}

#[tokio::test]
async fn what_is_not_known_is_named() {
    let server = Server::start().await;
    for (address, status, words) in [
        ("/api/v1/metrics/lead_tme", 404, "did you mean `lead_time`?"),
        ("/api/v1/metrics/lead_time?servise=a", 400, "unknown parameter `servise`, did you mean `service`?"),
        ("/api/v1/metrics/lead_time?by=color", 400, "`color`"),
        ("/api/v1/metrics/lead_time?format=xml", 400, "json, csv, rows"),
        ("/api/v1/scorecard?by=color", 400, "team or service"),
        ("/api/v1/deployments?servise=a", 400, "did you mean `service`?"),
        ("/api/v1/deployments?limt=a", 400, "did you mean `limit`?"),
        ("/api/v1/deployments?limit=1001", 400, "1 to 1000"),
        ("/api/v1/deployments?order=up", 400, "asc or desc"),
        ("/api/v1/deployments?sort=finished", 400, "`finished`"),
        ("/api/v1/deployments?from=tomorrow", 400, "`from`"),
        ("/api/v1/deployments?counted=perhaps", 400, "true or false"),
        ("/api/v1/deployments?cursor=100.abc", 400, "next_cursor"),
        ("/api/v1/deployments?tenant=other", 400, "unknown parameter `tenant`"),
        ("/api/v1/sources?kind=a", 400, "`kind`"),
        ("/api/v1/deployment", 404, "/api/v1/deployment"),
        ("/api/v1/metrics/lead_time/more", 404, "/openapi.json"),
        ("/api/v1/raw/zz", 404, "32 hex digits"),
        ("/api/v1/raw/00000000000000000000000000000000", 404, "no event"),
        ("/api/v1/explain/abc", 400, "what stands as `explain` beside a value"),
        ("/api/v1/sql", 405, "GET"),
    ] {
        let detail = server.problem(address, status).await;
        assert!(detail.contains(words), "{address}: {detail}");
    }
}

#[tokio::test]
async fn the_scorecard_has_the_five_for_every_team_or_service() {
    let (server, _) = Server::with_shop().await;
    let card = server.json("/api/v1/scorecard").await;
    assert_eq!(card["data"][0]["labels"], json!({"service": "checkout", "team": "payments"}));
    let five = ["deployment_frequency", "lead_time", "change_fail_rate", "recovery_time", "rework_rate"];
    assert_eq!(keys(&card["data"][0]["metrics"]), five);
    assert_eq!(card["data"][0]["metrics"]["lead_time"]["value"], 36_000.0);
    assert_eq!(card["window"]["bucket"], "none");
    let alone = server
        .json(&format!(
            "/api/v1/metrics/change_fail_rate?service=checkout&from={}&to={}",
            card["window"]["from"].as_str().unwrap(),
            card["window"]["to"].as_str().unwrap()
        ))
        .await;
    assert_eq!(alone["series"][0]["points"][0]["value"], card["data"][0]["metrics"]["change_fail_rate"]["value"]);

    let by_team = server.json("/api/v1/scorecard?by=team&bucket=week&from=now-28d").await;
    assert_eq!(by_team["data"][0]["labels"], json!({"team": "payments"}));
    assert!(by_team["data"][0]["metrics"]["rework_rate"]["points"].as_array().unwrap().len() >= 4);
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let (server, shop) = Server::with_shop().await;
    let all = server.json("/api/v1/deployments").await;
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|row| row["deployment_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&all).len(), ids(&all)[0].as_str(), &all["next_cursor"]), (19, "d19", &Value::Null));
    assert_eq!(all["data"][0]["finished_at"], shop.ago(48));
    assert!(all["data"][0].as_object().unwrap().contains_key("recovered_at"));

    let mut paged = Vec::new();
    let mut address = "/api/v1/deployments?service=checkout&sort=version&order=asc&limit=7".to_owned();
    loop {
        let reply = server.get(&address).await;
        let page = reply.json();
        paged.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let link = reply.header("link");
        let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).expect("a link");
        assert!(next.contains(cursor));
        next.clone_into(&mut address);
    }
    let mut expected: Vec<String> = (1..=19).map(|n| format!("d{n}")).collect();
    expected.sort_by_key(|id| id.replace('d', "1."));
    assert_eq!(paged, expected);

    let first = server.json("/api/v1/deployments?limit=5").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert!(server.problem(&format!("/api/v1/deployments?limit=6&cursor={cursor}"), 400).await.contains("same question"));

    assert_eq!(ids(&server.json("/api/v1/deployments?from=now-5d&to=now-3d").await), ["d18"]);
    assert_eq!(ids(&server.json(&format!("/api/v1/deployments?sha={}&sha={}", sha(3), sha(4))).await), ["d4", "d3"]);
    assert_eq!(ids(&server.json("/api/v1/deployments?counted=false").await).len(), 0);
    let runs = server.json("/api/v1/runs?result=failure").await;
    assert_eq!((runs["data"][0]["run_id"].as_str(), runs["data"].as_array().unwrap().len()), (Some("r5"), 1));
    assert_eq!(server.json("/api/v1/changes?labels=b").await["data"][0]["change_id"], "7");
    assert_eq!(server.json("/api/v1/changes?labels=c").await["data"], json!([]));
    for name in ["incidents", "jobs", "drift", "applications"] {
        assert!(!server.json(&format!("/api/v1/{name}")).await["data"].as_array().unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn rows_come_in_four_forms() {
    let (server, _) = Server::with_shop().await;
    let csv = server.get_as("/api/v1/changes", "text/csv").await;
    let mut lines = csv.text().lines();
    assert!(lines.next().unwrap().starts_with("tenant,repo,change_id,title,"));
    let row = lines.next().unwrap();
    // No cell is run by a spreadsheet; numbers stay numbers; lists are JSON.
    assert!(row.contains("\"'=HYPERLINK(\"\"evil\"\")\""), "{row}");
    assert!(row.contains("\"[\"\"a\"\",\"\"b\"\"]\""), "{row}");

    let arrow = server.get("/api/v1/changes?format=arrow").await;
    assert_eq!(arrow.header("content-type"), "application/vnd.apache.arrow.stream");
    let batches: Vec<_> = arrow::ipc::reader::StreamReader::try_new(arrow.body.as_slice(), None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches[0].column_by_name("change_id").unwrap().as_string::<i32>().value(0), "7");

    let parquet = server.get_as("/api/v1/changes", "application/vnd.apache.parquet").await;
    assert_eq!(parquet.header("content-type"), "application/vnd.apache.parquet");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(parquet.body), 1024).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1);
}

#[tokio::test]
async fn sql_reads_and_nothing_else() {
    let (server, _) = Server::with_shop().await;
    let ask = async |body: Value| server.post("/api/v1/sql", body.to_string()).await;
    let rows =
        ask(json!({"query": "select outcome, count(*) as n, max(finished_at) is null as never from deployment_facts group by outcome"}))
            .await;
    assert_eq!(rows.json(), json!([{"outcome": "success", "n": 19, "never": false}]));
    assert_eq!(ask(json!({"query": "select 1 as one where false"})).await.json(), json!([]));
    let log = ask(json!({"query": "select count(*) as n, count(distinct event_id) as ids from raw_events"})).await;
    assert!(log.json()[0]["n"].as_u64().is_some_and(|n| n > 0), "{}", log.text());
    let counted = ask(json!({"query": "select count(*) as n from raw_events"})).await;
    assert_eq!(counted.json()[0]["n"], log.json()[0]["n"]);
    let metric = ask(json!({"query": "select value from metric('lead_time', 'now-30d')"})).await;
    assert_eq!(metric.json(), json!([{"value": 36_000.0}]));
    for query in ["drop table deployments", "select nothing from deployments", "copy deployments to '/tmp/x'", "selec"] {
        let reply = ask(json!({"query": query})).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (StatusCode::BAD_REQUEST, "application/problem+json"),
            "{query}: {}",
            reply.text()
        );
    }
    assert_eq!(ask(json!({"querry": "select 1"})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.post("/api/v1/sql", "select 1").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn sources_tell_what_came_and_what_was_refused() {
    let config =
        "[[source]]\nname = \"gh\"\nkind = \"github\"\nsecret_file = \"secret\"\n[server]\npublic_url = \"https://flow.acme.io/\"\n";
    let server = Server::with(config, &[("secret", "hush")]).await;
    server.rows("services", &[json!({"service": "a"})]).await;
    server.post("/hooks/gh", "{}").await;
    server.post("/hooks/nobody", "{}").await;
    let sources = server.json("/api/v1/sources").await;
    let of = |name: &str| sources["data"].as_array().unwrap().iter().find(|source| source["name"] == name).cloned().unwrap();
    let own = of("import");
    assert_eq!((own["total"].as_u64(), own["configured"].as_bool()), (Some(1), Some(false)));
    let events = own["events"].as_object().unwrap();
    assert_eq!(keys(events.values().next().unwrap()), ["count", "problems", "unknown", "last_received_at", "last_problem"]);
    let gh = of("gh");
    assert_eq!(
        (gh["kind"].as_str(), gh["hook"].as_str(), gh["total"].as_u64()),
        (Some("github"), Some("https://flow.acme.io/hooks/gh"), Some(0))
    );
    assert_eq!((gh["configured"].as_bool(), gh["last_refusal"]["count"].as_u64()), (Some(true), Some(1)));
    assert_eq!(sources["refused_unknown"]["reason"], "unknown_source");
}

#[tokio::test]
async fn every_described_address_answers_and_wants_a_token() {
    let config = "[server]\nlisten = \"0.0.0.0:8080\"\n[[reader]]\nname = \"grafana\"\ntoken_file = \"token\"\n";
    let server = Server::with(config, &[("token", "let-me-in\n")]).await;
    let call = async |method: &str, path: &str, token: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        server.call(request.body(Body::from("{}")).unwrap()).await
    };
    let document = call("GET", "/openapi.json", Some("let-me-in")).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        let method = item.as_object().unwrap().keys().next().unwrap().to_uppercase();
        let address = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
        let reply = call(&method, &address, None).await;
        let is_open = ["/healthz", "/readyz"].contains(&address.as_str());
        assert_eq!(reply.status, if is_open { StatusCode::OK } else { StatusCode::UNAUTHORIZED }, "{address}");
        if path.starts_with("/hooks") {
            continue;
        }
        let reply = call(&method, &address, Some("let-me-in")).await;
        assert!(![StatusCode::UNAUTHORIZED, StatusCode::METHOD_NOT_ALLOWED].contains(&reply.status), "{address}");
        assert!(!reply.text().contains("/openapi.json lists"), "{address} is described and does not exist");
    }
    assert_eq!(call("GET", "/api/v1/nothing", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(call("GET", "/api/v1/metrics", Some("let-me-out")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn probes() {
    let server = Server::start().await;
    assert_eq!(server.json("/healthz").await["status"], "ok");
    assert_eq!(server.json("/readyz").await, json!({"ready": true, "checks": {"journal": "ok", "facts": "ok"}}));
}

#[tokio::test]
async fn a_value_opens_down_to_the_bytes() {
    let (server, _) = Server::with_shop().await;
    let answer = server.json("/api/v1/metrics/change_fail_rate?by=service&from=now-30d").await;
    let point = &answer["series"][0]["points"][0];
    let address = point["explain"].as_str().expect("an address");
    let explanation = server.json(address).await;
    assert_eq!((&explanation["point"]["value"], &explanation["then"]["value"]), (&point["value"], &point["value"]));
    assert_eq!((&explanation["is_same"], &explanation["labels"]), (&json!(true), &json!({"service": "checkout"})));
    assert!(explanation["sql"].as_str().unwrap().contains("from scope"));
    let rows = explanation["rows"].as_array().unwrap();
    let of = |what: &str| rows.iter().filter(|row| row["row"]["what"] == what).count() as i64;
    assert_eq!(Some(of("deployment")), point["n"].as_i64());
    let failure = rows.iter().find(|row| row["row"]["what"] == "failure").expect("a failure");
    assert_eq!((&failure["about"][0]["key"], &failure["about"][1]["key"]), (&json!(["d10"]), &json!(["i1"])));
    let raw = failure["about"][1]["raw_events"][0].as_str().expect("a raw event");
    assert!(server.json(&format!("/api/v1/raw/{raw}")).await["body"].as_str().unwrap().contains("\"i1\""));

    // Page by page the same rows.
    let first = server.json(&format!("{address}?limit=5")).await;
    assert_eq!((first["rows"].as_array().unwrap().len(), &first["next_offset"]), (5, &json!(5)));
    let second = server.json(&format!("{address}?limit=1000&offset=5")).await;
    assert_eq!((second["rows"].as_array().unwrap().len() + 5, &second["next_offset"]), (rows.len(), &Value::Null));

    // Something new comes in: what was answered then and what is true now stand side by side.
    let verdict = json!({"verdict_id": "v", "deployment_id": "d10", "failed": false, "decided_at": "2020-01-01T00:00:00Z"});
    server.rows("verdicts", &[verdict]).await;
    let later = server.json(address).await;
    assert_eq!((&later["is_same"], &later["then"]["value"]), (&json!(false), &point["value"]));
    assert!(later["point"]["value"].as_f64() < point["value"].as_f64());
    assert_eq!(server.json("/api/v1/deployments/d10").await["verdicts"][0]["verdict_id"], "v");
}

#[tokio::test]
async fn one_source_shows_what_it_sent() {
    let (server, _) = Server::with_shop().await;
    let sent =
        server.rows("measurements", &[json!({"measurement_id": "m", "name": "p99", "value": 1.5, "at": "2026-01-01T00:00:00Z"})]).await;
    let source = server.json("/api/v1/sources/import").await;
    assert_eq!((&source["data"]["name"], &source["raw_events"][0]["event_id"]), (&json!("import"), &json!(sent)));
    assert!(server.problem("/api/v1/sources/imprt", 404).await.contains("did you mean `import`?"));
    let href = source["raw_events"][0]["href"].as_str().expect("an address");
    assert_eq!(server.json(href).await["source"], "import");
    assert_eq!(source["raw_events"].as_array().unwrap().len() as u64, source["data"]["total"].as_u64().unwrap());
}

/// A cookie comes along for whatever page a browser shows; a bearer's token does not.
#[tokio::test]
async fn rows_from_a_page_of_another_site_are_refused() {
    let config = "[server]\npublic_url = \"https://flow.example\"\n[[reader]]\nname = \"w\"\ntoken_file = \"token\"\nscope = \"write\"\n";
    let server = Server::with(config, &[("token", "secret-of-the-writer")]).await;
    let post = async |headers: &[(&str, &str)]| {
        let mut request = Request::post("/v1/events/measurements").header("host", "127.0.0.1:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let row = json!({"measurement_id": "m", "name": "p99", "value": 1.5, "at": "2026-01-01T00:00:00Z"});
        server.call(request.body(Body::from(row.to_string())).expect("a request")).await
    };
    let cookie = ("cookie", &*format!("flowgauge_token={}", hex::encode("secret-of-the-writer")));
    for (headers, status) in [
        (&[cookie, ("origin", "https://evil.example")][..], 403),
        (&[cookie, ("origin", "https://flow.example"), ("sec-fetch-site", "same-site")], 403),
        (&[cookie, ("origin", "null")], 403),
        (&[cookie, ("origin", "https://flow.example")], 200),
        (&[cookie, ("origin", "http://127.0.0.1:8080")], 200),
        (&[cookie], 200),
        (&[("authorization", "Bearer secret-of-the-writer"), ("origin", "https://evil.example")], 200),
        (&[("origin", "https://evil.example")], 403),
    ] {
        let reply = post(headers).await;
        assert_eq!(reply.status.as_u16(), status, "{headers:?}: {}", reply.text());
        assert_eq!(status == 403, reply.text().contains("another site"), "{headers:?}: {}", reply.text());
    }
    assert_eq!(post(&[]).await.status, StatusCode::UNAUTHORIZED);
}

/// Most sources tell of reviews one by one, not of the first of a change.
#[tokio::test]
async fn the_parts_of_review_time_come_from_reviews() {
    let server = Server::start().await;
    let change = json!({
        "repo": "git.example/shop/cart", "change_id": "1", "author": "ann", "opened_at": "2026-06-01T08:00:00Z", "merged_at": "2026-06-01T18:00:00Z",
    });
    server.rows("changes", &[change]).await;
    let review = |id: &str, actor: &str, is_bot: bool, state: &str, hour: u32| {
        json!({
            "repo": "git.example/shop/cart", "change_id": "1", "review_id": id, "actor": actor, "actor_is_bot": is_bot, "state": state,
            "submitted_at": format!("2026-06-01T{hour:02}:00:00Z"),
        })
    };
    // The author's own word and the robot's are no review: the first is bob's, 3 h after the opening. Approved last 4 h later, by cid;
    // what was approved after the merge is no part of it. 3 h until the merge.
    let reviews = [
        review("1", "ann", false, "commented", 9),
        review("2", "robot", true, "approved", 10),
        review("3", "bob", false, "commented", 11),
        review("4", "cid", false, "approved", 15),
        review("5", "bob", false, "approved", 19),
    ];
    server.rows("reviews", &reviews).await;
    let answer = server.json("/api/v1/metrics/review_time?from=2026-06-01&to=2026-06-02").await;
    let point = &answer["series"][0]["points"][0];
    assert_eq!(point["value"], 36_000.0);
    let parts = ["pickup", "review", "merge_wait"].map(|part| point["detail"][part].as_f64());
    assert_eq!(parts, [Some(10_800.0), Some(14_400.0), Some(10_800.0)]);
}
