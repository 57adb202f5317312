//! Git history as rows of `commits`.
