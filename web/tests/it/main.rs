//! The whole router in process, over a data folder of its own.

mod api;
mod compare;
mod items;
mod metrics;
mod pages;
mod support;
mod verdicts;
