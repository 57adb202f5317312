//! A running `flowgauge serve`, on a port that the system chooses, and the command line beside it.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_flowgauge");

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    pub base: String,
}

impl Server {
    /// Starts one on `data` and returns when it listens.
    pub fn start(data: &Path, more: &[&str]) -> Server {
        Server::try_start(data, more).unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    fn try_start(data: &Path, more: &[&str]) -> Result<Server, String> {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(more).stderr(Stdio::piped()).env_remove("RUST_LOG");
        let mut child = command.spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("stderr is a pipe")).lines();
        let (sender, said) = channel();
        // Reads until the end, so that the server never waits for its own log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let deadline = Instant::now() + START;
        let mut log = String::new();
        while let Ok(line) = said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some((_, rest)) = line.split_once("serving http://") {
                let address: String = rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
                std::thread::spawn(move || said.iter().filter(|line| line.contains("ERROR")).for_each(|line| println!("server: {line}")));
                return Ok(Server { child, base: format!("http://{address}") });
            }
            log.push_str(&line);
            log.push('\n');
        }
        child.kill().ok();
        child.wait().ok();
        Err(log)
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Ends it as a power cut would end the process: SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("the server ends");
    }

    /// Has it read its configuration again: SIGHUP.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().is_ok_and(|status| status.success()), "the server runs");
    }

    /// Ends it in order: SIGTERM.
    pub fn stop(mut self) {
        self.signal("-TERM");
        let status = self.child.wait().expect("the server ends");
        assert!(status.success(), "the server ended with {status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a command to its end.
pub fn flowgauge(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_remove("RUST_LOG").output().expect("the binary starts")
}

/// What a command prints as JSON; it must succeed.
pub fn json(arguments: &[&str]) -> Value {
    let output = flowgauge(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the command prints JSON")
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
