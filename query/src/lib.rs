//! Questions and answers: entities, facts, metrics as SQL, and the engine that keeps them fresh.

pub mod answer;
pub mod buckets;
pub mod catalogue;
pub mod definitions;
pub mod entities;
mod error;
pub mod facts;
pub mod functions;
pub mod metric;
pub mod question;
mod run;
mod scope;

pub use error::QueryError;
pub use run::run;
