//! The lake as others use it, on a real folder. One binary, so that linking is paid once.

mod crash;
mod flush;
mod replay;
mod schema_doc;
mod support;
