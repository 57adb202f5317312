//! Fetching a history over HTTP, from a small server that hands the work to `git upload-pack`.

use flowgauge_ingest::People;
use flowgauge_ingest::git::{GitError, History, Holds};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

fn git(folder: &Path, arguments: &[&str]) {
    let run = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Ines", "-c", "user.email=ines@acme.example", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .output()
        .expect("git runs");
    assert!(run.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
}

/// What the server was asked with: the values of `Authorization`.
type Seen = Arc<Mutex<Vec<Option<String>>>>;

/// Serves the repository to everybody who shows `wanted`; answers 401 to the others. Gives the address `host:port`.
fn serve(repository: PathBuf, wanted: Option<&'static str>) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (repository, log) = (repository.clone(), Arc::clone(&log));
            std::thread::spawn(move || answer(stream, &repository, wanted, &log));
        }
    });
    (address, seen)
}

fn answer(stream: TcpStream, repository: &Path, wanted: Option<&str>, log: &Seen) {
    let mut reader = BufReader::new(stream);
    let mut lines: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        lines
            .iter()
            .skip(1)
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()))
    };
    let authorization = header("authorization");
    log.lock().expect("no panic").push(authorization.clone());
    let Some(request) = lines.first() else { return };
    let mut body = vec![0; header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).expect("the body announced");
    if header("transfer-encoding").is_some() {
        body = chunks(&mut reader);
    }
    let mut stream = reader.into_inner();
    if wanted.is_some() && authorization.as_deref() != wanted {
        let _ = stream.write_all(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        return;
    }
    let is_listing = request.starts_with("GET");
    let mut command = Command::new("git");
    command.args(["upload-pack", "--stateless-rpc"]).args(is_listing.then_some("--http-backend-info-refs")).arg(repository);
    command.env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("git runs");
    child.stdin.take().expect("piped").write_all(&body).expect("git reads");
    let mut output = Vec::new();
    child.stdout.take().expect("piped").read_to_end(&mut output).expect("git writes");
    let _ = child.wait();
    let (kind, head) = if is_listing { ("advertisement", &b"001e# service=git-upload-pack\n0000"[..]) } else { ("result", &b""[..]) };
    let _ = stream.write_all(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-{kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            head.len() + output.len()
        )
        .as_bytes(),
    );
    let _ = stream.write_all(&[head, &output].concat());
}

fn chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a chunk's size");
        let size = usize::from_str_radix(line.trim(), 16).expect("a size in hex");
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).expect("a chunk");
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return body;
        }
    }
}

fn messages(address: &str, into: &Path) -> Result<Vec<String>, GitError> {
    let mut messages = Vec::new();
    History { address, repo: "git.acme.example/shop/checkout", since: None, into, holds: Holds::Source }.for_each_chunk(
        &People::Clear,
        |chunk| {
            messages.extend(chunk.into_iter().map(|row| match row.entity {
                flowgauge_lake::model::Entity::Commit(commit) => commit.message.unwrap_or_default().trim().to_owned(),
                other => panic!("a commit, not {other:?}"),
            }));
            Ok::<(), GitError>(())
        },
    )?;
    messages.sort();
    Ok(messages)
}

#[test]
fn a_clone_is_fetched_and_later_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let (work, into) = (folder.path().join("work"), folder.path().join("cache/clone"));
    std::fs::create_dir(&work).expect("a folder");
    git(&work, &["init", "-q"]);
    git(&work, &["commit", "-q", "--allow-empty", "-m", "one"]);
    git(&work, &["tag", "-m", "first", "v1"]);
    git(&work, &["checkout", "-q", "-b", "feature/two"]);
    git(&work, &["commit", "-q", "--allow-empty", "-m", "two"]);
    let (host, _) = serve(work.join(".git"), None);
    let address = format!("http://{host}/shop/checkout.git");
    assert_eq!(messages(&address, &into).expect("a history"), ["one", "two"]);
    git(&work, &["commit", "-q", "--allow-empty", "-m", "three"]);
    git(&work, &["commit", "-q", "--amend", "--allow-empty", "-m", "three again"]);
    assert_eq!(messages(&address, &into).expect("a history"), ["one", "three again", "two"]);
}

#[test]
fn a_token_in_the_address_is_shown_to_the_server_and_kept_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let (work, into) = (folder.path().join("work"), folder.path().join("clone"));
    std::fs::create_dir(&work).expect("a folder");
    git(&work, &["init", "-q"]);
    git(&work, &["commit", "-q", "--allow-empty", "-m", "one"]);
    // `oauth2:hunter2`
    let (host, seen) = serve(work.join(".git"), Some("Basic b2F1dGgyOmh1bnRlcjI="));
    assert_eq!(messages(&format!("http://oauth2:hunter2@{host}/shop.git"), &into).expect("a history"), ["one"]);
    assert!(seen.lock().expect("no panic").iter().any(Option::is_some));
    for file in ["config", "FETCH_HEAD", "packed-refs", "logs/HEAD"] {
        let text = std::fs::read_to_string(into.join(file)).unwrap_or_default();
        assert!(!text.contains("hunter2"), "{file} holds the token");
    }
    for (wrong, why) in [("", "the server asks for a token and the address holds none"), ("oauth2:wrong@", "the server refuses the token")]
    {
        let error = messages(&format!("http://{wrong}{host}/shop.git"), &folder.path().join("other")).expect_err("no access").to_string();
        assert!(error.starts_with(&format!("cannot fetch `http://{host}/shop.git` (")), "{error}");
        assert!(error.ends_with(&format!("{why}): check the address, the network and the token")), "{error}");
    }
}
