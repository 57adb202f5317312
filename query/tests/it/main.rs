//! One binary for the crate's integration tests.

mod oracle;
mod rules;
mod slt;
