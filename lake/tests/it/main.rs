//! The lake as others use it, on a real folder. One binary, so that linking is paid once.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

mod crash;
mod flush;
mod replay;
mod schema_doc;
mod support;
