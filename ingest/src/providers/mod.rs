//! The registry: one line per provider, alphabetical.

use crate::provider::Provider;

pub mod argocd;
pub mod github;
pub mod gitlab;
pub mod pagerduty;
pub(crate) mod shared;

/// Every provider there is.
pub static ALL: &[&dyn Provider] = &[&argocd::Argocd, &github::Github, &gitlab::Gitlab, &pagerduty::Pagerduty];

pub fn by_kind(kind: &str) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.kind() == kind)
}
