//! The ledger's list, the pages of one deployment and one incident, and what people say on them.

use crate::pages::{HOSTILE, Page, check, days_ago, get, open, send, shop, show};
use crate::support::Server;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

const READERS: &str = "[[reader]]\nname = \"ada\"\ntoken_file = \"token\"\nscope = \"write\"\n\
                       [[reader]]\nname = \"guest\"\ntoken_file = \"guest\"\n";

async fn with_readers() -> Server {
    Server::with(READERS, &[("token", "sesame"), ("guest", "lookout")]).await
}

fn request(method: &str, address: &str, reader: Option<&str>) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(address).header(header::HOST, "flow.example:8080");
    match reader {
        Some(token) => request.header(header::COOKIE, format!("flowgauge_token={}", hex(token))),
        None => request,
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

async fn show_as(server: &Server, address: &str, reader: &str) -> Page {
    let page = send(server, request("GET", address, Some(reader)).body(Body::empty()).expect("a request")).await;
    assert_eq!(page.status, StatusCode::OK, "{address}: {}", page.text);
    page
}

/// The token of the form on a page.
fn token(page: &Page) -> String {
    page.attributes("form.verdict input[name=token]", "value").into_iter().next().unwrap_or_else(|| panic!("no form: {}", page.text))
}

fn form(fields: &[(&str, &str)]) -> Body {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()))
        .collect();
    Body::from(pairs.join("&"))
}

/// Sends the form of a page as a browser would.
async fn say(server: &Server, address: &str, fields: &[(&str, &str)]) -> Page {
    let token = token(&show(server, address).await);
    let fields: Vec<(&str, &str)> =
        [("token", token.as_str()), ("name", "Ada Lovelace")].into_iter().chain(fields.iter().copied()).collect();
    send(server, request("POST", address, None).header(header::ORIGIN, "http://flow.example:8080").body(form(&fields)).expect("a request"))
        .await
}

async fn fail_rate(server: &Server) -> Value {
    let address = "/api/v1/metrics/change_fail_rate?from=now-90d&service=checkout";
    let answer: Value = serde_json::from_str(&show(server, address).await.text).expect("JSON");
    answer["series"][0]["points"][0]["numerator"].clone()
}

#[tokio::test]
async fn a_deployment_tells_what_it_was_and_how_it_went() {
    let server = open("").await;
    shop(&server).await;
    let young = json!({"deployment_id": "d-young", "service": "checkout", "environment": "production", "version": "2.0.0",
        "finished_at": days_ago(&server, 0.5), "outcome": "success"});
    server.rows("deployments", &[young]).await;
    let page = show(&server, "/deployments/d4?source=import").await;
    check("/deployments/d4", &page);
    assert_eq!(page.text("h1"), "Deployment of checkout to production");
    assert_eq!(page.text("section[aria-labelledby=state] .value"), "✗ failed");
    assert_eq!(page.text("section[aria-labelledby=what] .value"), "release");
    // Deployed 30 days ago; the incident began 29.9 days ago, 2.4 hours later, and took 2.4 hours.
    assert_eq!(page.texts("#failures tbody th"), ["incident INC-7"]);
    assert_eq!(page.texts("#incidents tbody td:nth-last-child(-n+2)"), ["latest deployment", "2 h 24 min"]);
    assert_eq!(page.attributes("#incidents tbody th a", "href"), ["/incidents/INC-7?source=import"]);
    assert!(page.texts("section[aria-labelledby=state] .better").contains(&"✓ recovered".to_owned()));
    assert_eq!(page.texts("section[aria-labelledby=brought] tbody th"), ["00000000"]);
    assert_eq!(page.attributes("section[aria-labelledby=brought] tbody code", "title"), [format!("{:040x}", 5)]);
    assert_eq!(page.texts("section[aria-labelledby=brought] tbody td").first().map(String::as_str), Some("a change"));
    assert!(page.text("section[aria-labelledby=brought] tbody").contains("1 d 6 h"));
    let pairs = page.texts("section[aria-labelledby=what] .pairs div");
    assert!(
        pairs.iter().any(|pair| pair.starts_with("Replaced d3")) && pairs.iter().any(|pair| pair.starts_with("Replaced by d5")),
        "{pairs:?}"
    );
    let raw = page.attributes("section[aria-labelledby=raw] a", "href").remove(0);
    assert!(show(&server, &raw).await.text.contains("d4"));

    let state = async |id: &str| show(&server, &format!("/deployments/{id}")).await.text("section[aria-labelledby=state] .value");
    assert_eq!((state("d6").await, state("d-young").await), ("✓ ok".to_owned(), "… pending".to_owned()));
    let first = show(&server, "/deployments/d0").await;
    assert_eq!(first.text("section[aria-labelledby=what] .value"), "bootstrap");
    assert!(first.text("section[aria-labelledby=brought] .empty").contains("first of its environment"));
    let again = show(&server, "/deployments/d-again").await;
    assert_eq!(again.text("section[aria-labelledby=what] .value"), "no op");

    assert_eq!(get(&server, "/deployments/nothing").await.status, StatusCode::NOT_FOUND);
    let other = json!({"deployment_id": "d4", "source": "other", "service": "cart", "environment": "production", "outcome": "success", "finished_at": days_ago(&server, 3.0)});
    server.rows("deployments", &[other]).await;
    let which = get(&server, "/deployments/d4").await;
    assert_eq!(which.status, StatusCode::CONFLICT);
    assert_eq!(which.attributes("main li a", "href")[..2], ["/deployments/d4?source=import", "/deployments/d4?source=other"]);
}

#[tokio::test]
async fn the_ledger_lists_what_does_not_count_and_why() {
    let server = open("").await;
    let at = |minutes: f64| days_ago(&server, 5.0 - minutes / 1440.0);
    let row = |id: &str, environment: &str, minutes: f64, more: Value| {
        let mut row = json!({"deployment_id": id, "service": "checkout", "environment": environment, "outcome": "success", "finished_at": at(minutes)});
        for (name, value) in more.as_object().expect("columns") {
            row[name] = value.clone();
        }
        row
    };
    server
        .rows(
            "deployments",
            &[
                row("job", "prod", 0.0, json!({"evidence": "job", "sha": "aa"})),
                row("object", "prod", 1.0, json!({"evidence": "deployment", "sha": "aa"})),
                row("sync", "prod", 9.0, json!({"evidence": "gitops_sync", "version": "1"})),
                row("eu", "prod-eu", 60.0, json!({"version": "7"})),
                row("us", "prod-us", 70.0, json!({"version": "7"})),
            ],
        )
        .await;
    let heal = json!({"app": "checkout-prod", "observed_at": at(100.0), "service": "checkout", "environment": "prod", "op_started_at": at(99.0),
        "op_self_heal": true, "sync_status": "Synced"});
    server.rows("gitops_observations", &[heal]).await;
    let page = show(&server, "/deployments").await;
    check("/deployments", &page);
    let classes = page.texts("table.list tbody td:nth-child(5)");
    assert_eq!(classes.len(), 6);
    for (place, words) in [
        (0, "self heal the controller put back what was there"),
        (1, "fan out member the version of eu in prod-eu, in one more environment part of eu"),
        (2, "bootstrap"),
        (3, "release"),
        (4, "bootstrap"),
        (5, "duplicate evidence"),
    ] {
        assert!(classes[place].starts_with(words), "{place}: {}", classes[place]);
    }
    // Suspected duplicates lead to each other, evidence to what it tells of.
    let links = |place: usize| page.attributes(&format!("table.list tbody tr:nth-child({}) td:nth-child(5) a", place + 1), "href");
    assert!(classes[3].contains("▲ may be the same as object") && classes[4].contains("▲ may be the same as sync"), "{classes:?}");
    assert_eq!(
        (links(3), links(4)),
        (vec!["/deployments/object?source=import".to_owned()], vec!["/deployments/sync?source=import".to_owned()])
    );
    assert_eq!(links(5), ["/deployments/object?source=import"]);
    let suspected = show(&server, "/deployments/sync").await;
    assert_eq!(suspected.attributes(".notice a", "href"), ["/deployments/object?source=import"]);
    let duplicate = show(&server, "/deployments/job").await;
    assert!(duplicate.text(".notice").contains("tells again of the deployment object"));
    assert_eq!(duplicate.text("section[aria-labelledby=what] .value"), "duplicate evidence");

    let excluded = show(&server, "/deployments?counted=false").await;
    assert_eq!(excluded.texts("table.list tbody tr").len(), 3);
    assert_eq!(show(&server, "/deployments?counted=true").await.texts("table.list tbody tr").len(), 3);
    let one = show(&server, "/deployments?class=fan_out_member&class=self_heal").await;
    assert_eq!(one.texts("table.list tbody tr").len(), 2);
    let files = one.attributes(".head .links a", "href");
    let rows: Value = serde_json::from_str(&show(&server, &files[0]).await.text).expect("JSON");
    let column = |name: &str| -> Vec<&str> {
        rows["data"].as_array().expect("rows").iter().map(|row| row[name].as_str().unwrap_or_default()).collect()
    };
    assert_eq!((column("class"), column("deployment_group")), (vec!["self_heal", "fan_out_member"], vec!["", "eu"]));
    assert_eq!(show(&server, &files[1]).await.text.lines().count(), 3);
    assert!(get(&server, "/deployments?class=fan_out_membr").await.text("#problem").contains("did you mean"));
    // The list of deployments has the class and the suspicion too.
    let api: Value = serde_json::from_str(&show(&server, "/api/v1/deployments?class=bootstrap&sort=finished_at").await.text).expect("JSON");
    let ids: Vec<&str> = api["data"].as_array().expect("rows").iter().map(|row| row["deployment_id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["eu", "object"]);
    assert_eq!(api["data"][1]["suspected_duplicate_of"], json!(["sync"]));
}

#[tokio::test]
async fn a_verdict_is_given_shown_and_taken_back() {
    let server = open("").await;
    shop(&server).await;
    let address = "/deployments/d4?source=import";
    assert_eq!(fail_rate(&server).await, json!(1.0));
    let answer = say(&server, address, &[("said", "not_failed"), ("reason", "the <b>network</b> was down")]).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/deployments/d4?source=import#verdicts"));
    let page = show(&server, address).await;
    check(address, &page);
    assert_eq!(page.text("section[aria-labelledby=state] .value"), "✓ ok");
    let said = page.texts("section[aria-labelledby=verdicts] tbody tr");
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("did not fail the <b>network</b> was down"), "{said:?}");
    assert_eq!(fail_rate(&server).await, json!(0.0));
    // Rows hold a pseudonym of 16 digits, the raw event the name as it was given.
    let who = page.text("section[aria-labelledby=verdicts] tbody code");
    assert!(who.len() == 16 && who.bytes().all(|byte| byte.is_ascii_hexdigit()) && !page.text.contains("Ada"), "{who}");
    let raw = page.attributes("section[aria-labelledby=verdicts] tbody a", "href").remove(0);
    let event: Value = serde_json::from_str(&show(&server, &raw).await.text).expect("JSON");
    assert_eq!((event["kind"].as_str(), event["source"].as_str()), (Some("flowgauge"), Some("import")));
    assert!(event["body"].as_str().expect("a body").contains("Ada Lovelace"));

    assert!(page.texts("form.verdict button").contains(&"Take back".to_owned()));
    say(&server, address, &[("said", "take_back")]).await;
    let page = show(&server, address).await;
    assert_eq!(page.text("section[aria-labelledby=state] .value"), "✗ failed");
    assert_eq!(page.texts("section[aria-labelledby=verdicts] tbody tr").len(), 2);
    assert_eq!(page.texts("form.verdict button"), ["Say so"]);
    assert_eq!(fail_rate(&server).await, json!(1.0));

    say(&server, address, &[("said", "kind:hotfix")]).await;
    assert_eq!(show(&server, address).await.text("section[aria-labelledby=what] .value"), "hotfix");
    say(&server, "/deployments/d6", &[("said", "failed")]).await;
    let failed = show(&server, "/deployments/d6").await;
    assert_eq!(failed.texts("#failures tbody th"), ["verdict"]);
    for (fields, words) in [
        (&[("said", "kind:party")][..], "nothing that can be said"),
        (&[("said", "no_deployment")], "nothing that can be said"),
        (&[("said", "failed"), ("name", " ")], "say who you are"),
    ] {
        let answer = say(&server, address, fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{fields:?}");
        assert!(answer.text("#problem").contains(words), "{fields:?}: {}", answer.text("#problem"));
    }
}

#[tokio::test]
async fn an_incident_is_charged_by_rule_and_by_people() {
    let server = open("").await;
    shop(&server).await;
    let lonely = json!({"incident_id": "INC-8", "title": "nobody knows", "started_at": days_ago(&server, 12.0)});
    server.rows("incidents", &[lonely]).await;
    let list = show(&server, "/incidents").await;
    check("/incidents", &list);
    assert_eq!(list.texts("table.list tbody td:nth-child(2)"), ["INC-8", "INC-7"]);
    assert_eq!(list.texts("table.list tbody td:nth-child(7)"), ["no service", "latest deployment"]);
    assert_eq!(list.texts("table.list tbody td:nth-child(8)"), ["", "2 h 24 min"]);
    assert_eq!(list.text("#summary"), "2 incidents in production, 1 of them charged to no deployment. Show these");
    let none = show(&server, &list.attributes("#summary a", "href").remove(0)).await;
    assert_eq!(none.texts("table.list tbody td:nth-child(2)"), ["INC-8"]);
    assert_eq!(show(&server, &none.attributes(".head .links a", "href").remove(1)).await.text.lines().count(), 2);
    assert_eq!(
        show(&server, "/incidents?service=checkout").await.text("#summary"),
        "1 incident in production, 0 of them charged to no deployment."
    );

    let address = "/incidents/INC-7?source=import";
    let page = show(&server, address).await;
    check(address, &page);
    assert_eq!(page.text("section[aria-labelledby=cause] .value"), "d4");
    assert!(page.text("section[aria-labelledby=cause] .pairs").contains("it began 2 h 24 min after the deployment"));
    // The form proposes what was in production when it began, the latest first.
    assert_eq!(page.attributes("datalist option", "value"), ["d4", "d3", "d2", "d1", "d0"]);
    let answer = say(&server, address, &[("said", "cause"), ("deployment", "d9")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text("#problem").contains("`d9` is no deployment that changed production"));
    assert_eq!(say(&server, address, &[("said", "cause"), ("deployment", "d-staging")]).await.status, StatusCode::BAD_REQUEST);

    say(&server, address, &[("said", "cause"), ("deployment", "d2"), ("reason", "the slow leak")]).await;
    let page = show(&server, address).await;
    assert_eq!(page.text("section[aria-labelledby=cause] .value"), "d2");
    assert!(page.text("section[aria-labelledby=verdicts] tbody").contains("caused by d2 the slow leak"));
    assert_eq!(show(&server, "/deployments/d2").await.text("section[aria-labelledby=state] .value"), "✗ failed");
    assert_eq!(show(&server, "/deployments/d4").await.text("section[aria-labelledby=state] .value"), "✓ ok");
    say(&server, address, &[("said", "no_deployment")]).await;
    let page = show(&server, address).await;
    assert_eq!(page.text("section[aria-labelledby=cause] .value"), "no deployment");
    assert!(page.text("section[aria-labelledby=verdicts] tbody tr").contains("no deployment caused it"));
    say(&server, address, &[("said", "take_back")]).await;
    assert_eq!(show(&server, address).await.text("section[aria-labelledby=cause] .value"), "d4");
}

#[tokio::test]
async fn only_our_own_forms_and_only_writers_are_heard() {
    let server = with_readers().await;
    let row = |id: &str| {
        json!({"deployment_id": id, "service": "checkout", "environment": "production", "version": id, "outcome": "success",
        "finished_at": days_ago(&server, 3.0)})
    };
    let rows = format!("{}\n{}", row("d1"), row("d2"));
    let post = Request::post("/v1/events/deployments").header(header::AUTHORIZATION, "Bearer sesame").body(Body::from(rows));
    assert_eq!(send(&server, post.expect("a request")).await.status, StatusCode::OK);
    server.app.lake().applied().await;
    server.app.engine().refresh();
    let address = "/deployments/d1";
    let page = show_as(&server, address, "sesame").await;
    check(address, &page);
    let (own, guest) = (token(&page), show_as(&server, address, "lookout").await);
    // Who is signed in need not say who they are; who may only read has no form.
    assert!(page.attributes("form.verdict input", "name").iter().all(|name| name != "name"));
    assert!(guest.texts("form.verdict").is_empty() && guest.text("section[aria-labelledby=verdicts] .reason").contains("may read"));
    let post = |reader: Option<&'static str>, origin: &'static str, token: &str| {
        let fields = [("token", token), ("said", "failed"), ("reason", "x")];
        request("POST", address, reader).header(header::ORIGIN, origin).body(form(&fields)).expect("a request")
    };
    let here = "http://flow.example:8080";
    let same_page = token(&show_as(&server, &format!("{address}?source=import"), "sesame").await);
    let other_page = token(&show_as(&server, "/deployments/d2", "sesame").await);
    let altered = own.replace('.', "0.");
    let foreign_site = request("POST", address, Some("sesame")).header("sec-fetch-site", "cross-site").header(header::ORIGIN, here);
    for (what, request) in [
        ("a foreign origin", post(Some("sesame"), "https://evil.example", &own)),
        ("no origin that can be named", post(Some("sesame"), "null", &own)),
        ("a foreign site", foreign_site.body(form(&[("token", &own), ("said", "failed")])).expect("a request")),
        ("a reader that may only read", post(Some("lookout"), here, &own)),
        ("no token", post(Some("sesame"), here, "")),
        ("a token of another page", post(Some("sesame"), here, &other_page)),
        ("a token of another time", post(Some("sesame"), here, &altered)),
        ("a token that is none", post(Some("sesame"), here, "zz.zz")),
    ] {
        let answer = send(&server, request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.text);
        check(what, &answer);
    }
    // Nobody who is not signed in is heard.
    let stranger = send(&server, post(None, here, &own)).await;
    assert_eq!((stranger.status, stranger.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/signin?next=/deployments/d1"));
    let verdicts = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["verdicts"].as_array().expect("verdicts").len();
    assert_eq!(verdicts(&show_as(&server, "/api/v1/deployments/d1", "sesame").await.text), 0);
    // The token belongs to the page, however its address is completed.
    for token in [&own, &same_page] {
        assert_eq!(send(&server, post(Some("sesame"), here, token)).await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(verdicts(&show_as(&server, "/api/v1/deployments/d1", "sesame").await.text), 2);
    // The same form twice is one verdict.
    assert_eq!(send(&server, post(Some("sesame"), here, &own)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(verdicts(&show_as(&server, "/api/v1/deployments/d1", "sesame").await.text), 2);
}

#[tokio::test]
async fn what_people_write_stays_text() {
    let server = open("").await;
    for (i, name) in HOSTILE.iter().enumerate() {
        let id = format!("{name}{i}");
        let row = json!({"deployment_id": id, "service": name, "environment": format!("{name} prod"), "version": name, "outcome": "success",
            "finished_at": days_ago(&server, 3.0), "initiated_by": name});
        server.rows("deployments", &[row]).await;
        let incident =
            json!({"incident_id": name, "services": [name], "title": name, "severity": name, "started_at": days_ago(&server, 2.9)});
        server.rows("incidents", &[incident]).await;
        let verdict = json!({"verdict_id": format!("v{i}"), "deployment_id": id, "failed": true, "reason": name, "actor": name, "decided_at": days_ago(&server, 1.0)});
        server.rows("verdicts", &[verdict]).await;
    }
    let addresses = show(&server, "/deployments").await.attributes("table.list tbody th a", "href");
    assert_eq!(addresses.len(), HOSTILE.len());
    for address in addresses {
        let answer = say(&server, &address, &[("said", "failed"), ("reason", HOSTILE[0]), ("name", HOSTILE[1])]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{address}: {}", answer.text);
        let page = show(&server, &address).await;
        check(&address, &page);
        assert!(!page.text.contains("<script") && !page.text.contains("<img"), "{address}");
        let said = page.texts("section[aria-labelledby=verdicts] tbody td:nth-child(3)");
        assert_eq!((said.len(), said[0].as_str()), (2, HOSTILE[0]), "{address}");
    }
    for address in show(&server, "/incidents").await.attributes("table.list tbody td:nth-child(2) a", "href") {
        let answer = say(&server, &address, &[("said", "cause"), ("deployment", HOSTILE[0])]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{address}");
        check(&address, &answer);
        assert!(!answer.text.contains("<script"), "{address}");
        let page = show(&server, &address).await;
        check(&address, &page);
        assert!(!page.text.contains("<script") && !page.text.contains("<img"), "{address}");
    }
}
