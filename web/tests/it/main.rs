//! The whole router in process, over a data folder of its own.

mod api;
mod items;
mod metrics;
mod pages;
mod support;
mod verdicts;
