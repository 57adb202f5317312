//! What is to be compared, parsed once at the edge: two windows and filters.

use crate::error::QueryError;
use crate::question::{Dimension, Display, Extent, Question, time};
use flowgauge_lake::model::{Time, nearest};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// A window, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    #[serde(serialize_with = "moment")]
    pub from: Time,
    #[serde(serialize_with = "moment")]
    pub to: Time,
}

fn moment<S: Serializer>(at: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub before: Span,
    pub after: Span,
    /// By team and service; any of the values.
    pub filters: BTreeMap<Dimension, Vec<String>>,
    display: Display,
}

impl Comparison {
    /// Reads the parameters of an address or a command line. Several teams or services are alternatives.
    pub fn parse(parameters: &[(String, String)], now: Time, display: Display) -> Result<Comparison, QueryError> {
        let (mut before, mut after, mut filters) = (None, None, BTreeMap::<Dimension, Vec<String>>::new());
        for (name, value) in parameters {
            match name.as_str() {
                "before" => before = Some(Span::parse(name, value, now)?),
                "after" => after = Some(Span::parse(name, value, now)?),
                "team" => filters.entry(Dimension::Team).or_default().push(value.clone()),
                "service" => filters.entry(Dimension::Service).or_default().push(value.clone()),
                other => {
                    let nearest = nearest(other, ["before", "after", "team", "service"]).map(str::to_owned);
                    return Err(QueryError::UnknownParameter { name: other.to_owned(), nearest });
                }
            }
        }
        let missing = |name: &str| QueryError::MissingParameter { name: name.to_owned(), expected: SPAN.to_owned() };
        let (before, after) = (before.ok_or_else(|| missing("before"))?, after.ok_or_else(|| missing("after"))?);
        if before.to > after.from {
            return Err(QueryError::BadParameter {
                name: "after".into(),
                value: format!("{}..{}", after.from, after.to),
                expected: format!("a window that starts when `before` has ended ({}): no value may count on both sides", before.to),
            });
        }
        Ok(Comparison { before, after, filters, display })
    }

    pub(super) fn question(&self, metric: &'static str, window: Span, by: &[Dimension], extent: Extent, now: Time) -> Question {
        let filters = self.filters.clone();
        Question { from: window.from, to: window.to, by: by.to_vec(), filters, extent, ..Question::new(metric, now, self.display) }
    }
}

const SPAN: &str = "two moments with `..` between, the earlier first, as `2026-01-01..2026-02-01` or `now-60d..now-30d`";

impl Span {
    fn parse(name: &str, value: &str, now: Time) -> Result<Span, QueryError> {
        let bad = |value: &str, expected: &str| QueryError::BadParameter {
            name: name.to_owned(),
            value: value.to_owned(),
            expected: expected.to_owned(),
        };
        let (from, to) = value.split_once("..").ok_or_else(|| bad(value, SPAN))?;
        let moment = |text: &str| time(text, now).ok_or_else(|| bad(text, "RFC 3339, a date, epoch milliseconds or `now-30d`"));
        let span = Span { from: moment(from)?, to: moment(to)? };
        if span.from < span.to { Ok(span) } else { Err(bad(value, SPAN)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Comparison, String> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Time::parse("2026-07-01T12:00:00Z").expect("a time");
        Comparison::parse(&pairs, now, Display::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn windows_take_moments_in_many_forms() {
        let found = parse(&[("before", "2026-05-01..2026-05-31T00:00:00+02:00"), ("after", "now-30d..now"), ("team", "a"), ("team", "b")]);
        let found = found.expect("a comparison");
        let written = |span: Span| (span.from.to_string(), span.to.to_string());
        assert_eq!(written(found.before), ("2026-05-01T00:00:00Z".to_owned(), "2026-05-30T22:00:00Z".to_owned()));
        assert_eq!(written(found.after), ("2026-06-01T12:00:00Z".to_owned(), "2026-07-01T12:00:00Z".to_owned()));
        assert_eq!(found.filters, BTreeMap::from([(Dimension::Team, vec!["a".to_owned(), "b".to_owned()])]));
    }

    #[test]
    fn slips_are_named() {
        let good = ("after", "now-30d..now");
        for (pairs, named) in [
            (vec![good], "`before` is missing"),
            (vec![("before", "2026-01-01..2026-02-01")], "`after` is missing"),
            (vec![good, ("before", "2026-01-01")], "`2026-01-01` is no value for `before`"),
            (vec![good, ("before", "yesterdy..now-30d")], "`yesterdy` is no value for `before`"),
            (vec![good, ("before", "2026-02-01..2026-01-01")], "`2026-02-01..2026-01-01` is no value for `before`"),
            (vec![good, ("before", "now-60d..now-29d")], "starts when `before` has ended (2026-06-02T12:00:00Z)"),
            (vec![good, ("befor", "now-60d..now-30d")], "did you mean `before`?"),
        ] {
            let said = parse(&pairs).expect_err(named);
            assert!(said.contains(named), "{said}");
        }
    }
}
