//! The secrets of a source: none (loopback only), one, or two while one is rotated.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

#[derive(Clone, Default)]
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// No secret: every delivery is taken as it is. Only for sources on a loopback address.
    pub fn none() -> Self {
        Secrets::default()
    }

    /// Empty secrets are refused: they would accept everything.
    pub fn new(secrets: Vec<Vec<u8>>) -> Option<Self> {
        (!secrets.is_empty() && secrets.iter().all(|secret| !secret.is_empty())).then_some(Secrets(secrets))
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Whether `shown` is one of the secrets, in constant time.
    pub fn matches(&self, shown: &[u8]) -> bool {
        let shown = Sha256::digest(shown);
        self.iter().fold(false, |found, secret| found | bool::from(Sha256::digest(secret).ct_eq(&shown)))
    }

    /// Whether `signature` (raw bytes) is the HMAC-SHA256 of `parts` under one of the secrets, in constant time.
    pub fn signed(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.iter().fold(false, |found, secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
            parts.iter().for_each(|part| mac.update(part));
            found | mac.verify_slice(signature).is_ok()
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}
