//! Everything that brings events in: providers (one folder each), verification, normalising, our own schema, git history, manifests.
//! Knows no DataFusion and no HTTP server: bytes and headers in, raw events and observations out.

mod environments;
pub mod git;
pub mod manifests;
mod normaliser;
mod own;
mod people;
mod provider;
pub mod providers;
mod secret;
mod webhook;

pub use normaliser::Normaliser;
pub use own::{OWN_KIND, OwnSchemaError, own_event, own_lines};
pub use people::People;
pub use provider::{NormaliseError, Provider, Rules};
pub use secret::Secrets;
pub use webhook::{Headers, Rejected, Unverified, Verified, Webhook};
