//! End-to-end tests: the real binary, its real command line, real connections.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

mod browser;
mod cli;
mod corpus;
mod crash;
mod expected;
mod fresh;
mod gitops;
mod numbers;
mod prometheus;
mod reload;
mod rules;
mod sample;
mod server;
