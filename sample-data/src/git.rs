//! Writes the history as bare repositories that git itself can read.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::objs::Kind;
use gix::odb::pack::Bundle;
use gix::odb::pack::data::entry::Header;
use gix::zlib::Compression;
use gix::zlib::stream::deflate;

use crate::calendar::Sec;
use crate::history::Repo;

/// Writes every repository to `<dir>/<host>/<group>/<name>.git`, on as many threads as there are cores.
pub fn write_all(repos: &[&Repo], dir: &Path, until: Sec) -> io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut by_size: Vec<&Repo> = repos.to_vec();
    by_size.sort_by_key(|repo| std::cmp::Reverse(repo.objects.len()));
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || {
            while let Some(repo) = by_size.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                write(repo, &dir.join(repo.host).join(format!("{}.git", repo.path)), until)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn write(repo: &Repo, dir: &Path, until: Sec) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    gix::create::into(dir, gix::create::Kind::Bare, gix::create::Options::default()).map_err(io::Error::other)?;
    std::fs::write(dir.join("HEAD"), "ref: refs/heads/main\n")?;
    write_pack(repo, &dir.join("objects/pack"))?;
    // Where each ref stood then; later objects are there and nothing leads to them.
    let stood = |commit: usize| {
        std::iter::successors(Some(commit), |commit| repo.commits[*commit].parents.first().copied())
            .find(|commit| repo.commits[*commit].committed_at < until)
    };
    let refs = repo.refs.iter().filter_map(|(name, commit)| Some((name.as_str(), repo.sha(stood(*commit)?))));
    let mut refs: Vec<(&str, &str)> = refs.collect();
    refs.sort_unstable();
    let mut packed = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for (name, sha) in refs {
        writeln!(packed, "{sha} {name}").expect("a string takes every character");
    }
    std::fs::write(dir.join("packed-refs"), packed)
}

/// All objects in one pack: a file for each would take several times as long. Source: git's documentation of the pack format.
fn write_pack(repo: &Repo, dir: &Path) -> io::Result<()> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(u32::try_from(repo.objects.len()).map_err(io::Error::other)?.to_be_bytes());
    for (kind, _, bytes) in &repo.objects {
        let header = match kind {
            Kind::Tree => Header::Tree,
            Kind::Blob => Header::Blob,
            Kind::Commit => Header::Commit,
            Kind::Tag => Header::Tag,
        };
        header.write_to(bytes.len() as u64, &mut pack)?;
        let mut body = deflate::Write::new(&mut pack, Compression::BEST_SPEED);
        body.write_all(bytes)?;
        body.flush()?;
    }
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(&pack);
    pack.extend(hasher.try_finalize().map_err(io::Error::other)?.as_slice());
    let nothing_missing: Option<gix::odb::Handle> = None;
    let (mut progress, never) = (gix::progress::Discard, AtomicBool::new(false));
    Bundle::write_to_directory(
        &mut pack.as_slice(),
        Some(dir),
        &mut progress,
        &never,
        nothing_missing,
        gix::hash::Kind::Sha1,
        gix::odb::pack::bundle::write::Options { thread_limit: Some(1), ..Default::default() },
    )
    .map_err(io::Error::other)?;
    Ok(())
}
