//! End-to-end tests: the real binary, its real command line, real connections.

mod cli;
mod crash;
mod expected;
mod fresh;
mod numbers;
mod sample;
mod server;
