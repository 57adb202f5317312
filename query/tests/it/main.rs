//! One binary for the crate's integration tests.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

mod compare;
mod definitions_doc;
mod explain;
mod ledger;
mod lineage;
mod oracle;
mod presets;
mod rules;
mod slt;
mod then;
mod world;
