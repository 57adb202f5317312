//! Writes the history as bare repositories that git itself can read.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use gix::objs::Write as _;

use crate::history::Repo;

/// Writes every repository to `<dir>/<host>/<group>/<name>.git`, on as many threads as there are cores.
pub fn write_all(repos: &[&Repo], dir: &Path) -> io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut by_size: Vec<&Repo> = repos.to_vec();
    by_size.sort_by_key(|repo| std::cmp::Reverse(repo.objects.len()));
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || {
            while let Some(repo) = by_size.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                write(repo, &dir.join(repo.host).join(format!("{}.git", repo.path)))?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn write(repo: &Repo, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    gix::create::into(dir, gix::create::Kind::Bare, gix::create::Options::default()).map_err(io::Error::other)?;
    std::fs::write(dir.join("HEAD"), "ref: refs/heads/main\n")?;
    let store = gix::odb::loose::Store::at(dir.join("objects"), gix::hash::Kind::Sha1);
    for (kind, id, bytes) in &repo.objects {
        store.write_buf_with_known_id(*kind, bytes, *id).map_err(io::Error::other)?;
    }
    let mut refs: Vec<(&str, &str)> = repo.refs.iter().map(|(name, commit)| (name.as_str(), repo.sha(*commit))).collect();
    refs.sort_unstable();
    let mut packed = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for (name, sha) in refs {
        writeln!(packed, "{sha} {name}").expect("a string takes every character");
    }
    std::fs::write(dir.join("packed-refs"), packed)
}
