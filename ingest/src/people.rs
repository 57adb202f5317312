//! Pseudonyms: people are keyed hashes unless the owner asks for clear names. Nobody is ever ranked.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// How a person's name is written into rows.
#[derive(Clone)]
pub enum People {
    Clear,
    /// HMAC-SHA256 with the tenant's key, 16 hex digits.
    Pseudonym(Vec<u8>),
}

impl People {
    /// The person as rows name them. Pass what is stable at the provider: the login or the e-mail.
    pub fn name(&self, person: &str) -> String {
        match self {
            People::Clear => person.to_owned(),
            People::Pseudonym(key) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
                mac.update(person.to_lowercase().as_bytes());
                hex::encode(&mac.finalize().into_bytes()[..8])
            }
        }
    }
}

/// The key is a secret.
impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            People::Clear => "Clear",
            People::Pseudonym(_) => "Pseudonym(…)",
        })
    }
}
