//! Everything that speaks HTTP: receivers, JSON API, Prometheus, pages. The only crate that knows HTML and status codes.

mod accept;
mod api;
mod app;
mod auth;
pub mod config;
mod counters;
mod error;
pub mod exposition;
mod form_token;
mod hooks;
mod pages;
mod rows;
mod server;

pub use app::App;
pub use rows::json_rows;
pub use server::{log_to_stderr, router, serve};
