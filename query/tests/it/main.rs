//! One binary for the crate's integration tests.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

mod compare;
mod explain;
mod oracle;
mod rules;
mod slt;
mod world;
