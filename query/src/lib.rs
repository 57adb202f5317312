//! Questions and answers: entities, facts, metrics as SQL, and the engine that keeps them fresh.

pub mod answer;
pub mod buckets;
pub mod catalogue;
pub mod compare;
pub mod definitions;
pub mod diff;
mod engine;
pub mod entities;
mod error;
pub mod explain;
pub mod facts;
pub mod functions;
pub mod list;
pub mod metric;
mod metric_function;
mod persist;
pub mod question;
mod run;
mod scope;
mod sql;
mod statement;
pub mod statistics;

pub use engine::{Engine, Found, Rules};
pub use error::QueryError;
pub use metric_function::MetricFunction;
pub use persist::{Written, persist_facts};
pub use run::run;
pub use sql::Sql;
