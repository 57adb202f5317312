//! A delivery on its way in. Unverified and verified are different types, so nobody can forward the one for the other.

use bytes::Bytes;
use std::marker::PhantomData;

/// Header names in lower case, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    pub fn new(headers: impl IntoIterator<Item = (String, String)>) -> Self {
        Headers(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
    }

    /// The header's value; `None` if it is missing or stands there twice (a repeated signature proves nothing).
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = found.next();
        if found.next().is_some() { None } else { first }
    }

    /// The headers named, in that order.
    pub fn keep(&self, names: &[&str]) -> Vec<(String, String)> {
        names.iter().filter_map(|name| self.get(name).map(|value| ((*name).to_owned(), value.to_owned()))).collect()
    }
}

pub struct Unverified(());
pub struct Verified(());

/// One HTTP delivery: headers and the bytes as they came.
pub struct Webhook<State> {
    pub headers: Headers,
    pub body: Bytes,
    state: PhantomData<State>,
}

impl Webhook<Unverified> {
    pub fn new(headers: Headers, body: Bytes) -> Self {
        Webhook { headers, body, state: PhantomData }
    }

    /// Called by a provider once the delivery has proved itself.
    pub(crate) fn verified(self) -> Webhook<Verified> {
        Webhook { headers: self.headers, body: self.body, state: PhantomData }
    }
}

/// Why a delivery was not taken. The answer to the sender never tells which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("the signature is missing")]
    MissingSignature,
    #[error("the signature is wrong")]
    BadSignature,
    #[error("the signature is too old")]
    Expired,
}

impl Rejected {
    /// The word for counters and `/sources`.
    pub const fn reason(self) -> &'static str {
        match self {
            Rejected::MissingSignature => "missing_signature",
            Rejected::BadSignature => "bad_signature",
            Rejected::Expired => "expired_signature",
        }
    }
}
