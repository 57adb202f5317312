//! The parameters of an address: a list of pairs, since several values of one name are alternatives. What is not known is an error
//! that names the nearest known word.

use crate::error::AppError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use flowgauge_lake::model::nearest;
use flowgauge_query::QueryError;
use std::convert::Infallible;

#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Parameters::of(parts.uri.query().unwrap_or_default()))
    }
}

impl Parameters {
    /// Those of the part of an address behind the `?`.
    pub fn of(query: &str) -> Self {
        Parameters(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Takes a parameter that has one value out of the list; of several the last.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let mut value = None;
        self.0.retain(|(key, given)| {
            let is_it = key == name;
            if is_it {
                value = Some(given.clone());
            }
            !is_it
        });
        value
    }

    /// What is left.
    pub fn rest(self) -> Vec<(String, String)> {
        self.0
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Refuses any parameter that is not known.
    pub fn only<'a>(&self, known: impl IntoIterator<Item = &'a str> + Clone) -> Result<(), AppError> {
        for (name, _) in &self.0 {
            if !known.clone().into_iter().any(|word| word == name) {
                let nearest = nearest(name, known).map(str::to_owned);
                return Err(QueryError::UnknownParameter { name: name.clone(), nearest }.into());
            }
        }
        Ok(())
    }
}

pub fn bad(name: &str, value: &str, expected: &str) -> AppError {
    QueryError::BadParameter { name: name.to_owned(), value: value.to_owned(), expected: expected.to_owned() }.into()
}
