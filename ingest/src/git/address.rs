//! From an address to an open repository: a folder is opened in place, a bundle is unpacked and an http
//! address fetched into a bare one.
//! Nobody is asked anything, no helper program runs, and only the repository's own configuration counts.

use super::{GitError, bundle};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gix::credentials::helper::Action;
use gix::credentials::protocol::Outcome;
use gix::progress::Discard;
use gix::remote::{Direction, fetch::Tags};
use gix::sec::{Permission, identity::Account};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use url::{Host, Url};

const BRANCHES_AND_TAGS: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// Memory for objects that are needed again soon: trees share most of their subtrees with their parents'.
const CACHE_BYTES: usize = 32 << 20;

pub fn open(address: &str, into: &Path) -> Result<gix::Repository, GitError> {
    let mut repository = match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => fetch(url, into)?,
        Ok(url) if url.scheme() == "file" => open_folder(&url.to_file_path().map_err(|()| GitError::Address(address.to_owned()))?)?,
        _ if Path::new(address).is_dir() => open_folder(Path::new(address))?,
        _ if bundle::is_one(Path::new(address)) => bundle::open(Path::new(address), into)?,
        _ => return Err(GitError::Address(without_secrets(address))),
    };
    repository.object_cache_size_if_unset(CACHE_BYTES);
    Ok(repository)
}

pub(super) fn options() -> gix::open::Options {
    let mut permissions = gix::open::Permissions::isolated();
    // Companies reach the world through the proxy that the environment names.
    permissions.env.http_transport = Permission::Allow;
    gix::open::Options::isolated().permissions(permissions)
}

fn open_folder(path: &Path) -> Result<gix::Repository, GitError> {
    gix::open_opts(path, options()).map_err(|error| GitError::Open { path: path.display().to_string(), reason: error.to_string() })
}

fn fetch(mut url: Url, into: &Path) -> Result<gix::Repository, GitError> {
    let account = account(&url);
    // The address that is connected to, and shown in errors, has no secret in it.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    let failed = |reason| GitError::Fetch { address: url.to_string(), reason };
    std::fs::create_dir_all(into).map_err(|error| failed(format!("`{}`: {error}", into.display())))?;
    fetch_into(&url, account, into).map_err(|error| failed(chain(&error)))
}

fn fetch_into(url: &Url, account: Option<Account>, into: &Path) -> Result<gix::Repository, gix::Error> {
    let mut repository: gix::Repository = match gix::open_opts(into, options().open_path_as_is(true)) {
        Ok(repository) => repository,
        Err(_) => {
            let empty_only = gix::create::Options { destination_must_be_empty: Some(true), ..Default::default() };
            gix::ThreadSafeRepository::init_opts(into, gix::create::Kind::Bare, empty_only, options())?.into()
        }
    };
    if let Some(account) = account.as_ref().filter(|_| is_loopback(url)) {
        let mut config = repository.config_snapshot_mut();
        config.set_raw_value("http.extraHeader", basic(account).as_str())?;
        config.commit()?;
    }
    let remote = repository.remote_at(url.as_str())?.with_fetch_tags(Tags::None).with_refspecs(BRANCHES_AND_TAGS, Direction::Fetch)?;
    let is_shown = is_loopback(url);
    let connection = remote.connect(Direction::Fetch)?.with_credentials(move |action| match (action, &account) {
        (Action::Get(context), Some(account)) if !is_shown => Ok(Some(Outcome { identity: account.clone(), next: context.into() })),
        (Action::Get(_), Some(_)) => Err(refused("the server refuses the token")),
        (Action::Get(_), None) => Err(refused("the server asks for a token and the address holds none")),
        _ => Ok(None),
    });
    connection.prepare_fetch(Discard, Default::default())?.receive(Discard, &AtomicBool::new(false))?;
    drop(remote);
    Ok(repository)
}

/// The user and token of an address; a token alone may stand where the user does.
fn account(url: &Url) -> Option<Account> {
    // The form's reader undoes the percent signs; what has a meaning of its own in forms is kept from it.
    let decoded = |text: &str| {
        let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
        url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned())
    };
    let username = decoded(url.username()).unwrap_or_default();
    let password = url.password().and_then(decoded).unwrap_or_default();
    let is_given = !username.is_empty() || !password.is_empty();
    is_given.then_some(Account { username, password, oauth_refresh_token: None })
}

fn refused(why: &'static str) -> gix::Error {
    gix::Error::from_error(gix::error::message(why))
}

/// Tokens go over https only; on this machine alone they may go in clear, which `gix` must be told by way of a header.
fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

fn basic(account: &Account) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{}:{}", account.username, account.password)))
}

/// What went wrong, down to its cause: "cannot connect" alone helps nobody.
fn chain(error: &gix::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !texts.iter().any(|before| before.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    texts.join(": ")
}

/// An address that we do not understand may still hold a password.
fn without_secrets(address: &str) -> String {
    match address.split_once('@') {
        Some((before, rest)) => format!("{}…@{rest}", before.find("://").map_or("", |at| &before[..at + 3])),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_we_cannot_read_show_no_secret() {
        for (address, shown) in [
            ("git@git.acme.io:shop/checkout.git", "`…@git.acme.io:shop/checkout.git`"),
            ("ssh://me:hunter2@git.acme.io/shop", "`ssh://…@git.acme.io/shop`"),
            ("no/such/folder", "`no/such/folder`"),
        ] {
            let error = open(address, Path::new("unused")).expect_err("no address of ours").to_string();
            assert_eq!(
                error,
                format!("{shown} is neither a folder, nor a bundle, nor an http address: give the path of a clone, or `https://host/path`")
            );
        }
    }

    #[test]
    fn a_refused_connection_names_the_address_and_never_the_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = open("http://bot:hunter2@127.0.0.1:1/shop.git", &folder.path().join("clone")).expect_err("nobody listens").to_string();
        assert!(error.starts_with("cannot fetch `http://127.0.0.1:1/shop.git` ("), "{error}");
        assert!(error.ends_with("): check the address, the network and the token"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn accounts_are_decoded() {
        let account = account(&Url::parse("https://oauth2:a%2Bb+c%40@git.acme.io/shop").expect("an address")).expect("an account");
        assert_eq!((account.username.as_str(), account.password.as_str()), ("oauth2", "a+b+c@"));
    }
}
