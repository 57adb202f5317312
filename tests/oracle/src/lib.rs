//! A slow, plain and independent implementation of Flowgauge's metric definitions, to check the product with.
//!
//! It shares no code with the product. "Rule n" in a comment is rule n of section 7 of the definitions; what a rule leaves open is
//! listed under "Readings" in the README of this crate, and so are "V1" to "V6" and "G1" to "G13".

mod answer;
mod deployments;
mod drift;
mod facts;
mod failures;
mod fold;
mod gates;
mod generate;
mod graph;
mod items;
mod jobs;
mod lead_time;
mod pipelines;
mod promotion;
mod question;
mod row;
mod score;
mod state;
mod stats;
mod test_results;
mod time;
mod verdicts;
mod world;

pub use answer::answer;
pub use question::{Bucket, METRICS, Question};
pub use row::Row;
pub use world::World;
