//! Questions and answers: entities, facts, metrics as SQL, and the engine that keeps them fresh.

pub mod catalogue;
pub mod definitions;
pub mod entities;
pub mod facts;
