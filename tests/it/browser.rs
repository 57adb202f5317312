//! The pages in a real browser: they open, and nothing in them breaks the rules that they set themselves.

use crate::server::Server;
use std::process::Command;

/// Opens a page in Chromium; gives the document as the browser understood it, and what it complained of.
fn open(profile: &std::path::Path, url: &str) -> (String, String) {
    let quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"];
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
        .args(quiet)
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        .output()
        .expect("chromium is installed: `make tools`");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stderr);
    let complaints = said.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    (text(&output.stdout), complaints)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_open_in_a_browser_without_a_complaint() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"), &[]);
    // A service whose name would like to be a script.
    let service = "<img src=x onerror=alert(1)>";
    let row = serde_json::json!({
        "deployment_id": "1", "service": service, "environment": "production", "sha": "a".repeat(40),
        "finished_at": flowgauge_lake::clock::now().plus_seconds(-60).to_string(), "outcome": "success",
    });
    let http = reqwest::Client::new();
    let response = http.post(server.url("/v1/events/deployments")).body(row.to_string()).send().await.expect("the server runs");
    assert!(response.status().is_success());
    for (path, shows) in [
        ("/", "Delivery performance"),
        ("/?theme=dark&by=service", "&lt;img src=x"),
        ("/deployments", "&lt;img src=x"),
        ("/deployments/1", "&lt;img src=x"),
        ("/incidents", "No incidents"),
        ("/sources", "/v1/events/"),
    ] {
        let (page, complaints) = open(&folder.path().join("profile"), &server.url(path));
        assert!(page.contains(shows), "{path} does not show `{shows}`:\n{}", page.chars().take(2000).collect::<String>());
        assert!(!page.contains("<img src=\"x\""), "{path}: a name became an element");
        assert!(complaints.is_empty(), "{path}: {complaints}");
    }
    server.stop();
    // The control: a page that breaks its own policy is heard.
    let broken = folder.path().join("broken.html");
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'none'\"><script>document.title = 1</script>";
    std::fs::write(&broken, policy).expect("a file");
    let (_, complaints) = open(&folder.path().join("profile"), &format!("file://{}", broken.display()));
    assert!(complaints.contains("Content Security Policy"), "a broken policy was not heard: `{complaints}`");
}
