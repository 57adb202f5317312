//! Repositories that the test writes: a stream for `git fast-import`, which gives back every commit's id.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository in the making.
pub struct Writer {
    stream: Vec<u8>,
    commits: usize,
}

/// What a commit is made of.
pub struct Draft<'a> {
    pub parents: &'a [usize],
    pub authored: i64,
    pub committed: i64,
    pub message: &'a str,
    pub files: &'a [(String, String)],
}

impl Writer {
    pub fn new() -> Self {
        Writer { stream: Vec::new(), commits: 0 }
    }

    /// The place of the new commit, which parents are named by.
    pub fn commit(&mut self, draft: &Draft) -> usize {
        let out = &mut self.stream;
        let mark = self.commits + 1;
        writeln!(out, "commit refs/heads/main\nmark :{mark}").unwrap();
        writeln!(out, "author Ines <ines@story.example> {} +0000", draft.authored).unwrap();
        writeln!(out, "committer Web <web@story.example> {} +0000", draft.committed).unwrap();
        writeln!(out, "data {}\n{}", draft.message.len(), draft.message).unwrap();
        for (i, parent) in draft.parents.iter().enumerate() {
            writeln!(out, "{} :{}", if i == 0 { "from" } else { "merge" }, parent + 1).unwrap();
        }
        for (path, text) in draft.files {
            writeln!(out, "M 100644 inline {path}\ndata {}\n{text}", text.len()).unwrap();
        }
        self.commits += 1;
        mark - 1
    }

    /// Writes the repository, bare; the ids of its commits in order.
    pub fn write(&self, folder: &Path) -> Vec<String> {
        git(Path::new("."), &["init", "--quiet", "--bare", "--initial-branch=main", folder.to_str().unwrap()]);
        let marks = folder.join("marks");
        let mut import = Command::new("git")
            .args(["fast-import", "--quiet", "--force", &format!("--export-marks={}", marks.display())])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("git is installed");
        import.stdin.take().unwrap().write_all(&self.stream).unwrap();
        assert!(import.wait().unwrap().success());
        let mut ids = vec![String::new(); self.commits];
        for line in std::fs::read_to_string(marks).unwrap().lines() {
            let (mark, id) = line[1..].split_once(' ').unwrap();
            ids[mark.parse::<usize>().unwrap() - 1] = id.to_owned();
        }
        ids
    }
}

/// A repository as one file.
pub fn bundle(repository: &Path) -> PathBuf {
    let file = repository.with_extension("bundle");
    git(repository, &["bundle", "create", "--quiet", file.to_str().unwrap(), "--all"]);
    file
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").args(arguments).current_dir(folder).output().expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
