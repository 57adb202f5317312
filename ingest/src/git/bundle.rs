//! A bundle (`git bundle create shop.bundle --all`): a repository as one file, to be carried where no network leads.

use super::GitError;
use super::address::options;
use gix::progress::Discard;
use gix::refs::transaction::PreviousValue;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

const FIRST_LINES: [&str; 2] = ["# v2 git bundle", "# v3 git bundle"];
/// The longest line of a header: a commit id and the name of a reference.
const LONGEST_LINE: u64 = 64 << 10;

/// Whether the file begins as a bundle does.
pub fn is_one(path: &Path) -> bool {
    let mut first = Vec::new();
    let read = File::open(path).map(|file| file.take(20).read_to_end(&mut first));
    read.is_ok_and(|read| read.is_ok()) && FIRST_LINES.iter().any(|line| first.starts_with(line.as_bytes()))
}

/// Unpacks a bundle into a bare repository; one that is there already takes in what is new.
pub fn open(path: &Path, into: &Path) -> Result<gix::Repository, GitError> {
    let failed = |reason: String| GitError::Open { path: path.display().to_string(), reason };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bundle = BufReader::new(file);
    let header = Header::read(&mut bundle).map_err(|reason| failed(reason.to_owned()))?;
    std::fs::create_dir_all(into).map_err(|error| failed(format!("`{}`: {error}", into.display())))?;
    unpack(&header, &mut bundle, into).map_err(|error| failed(error.to_string()))
}

/// What a bundle says before its objects: `references` are a commit id and a name each.
struct Header {
    references: Vec<(gix::ObjectId, String)>,
}

impl Header {
    fn read(bundle: &mut impl BufRead) -> Result<Header, &'static str> {
        let mut references = Vec::new();
        loop {
            let mut line = Vec::new();
            bundle.take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|_| "the bundle cannot be read")?;
            let line = line.strip_suffix(b"\n").ok_or("the header of the bundle has no end")?;
            let line = std::str::from_utf8(line).map_err(|_| "the header of the bundle is no text")?;
            match line.as_bytes().first() {
                None => return Ok(Header { references }),
                Some(b'#') => {}
                Some(b'@') if line == "@object-format=sha1" => {}
                Some(b'@') => return Err("the bundle is filtered or of another kind of ids: make one with `git bundle create … --all`"),
                Some(b'-') => return Err("the bundle builds on commits that it does not hold: make one with `git bundle create … --all`"),
                Some(_) => {
                    let (id, name) = line.split_once(' ').ok_or("the header of the bundle names a reference without an id")?;
                    let id = gix::ObjectId::from_hex(id.as_bytes()).map_err(|_| "the header of the bundle holds no commit id")?;
                    references.push((id, name.to_owned()));
                }
            }
        }
    }
}

fn unpack(header: &Header, pack: &mut dyn BufRead, into: &Path) -> Result<gix::Repository, gix::Error> {
    let repository: gix::Repository = match gix::open_opts(into, options().open_path_as_is(true)) {
        Ok(repository) => repository,
        Err(_) => {
            let empty_only = gix::create::Options { destination_must_be_empty: Some(true), ..Default::default() };
            gix::ThreadSafeRepository::init_opts(into, gix::create::Kind::Bare, empty_only, options())?.into()
        }
    };
    let packs = repository.objects.store_ref().path().join("pack");
    std::fs::create_dir_all(&packs).map_err(gix::Error::from_error)?;
    let kind = repository.object_hash();
    gix::odb::pack::Bundle::write_to_directory(
        pack,
        Some(&packs),
        &mut Discard,
        &AtomicBool::new(false),
        None::<gix::OdbHandle>,
        kind,
        Default::default(),
    )?;
    for (id, name) in header.references.iter().filter(|(_, name)| name.starts_with("refs/")) {
        repository.reference(name.as_str(), *id, PreviousValue::Any, "bundle")?;
    }
    Ok(repository)
}
