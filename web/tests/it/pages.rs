//! The pages, through the whole router: what they say is what the API says, and what comes from outside stays text.

use crate::support::Server;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use flowgauge_lake::model::Time;
use scraper::{Html, Selector};
use serde_json::{Value, json};

/// Names as nobody should give them.
pub const HOSTILE: [&str; 4] = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a/b?c#d%20'&amp;", "שלום \u{202e}🚀"];

pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

pub async fn open(config: &str) -> Server {
    Server::with(config, &[("token", "sesame")]).await
}

pub async fn send(server: &Server, request: Request<Body>) -> Page {
    let reply = server.call(request).await;
    Page { status: reply.status, text: String::from_utf8_lossy(&reply.body).into_owned(), headers: reply.headers }
}

pub async fn get(server: &Server, address: &str) -> Page {
    send(server, Request::get(address).header(header::HOST, "flow.example:8080").body(Body::empty()).expect("a request")).await
}

pub async fn show(server: &Server, address: &str) -> Page {
    let page = get(server, address).await;
    assert_eq!(page.status, StatusCode::OK, "{address}: {}", page.text);
    page
}

pub fn days_ago(server: &Server, days: f64) -> String {
    Time::from_seconds(server.app.now().micros() / 1_000_000 - (days * 86_400.0) as i64).to_string()
}

impl Page {
    /// The texts of all elements that a selector picks, blanks put together.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let document = Html::parse_document(&self.text);
        let text = |element: scraper::ElementRef<'_>| {
            let nodes: Vec<&str> = element.text().flat_map(str::split_whitespace).collect();
            nodes.join(" ")
        };
        document.select(&Selector::parse(css).expect(css)).map(text).collect()
    }

    pub fn text(&self, css: &str) -> String {
        self.texts(css).into_iter().next().unwrap_or_else(|| panic!("nothing is {css}: {}", self.text))
    }

    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let document = Html::parse_document(&self.text);
        document.select(&Selector::parse(css).expect(css)).filter_map(|element| element.attr(name).map(str::to_owned)).collect()
    }

    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A team with one service: eight releases a week apart, one of which failed, a commit each, and an application that drifted.
pub async fn shop(server: &Server) {
    let sha = |i: usize| format!("{:040x}", i + 1);
    let repo = "git.example/shop/checkout";
    let mut deployments = vec![json!({
        "deployment_id": "d-staging", "service": "checkout", "environment": "staging", "sha": sha(7), "repo": repo, "version": "1.8.0-rc",
        "finished_at": days_ago(server, 2.5), "outcome": "success",
    })];
    let mut commits = Vec::new();
    for i in 0..8 {
        let days = 58.0 - 7.0 * i as f64;
        deployments.push(json!({
            "deployment_id": format!("d{i}"), "service": "checkout", "environment": "production", "sha": sha(i), "repo": repo,
            "version": format!("1.{i}.0"), "finished_at": days_ago(server, days), "outcome": "success", "url": "https://ci.example/1",
        }));
        let parents: Vec<String> = if i == 0 { Vec::new() } else { vec![sha(i - 1)] };
        commits.push(
            json!({"repo": repo, "sha": sha(i), "parents": parents, "authored_at": days_ago(server, days + 1.25), "message": "a change"}),
        );
    }
    deployments.push(json!({
        "deployment_id": "d-again", "service": "checkout", "environment": "production", "sha": sha(7), "repo": repo, "version": "1.7.0",
        "finished_at": days_ago(server, 1.0), "outcome": "success",
    }));
    server.rows("services", &[json!({"service": "checkout", "team": "payments", "repo": repo})]).await;
    server.rows("commits", &commits).await;
    server.rows("deployments", &deployments).await;
    let incident = json!({
        "incident_id": "INC-7", "services": ["checkout"], "environment": "production", "title": "down",
        "started_at": days_ago(server, 29.9), "resolved_at": days_ago(server, 29.8),
    });
    server.rows("incidents", &[incident]).await;
    let seen = |days: f64, status: &str| {
        json!({
            "app": "checkout-prod", "observed_at": days_ago(server, days), "service": "checkout", "environment": "production", "sync_status": status,
            "compared_revisions": [sha(1)], "synced_revisions": [sha(1)], "health": "Healthy",
        })
    };
    server.rows("gitops_observations", &[seen(20.0, "Synced"), seen(10.0, "OutOfSync"), seen(9.0, "Synced")]).await;
}

/// What holds for every page: it stands on its own, is navigable, and runs nothing.
pub fn check(address: &str, page: &Page) {
    let document = Html::parse_document(&page.text);
    let count = |css: &str| document.select(&Selector::parse(css).expect(css)).count();
    assert_eq!(count("html[lang]"), 1, "{address}");
    assert_eq!(count("h1"), 1, "{address}");
    assert_eq!((count("header"), count("main#main"), count("footer"), count("a.skip[href='#main']")), (1, 1, 1, 1), "{address}");
    assert_eq!(
        (count("script"), count("[style]"), count("style"), count("iframe"), count("[onclick], [onload], [onerror]")),
        (0, 0, 0, 0, 0),
        "{address}"
    );
    assert_eq!(count("th:not([scope])"), 0, "{address}");
    assert_eq!(count("svg.chart:not([role='img'][aria-labelledby])") + count("svg.spark:not([aria-hidden])"), 0, "{address}");
    assert_eq!(count("a[href^='javascript']"), 0, "{address}");
    for time in page.attributes("time", "datetime") {
        assert!(Time::parse(&time).is_some(), "{address}: {time}");
    }
    let ids = page.attributes("[id]", "id");
    let different: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(ids.len(), different.len(), "{address}: an id twice in {ids:?}");
    for id in page.attributes("[aria-labelledby]", "aria-labelledby") {
        assert!(id.split(' ').all(|id| ids.iter().any(|known| known == id)), "{address}: nothing is #{id}");
    }
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{address}: {policy}");
}

#[tokio::test]
async fn the_overview_says_what_the_api_says() {
    let server = open("").await;
    shop(&server).await;
    let page = show(&server, "/").await;
    check("/", &page);
    let tiles = page.attributes("article.tile", "data-metric");
    let six = ["deployment_frequency", "lead_time", "change_fail_rate", "recovery_time", "rework_rate", "drift_ratio"];
    assert_eq!(tiles, six);
    for metric in six {
        let link = page.attributes(&format!("article[data-metric={metric}] .links a[href^='/api/v1/metrics']"), "href").remove(0);
        let answer: Value = serde_json::from_str(&show(&server, &link).await.text).expect("JSON");
        let point = &answer["series"][0]["points"][0];
        let shown = page.attributes(&format!("article[data-metric={metric}] data"), "value").remove(0);
        let number: f64 = shown.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        assert_eq!(Some(number), point["value"].as_f64(), "{metric}");
        let why = page.attributes(&format!("article[data-metric={metric}] .links a[href^='/explain/']"), "href").remove(0);
        let explanation = show(&server, &why).await;
        check("/explain", &explanation);
        assert_eq!(explanation.attributes("p.value data", "value"), [shown.as_str()], "{metric}");
        assert!(explanation.attributes("table a", "href").iter().any(|href| href.starts_with("/api/v1/raw/")), "{metric}");
        let n = page.text(&format!("article[data-metric={metric}] .n"));
        assert!(n.starts_with(&format!("n = {} ", point["n"])), "{metric}: {n}");
    }
    assert_eq!(page.text("article[data-metric=lead_time] .value"), "1 d 6 h");
    assert_eq!(page.text("article[data-metric=change_fail_rate] .value"), "12.5 %");
    // One failure is too little to be sure of a median.
    assert_eq!(page.attributes("article[data-metric=recovery_time]", "class"), ["tile muted"]);
    assert!(page.text("article[data-metric=recovery_time] .note").contains("few data"));
    assert_eq!(page.texts("table.board tbody th"), ["payments"]);
    assert_eq!(page.attributes("table.board tbody th a", "href"), ["/teams/payments"]);
    assert!(page.text("footer").contains("Data as of"));
    assert!(page.text(".strip").contains("import"));
    assert!(page.texts("svg.spark").len() > 6);
}

#[tokio::test]
async fn without_data_there_are_no_numbers() {
    let server = open("").await;
    let page = show(&server, "/").await;
    check("/", &page);
    assert_eq!(page.texts("article .value"), ["Not enough data"; 6]);
    assert_eq!(page.texts("article data").len(), 0);
    assert!(page.text("article .reason").contains("Connect a source"));
    assert!(page.texts(".empty").iter().any(|text| text.contains("No events have come in yet")));
    assert!(show(&server, "/deployments").await.text(".empty").contains("Connect a source"));
    let sources = show(&server, "/sources").await;
    check("/sources", &sources);
    assert!(sources.text("pre").contains("curl http://flow.example:8080/v1/events/deployments"));
    assert!(sources.texts(".address").contains(&"http://flow.example:8080/hooks/gitlab".to_owned()));
}

#[tokio::test]
async fn a_service_has_its_own_page() {
    let server = open("").await;
    shop(&server).await;
    let page = show(&server, "/services/checkout?from=now-60d&bucket=week").await;
    check("/services/checkout", &page);
    assert_eq!(page.text("h1"), "checkout");
    assert_eq!(page.attributes("figure", "data-chart").len(), 6);
    // A chart and its table tell the same buckets, and what is cut is said to be.
    let weeks = page.texts("figure[data-chart=chart-lead_time] tbody tr").len();
    assert!((9..=10).contains(&weeks), "{weeks}");
    let values = page.texts("figure[data-chart=chart-lead_time] tbody td:nth-child(2)").iter().filter(|text| *text != "–").count();
    assert_eq!(page.texts("figure[data-chart=chart-lead_time] svg circle").len(), values);
    assert!(page.texts("figure tbody td").iter().any(|text| text.contains("partial")));
    assert_eq!(page.texts("section[aria-labelledby=environments] tbody th"), ["production", "staging"]);
    assert_eq!(page.texts("section[aria-labelledby=environments] tbody code"), ["1.7.0", "1.8.0-rc"]);
    assert!(page.text("section[aria-labelledby=apps] tbody").contains("synced"));
    let latest = page.texts("section[aria-labelledby=latest] tbody tr");
    assert_eq!(latest.len(), 10);
    assert!(latest[0].contains("no op") && latest[0].contains("same version as the one running"), "{}", latest[0]);
    assert!(latest.iter().any(|row| row.contains("incident INC-7") && row.contains("recovered")));
    assert!(
        page.attributes("section[aria-labelledby=latest] .links a", "href")
            .contains(&"/deployments?service=checkout&kind=rollback".to_owned())
    );
    let team = show(&server, "/teams/payments").await;
    check("/teams/payments", &team);
    assert_eq!(team.texts("table.board tbody th"), ["checkout"]);
}

#[tokio::test]
async fn deployments_are_listed_with_their_reasons() {
    let server = open("").await;
    shop(&server).await;
    let page = show(&server, "/deployments").await;
    check("/deployments", &page);
    assert_eq!(page.texts("table.list tbody tr").len(), 10);
    assert!(page.texts("tr.uncounted").iter().any(|row| row.contains("no not production")));
    let filtered = show(&server, "/deployments?service=checkout&environment=production&kind=no_op").await;
    assert_eq!(filtered.texts("table.list tbody tr").len(), 1);
    let csv = filtered.attributes(".head .links a", "href").remove(1);
    let file = show(&server, &csv).await;
    assert!(file.header(header::CONTENT_TYPE).starts_with("text/csv"));
    assert_eq!(file.text.lines().count(), 2);
    assert!(show(&server, "/deployments?kind=hotfix").await.text(".empty").contains("Show all"));

    let many: Vec<Value> = (0..60)
        .map(|i| {
            json!({"deployment_id": format!("m{i}"), "service": "cart", "environment": "production", "version": format!("v{i}"),
                   "finished_at": days_ago(&server, 100.0 - f64::from(i)), "outcome": "success"})
        })
        .collect();
    server.rows("deployments", &many).await;
    let first = show(&server, "/deployments?service=cart").await;
    assert_eq!(first.texts("table.list tbody tr").len(), 50);
    let next = first.attributes("a[rel=next]", "href").remove(0);
    assert_eq!(next, "/deployments?service=cart&offset=50");
    let second = show(&server, &next).await;
    assert_eq!(second.texts("table.list tbody tr").len(), 10);
    assert_eq!(second.attributes("a[rel=prev]", "href"), ["/deployments?service=cart"]);
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let server = open("").await;
    let mut rows = Vec::new();
    for name in HOSTILE {
        server.rows("services", &[json!({"service": name, "team": name})]).await;
        for i in 0..6 {
            rows.push(json!({
                "deployment_id": format!("{name}{i}"), "service": name, "environment": format!("{name} prod"), "version": format!("{name}{i}"),
                "finished_at": days_ago(&server, 40.0 - 5.0 * f64::from(i)), "outcome": "failure", "took_effect": true, "url": "javascript:alert(1)",
            }));
        }
    }
    server.rows("deployments", &rows).await;
    let incidents: Vec<Value> = HOSTILE
        .iter()
        .map(|name| json!({"incident_id": name, "services": [name], "title": name, "started_at": days_ago(&server, 14.9), "url": name}))
        .collect();
    server.rows("incidents", &incidents).await;
    let home = show(&server, "/?by=service").await;
    let names = home.texts("table.board tbody th");
    for name in HOSTILE {
        assert!(names.iter().any(|shown| shown == name), "{name} in {names:?}");
    }
    let mut addresses: Vec<String> = ["/", "/?by=service", "/deployments", "/incidents", "/sources"].map(str::to_owned).to_vec();
    addresses.extend(home.attributes("table.board tbody th a", "href"));
    addresses.extend(show(&server, "/").await.attributes("table.board tbody th a", "href"));
    addresses.extend(show(&server, "/deployments").await.attributes("table.list tbody th a", "href"));
    addresses.extend(show(&server, "/incidents").await.attributes("table.list tbody td:nth-child(2) a", "href"));
    assert_eq!(addresses.len(), 5 + (2 + 6 + 1) * HOSTILE.len());
    for address in addresses {
        let page = show(&server, &address).await;
        check(&address, &page);
        assert!(!page.text.contains("<script") && !page.text.contains("<img") && !page.text.contains("javascript:"), "{address}");
    }
    // The same in errors and in what a browser claims.
    for address in ["/?team=%3Cscript%3E", "/?%3Cscript%3E=1", "/services/%3Cscript%3E", "/%3Cscript%3E"] {
        let page = get(&server, address).await;
        assert!(page.status.is_client_error() && !page.text.contains("<script"), "{address}");
        check(address, &page);
    }
    let request = Request::get("/sources").header(header::HOST, "\"><script>").body(Body::empty()).expect("a request");
    assert!(!send(&server, request).await.text.contains("<script"));
}

#[tokio::test]
async fn slips_are_named_and_the_rest_is_kept() {
    let server = open("").await;
    shop(&server).await;
    for (address, words) in [
        ("/?frm=now-30d&bucket=day", "unknown parameter `frm`, did you mean `from`?"),
        ("/?bucket=weeks&from=now-30d", "`weeks` is no value for `bucket`"),
        ("/?team=payment", "did you mean `payments`?"),
        ("/?tz=Mars", "time zone"),
        ("/?from=2026-02-01&to=2026-01-01", "before `to`"),
        ("/deployments?kind=hotfx", "did you mean `hotfix`?"),
        ("/deployments?service=chekout", "did you mean `checkout`?"),
        ("/services/checkout?service=checkout", "unknown parameter `service`"),
        ("/sources?from=now-1d", "unknown parameter `from`"),
    ] {
        let page = get(&server, address).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{address}");
        assert!(page.text("#problem").contains(words), "{address}: {}", page.text("#problem"));
        check(address, &page);
    }
    let page = get(&server, "/?frm=now-30d&bucket=day").await;
    assert_eq!(page.attributes("main li a", "href")[0], "/?bucket=day");
    for (address, words) in
        [("/services/chekout", "did you mean `checkout`?"), ("/teams/payment", "did you mean `payments`?"), ("/nowhere", "/nowhere")]
    {
        let page = get(&server, address).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{address}");
        assert!(page.text("#problem").contains(words), "{address}");
        check(address, &page);
    }
    assert_eq!(get(&server, "/api/v1/nowhere").await.header(header::CONTENT_TYPE), "application/problem+json");
}

#[tokio::test]
async fn a_form_leads_to_a_tidy_address() {
    let server = open("").await;
    shop(&server).await;
    let page = get(&server, "/?from=now-30d&from=&to=&team=payments&bucket=&tz=Europe%2FBerlin").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(page.header(header::LOCATION), "/?from=now-30d&team=payments&tz=Europe/Berlin");
    let page = show(&server, "/?from=now-30d&team=payments&tz=Europe/Berlin&theme=dark").await;
    assert_eq!(page.attributes("html", "data-theme"), ["dark"]);
    assert_eq!(page.attributes("select[name=team] option[selected]", "value"), ["payments"]);
    assert_eq!(page.texts(".filters .presets a[aria-current]"), ["30 days"]);
    assert_eq!(page.attributes("input[name=tz]", "value"), ["Europe/Berlin"]);
    assert!(page.text(".window").contains("(Europe/Berlin), compared with the 30 days before"));
    let dated = show(&server, "/?from=2026-01-01&to=2026-02-01").await;
    assert_eq!(dated.attributes("input[type=date]", "value"), ["2026-01-01", "2026-02-01"]);
}

#[tokio::test]
async fn people_sign_in_with_a_token() {
    let server = open("[[reader]]\nname = \"people\"\ntoken_file = \"token\"\n[server]\npublic_url = \"https://flow.example\"").await;
    let page = get(&server, "/deployments?tz=Asia/Tokyo").await;
    assert_eq!((page.status, page.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/signin?next=/deployments%3Ftz%3DAsia/Tokyo"));
    let page = show(&server, page.header(header::LOCATION)).await;
    check("/signin", &page);
    assert_eq!(page.attributes("input[name=next]", "value"), ["/deployments?tz=Asia/Tokyo"]);
    assert_eq!(show(&server, "/signin?next=//evil.example").await.attributes("input[name=next]", "value"), ["/"]);

    let form = |site: &str, body: &str| {
        let request =
            Request::post("/signin").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").header("sec-fetch-site", site);
        request.body(Body::from(body.to_owned())).expect("a request")
    };
    let wrong = send(&server, form("same-origin", "token=wrong&next=%2Fsources")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text("[role=alert]").contains("No reader has this token"));
    assert_eq!(wrong.attributes("input[name=next]", "value"), ["/sources"]);
    assert!(!wrong.text.contains("wrong"));
    let foreign = send(&server, form("cross-site", "token=sesame")).await;
    assert!(foreign.status.is_client_error() && foreign.headers.get(header::SET_COOKIE).is_none());

    let right = send(&server, form("same-origin", "token=sesame&next=%2Fdeployments")).await;
    assert_eq!((right.status, right.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/deployments"));
    let cookie = right.header(header::SET_COOKIE).to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200", "Secure"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("sesame"));
    let evil = send(&server, form("same-origin", "token=sesame&next=https%3A%2F%2Fevil.example")).await;
    assert_eq!(evil.header(header::LOCATION), "/");
    let value = cookie.split(';').next().expect("a value").to_owned();
    let request = Request::get("/").header(header::COOKIE, &value).body(Body::empty()).expect("a request");
    let home = send(&server, request).await;
    assert_eq!(home.status, StatusCode::OK);
    assert_eq!(home.texts("form.signout button"), ["Sign out"]);
    let request = Request::post("/signout")
        .header(header::COOKIE, &value)
        .header("sec-fetch-site", "same-origin")
        .body(Body::empty())
        .expect("a request");
    let out = send(&server, request).await;
    assert!(out.status == StatusCode::SEE_OTHER && out.header(header::SET_COOKIE).contains("Max-Age=0"));
    let sources = send(&server, Request::get("/sources").header(header::COOKIE, value).body(Body::empty()).expect("a request")).await;
    assert!(
        sources.text("pre").contains("https://flow.example/v1/events/deployments") && sources.text("pre").contains("Authorization: Bearer")
    );
}

#[tokio::test]
async fn sources_tell_what_came_and_what_was_refused() {
    let server = open("[[source]]\nname = \"ci\"\nkind = \"github\"\nsecret_file = \"token\"").await;
    shop(&server).await;
    for name in ["ci", "nobody"] {
        let request = Request::post(format!("/hooks/{name}")).body(Body::from("{}")).expect("a request");
        assert_eq!(send(&server, request).await.status, StatusCode::UNAUTHORIZED);
    }
    let page = show(&server, "/sources").await;
    check("/sources", &page);
    assert_eq!(page.attributes("section.source", "data-source"), ["ci", "import"]);
    assert!(page.text("section[data-source=ci]").contains("Refused 1 delivery"));
    assert_eq!(page.text("section[data-source=ci] .address"), "http://flow.example:8080/hooks/ci");
    assert!(page.text("section[data-source=ci]").contains("verified with a secret"));
    assert!(page.texts("section[data-source=import] tbody tr").iter().any(|row| row.starts_with("deployments 1")));
    assert!(page.texts("main > .notice").iter().any(|text| text.contains("1 delivery to addresses that no source has")));
}

#[tokio::test]
async fn files_are_kept_for_ever() {
    let server = open("").await;
    let page = show(&server, "/").await;
    let address = page.attributes("link[rel=stylesheet]", "href").remove(0);
    let file = show(&server, &address).await;
    assert!(file.header(header::CACHE_CONTROL).contains("immutable") && file.header(header::CONTENT_TYPE).starts_with("text/css"));
    let tag = file.header(header::ETAG).to_owned();
    let again = send(&server, Request::get(&address).header(header::IF_NONE_MATCH, tag).body(Body::empty()).expect("a request")).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(get(&server, "/static/style.css").await.status, StatusCode::NOT_FOUND);
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
}
