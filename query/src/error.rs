//! What can go wrong when a question is asked. The text is for the person who asked.

#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("unknown metric `{id}`{}", nearest.as_ref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    UnknownMetric { id: String, nearest: Option<String> },
    #[error("unknown parameter `{name}`{}", nearest.as_ref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    UnknownParameter { name: String, nearest: Option<String> },
    #[error("`{name}` is missing: expected {expected}")]
    MissingParameter { name: String, expected: String },
    #[error("`{value}` is no value for `{name}`: expected {expected}")]
    BadParameter { name: String, value: String, expected: String },
    #[error("the statement was refused: {0}")]
    BadStatement(String),
    #[error("the query engine failed: {0}")]
    Engine(#[from] datafusion::error::DataFusionError),
    #[error("the answer could not be put into columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl QueryError {
    /// Whether the question was wrong, rather than us.
    pub const fn is_askers(&self) -> bool {
        !matches!(self, QueryError::Engine(_) | QueryError::Arrow(_))
    }
}
