//! Who and what: tenant, source, event. Newtypes, parsed once at the edge.

use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(name: impl AsRef<str>) -> Self {
                $name(Arc::from(name.as_ref()))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
name!(
    /// Whose data it is: part of every key and of every query. Comes from a token or a source, never from a request's parameters.
    Tenant
);
name!(
    /// Where a row came from: the configured name of a source, or `import`.
    Source
);

impl Default for Tenant {
    fn default() -> Self {
        Tenant::new("default")
    }
}

/// The identity of a raw event: 16 bytes of SHA-256 over tenant, source and what makes a delivery itself
/// (its delivery id, else its kind and body). The same delivery has the same id on any machine, so it is also the dedupe key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    pub fn of(tenant: &Tenant, source: &Source, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in [tenant.as_str().as_bytes(), source.as_str().as_bytes()].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        EventId(id)
    }

    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        EventId(bytes)
    }

    /// 32 hex digits, as they stand in URLs and tables.
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).ok().map(|()| EventId(id))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
