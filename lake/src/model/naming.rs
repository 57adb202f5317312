//! What names mean when nothing is configured: the tier of an environment, the repository of an address.

use super::Cell;
use super::cell::{ColumnType, Value};

/// How close to users an environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Other,
    Development,
    Testing,
    Staging,
    Production,
}

impl Tier {
    pub const ALL: &'static [&'static str] = &["other", "development", "testing", "staging", "production"];

    pub const fn as_str(self) -> &'static str {
        Tier::ALL[self as usize]
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Tier::Other, Tier::Development, Tier::Testing, Tier::Staging, Tier::Production].into_iter().find(|tier| tier.as_str() == text)
    }

    /// Development 0 … production 3; other has no place on the ladder.
    pub const fn rank(self) -> Option<i64> {
        match self {
            Tier::Other => None,
            tier => Some(tier as i64 - 1),
        }
    }
}

impl Value for Tier {
    const TYPE: ColumnType = ColumnType::Choice(Tier::ALL);
    fn into_cell(self) -> Cell {
        Cell::Text(self.as_str().to_owned())
    }
    fn from_cell(cell: &Cell) -> Option<Self> {
        cell.as_text().and_then(Tier::parse)
    }
}

/// The tier that an environment's name tells, by whole parts between non-alphanumerics:
/// `prod-eu` is production, `pre-prod` staging, `products` other (semantics, 7.13).
pub fn tier_of(environment: &str) -> Tier {
    let name = environment.to_lowercase();
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let has = |words: &[&str]| parts.iter().any(|part| words.contains(part));
    let pre_prod = parts.windows(2).any(|pair| pair == ["pre", "prod"]);
    if pre_prod || has(&["preprod", "staging", "stage", "uat"]) {
        Tier::Staging
    } else if has(&["prod", "production", "live"]) {
        Tier::Production
    } else if has(&["qa", "test", "testing"]) {
        Tier::Testing
    } else if has(&["dev", "development"]) {
        Tier::Development
    } else {
        Tier::Other
    }
}

/// `host/path` of a repository's address: no scheme, no user, no port, no `.git`, host in lower case.
/// Reads `https://host/a/b.git`, `ssh://git@host:22/a/b`, `git@host:a/b.git` and `host/a/b`.
pub fn repo_name(address: &str) -> Option<String> {
    let address = address.trim();
    let (rest, has_scheme) = match address.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (address, false),
    };
    let rest = match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => rest,
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = if has_scheme {
        let (host, path) = rest.split_once('/')?;
        (host.split(':').next().unwrap_or(host), path)
    } else {
        match (rest.find(':'), rest.find('/')) {
            (Some(colon), slash) if slash.is_none_or(|slash| colon < slash) => (&rest[..colon], &rest[colon + 1..]),
            (_, Some(slash)) => (&rest[..slash], &rest[slash + 1..]),
            _ => return None,
        }
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!host.is_empty() && !path.is_empty()).then(|| format!("{}/{path}", host.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_by_whole_words() {
        for (name, tier) in [
            ("prod", Tier::Production),
            ("prod-eu", Tier::Production),
            ("Production", Tier::Production),
            ("live", Tier::Production),
            ("pre-prod", Tier::Staging),
            ("preprod", Tier::Staging),
            ("review/uat", Tier::Staging),
            ("qa_2", Tier::Testing),
            ("dev", Tier::Development),
            ("products", Tier::Other),
        ] {
            assert_eq!(tier_of(name), tier, "{name}");
        }
    }

    #[test]
    fn repositories_by_host_and_path() {
        for (address, repo) in [
            ("https://GitLab.acme.io/shop/checkout.git", "gitlab.acme.io/shop/checkout"),
            ("ssh://git@git.acme.io:2222/shop/checkout.git", "git.acme.io/shop/checkout"),
            ("git@github.com:acme/Checkout.git", "github.com/acme/Checkout"),
            ("http://10.0.0.2:3000/acme/a", "10.0.0.2/acme/a"),
            ("github.com/acme/a", "github.com/acme/a"),
        ] {
            assert_eq!(repo_name(address).as_deref(), Some(repo));
        }
        assert_eq!(repo_name("nothing"), None);
    }
}
