//! One binary for the crate's integration tests.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

mod definitions_doc;
mod explain;
mod oracle;
mod presets;
mod rules;
mod slt;
mod then;
mod world;
