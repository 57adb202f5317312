//! The compliance suite: what every provider in the registry must keep. A new provider is tested by being registered.

mod auth;
mod fixtures;
mod git_fetch;
mod git_history;
mod git_manifests;
mod hostile;
mod readmes;
mod real_payloads;
mod real_payloads_argocd;
mod real_payloads_github;
mod real_payloads_gitlab;
mod real_payloads_pagerduty;
mod support;
