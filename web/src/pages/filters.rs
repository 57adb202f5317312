//! What a page shows, read once from its query string. The same words mean the same as in the API. Unknown names and values are
//! errors that name the nearest known one; what a form leaves empty is as if it were not there.

use super::address;
use chrono_tz::Tz;
use flowgauge_lake::model::{DeploymentClass, DeploymentKind, Outcome, Time, nearest};
use flowgauge_query::buckets::Bucketing;
use flowgauge_query::facts::Facts;
use flowgauge_query::question::{Dimension, Display, Question, time};
use flowgauge_query::{QueryError, Rules};
use std::collections::BTreeSet;

/// The parameters in the order in which an address has them.
const ORDER: &[&str] = &[
    "from",
    "to",
    "by",
    "source",
    "team",
    "service",
    "environment",
    "class",
    "kind",
    "outcome",
    "counted",
    "attributed",
    "bucket",
    "tz",
    "offset",
    "theme",
];
/// Those that may be given several times: any of the values.
const LISTS: &[&str] = &["team", "service", "environment", "class", "kind", "outcome"];
/// Buckets of a trend beyond which a page would show nothing but lines.
const MAX_BUCKETS: f64 = 400.0;
const DEFAULT_FROM: &str = "now-90d";

/// Windows that people ask for: value of `from`, text, days.
pub const PRESETS: [(&str, &str); 4] =
    [("now-30d", "30 days"), (DEFAULT_FROM, "90 days"), ("now-180d", "180 days"), ("now-365d", "1 year")];

#[derive(Clone, Debug)]
pub struct Filters {
    /// The canonical parameters.
    pairs: Vec<(&'static str, String)>,
    /// Whether the address had parameters that its canonical form has not.
    pub is_untidy: bool,
    pub from: Time,
    pub to: Time,
    pub as_of: Time,
    pub bucket: Bucketing,
    pub offset: usize,
    pub display: Display,
    /// What the page itself is about, besides what the query string says.
    scope: Option<(Dimension, String)>,
}

/// The end of "now": the last full minute, or the latest receipt if that is later. It moves only with the minute and with what
/// comes in, so that answers stay in the engine's cache while nothing happens, and what came in just now is still seen.
pub fn end_of_now(now: Time, data_as_of: Option<Time>) -> Time {
    let up_to = |at: Time, second: i64| Time::from_seconds(at.micros().div_euclid(second * 1_000_000) * second);
    let minute = up_to(now, 60);
    match data_as_of {
        Some(receipt) if receipt >= minute => up_to(receipt.min(now), 1).plus_seconds(1),
        _ => minute,
    }
}

impl Filters {
    /// Reads a query string; `allowed` are the parameters that the page knows.
    pub fn parse(query: &str, allowed: &[&'static str], facts: &Facts, rules: &Rules, now: Time) -> Result<Filters, QueryError> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        let mut is_untidy = false;
        let known: Vec<&'static str> = allowed.iter().copied().chain(["theme"]).collect();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let Some(&name) = known.iter().find(|known| **known == name) else {
                let nearest = nearest(&name, known.iter().copied()).map(str::to_owned);
                return Err(QueryError::UnknownParameter { name: name.into_owned(), nearest });
            };
            let value = value.trim();
            if value.is_empty() {
                is_untidy = true;
                continue;
            }
            if !LISTS.contains(&name) {
                let before = pairs.len();
                pairs.retain(|(other, _)| *other != name);
                is_untidy |= pairs.len() < before;
            }
            if !pairs.iter().any(|(other, given)| *other == name && given == value) {
                pairs.push((name, value.to_owned()));
            }
        }
        pairs.sort_by_key(|(name, _)| ORDER.iter().position(|other| other == name));
        check_names(&pairs, facts)?;
        let end = end_of_now(now, facts.data_as_of);
        let mut filters = Filters {
            pairs,
            is_untidy,
            from: end,
            to: end,
            as_of: end,
            bucket: Bucketing::None,
            offset: 0,
            display: rules.display,
            scope: None,
        };
        filters.read(end)?;
        Ok(filters)
    }

    fn read(&mut self, end: Time) -> Result<(), QueryError> {
        let moment = |name: &'static str, default: &str| {
            let text = self.value(name).unwrap_or(default);
            time(text, end).ok_or_else(|| bad(name, text, "a date, RFC 3339 or `now-30d`"))
        };
        let (from, to) = (moment("from", DEFAULT_FROM)?, moment("to", "now")?);
        if from >= to {
            return Err(bad("from", self.value("from").unwrap_or(DEFAULT_FROM), &format!("a moment before `to` ({to})")));
        }
        (self.from, self.to) = (from, to);
        if let Some(text) = self.value("tz") {
            self.display.tz = text.parse().map_err(|_| bad("tz", text, &zone_hint(text)))?;
        }
        let days = to.seconds_since(from) / 86_400.0;
        self.bucket = match self.value("bucket") {
            Some("day") => Bucketing::Day,
            Some("week") => Bucketing::Week,
            Some("month") => Bucketing::Month,
            Some(text) => return Err(bad("bucket", text, &one_of(text, &["day", "week", "month"]))),
            None if days <= 14.0 => Bucketing::Day,
            None if days <= 200.0 => Bucketing::Week,
            None => Bucketing::Month,
        };
        let length = match self.bucket {
            Bucketing::None | Bucketing::Day => 1.0,
            Bucketing::Week => 7.0,
            Bucketing::Month => 28.0,
        };
        if days / length > MAX_BUCKETS {
            let (name, text) = if self.value("bucket").is_some() {
                ("bucket", self.bucket.as_str())
            } else {
                ("from", self.value("from").unwrap_or_default())
            };
            return Err(bad(name, text, &format!("at most {MAX_BUCKETS} buckets: take a longer bucket or a shorter window")));
        }
        if let Some(text) = self.value("by")
            && !["team", "service"].contains(&text)
        {
            return Err(bad("by", text, &one_of(text, &["team", "service"])));
        }
        if let Some(text) = self.value("offset") {
            self.offset = text.parse().map_err(|_| bad("offset", text, "a whole number"))?;
        }
        match self.value("theme") {
            None | Some("light" | "dark") => Ok(()),
            Some(text) => Err(bad("theme", text, &one_of(text, &["light", "dark"]))),
        }
    }

    /// Narrows everything to what the page is about.
    #[must_use]
    pub fn scoped(mut self, dimension: Dimension, name: &str) -> Self {
        self.scope = Some((dimension, name.to_owned()));
        self
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    pub fn tz(&self) -> Tz {
        self.display.tz
    }

    /// Whether a window is asked for: lists show everything without one.
    pub fn has_window(&self) -> bool {
        self.value("from").is_some() || self.value("to").is_some()
    }

    /// The preset of the window, if it is one.
    pub fn preset(&self) -> Option<&str> {
        let from = if self.has_window() { self.value("from")? } else { DEFAULT_FROM };
        PRESETS.iter().map(|(preset, _)| *preset).find(|preset| *preset == from && self.value("to").is_none())
    }

    /// The same page with one parameter changed, on its first page.
    pub fn with(&self, path: &str, name: &str, value: Option<&str>) -> String {
        let kept = self.pairs.iter().filter(|(other, _)| *other != name && *other != "offset");
        let mut pairs: Vec<(&str, &str)> = kept.map(|(other, given)| (*other, given.as_str())).collect();
        pairs.extend(value.map(|value| (name, value)));
        pairs.sort_by_key(|(name, _)| ORDER.iter().position(|other| other == name));
        address::with_query(path, pairs)
    }

    /// The same page over another window, `None` for the default.
    pub fn with_window(&self, path: &str, from: Option<&str>) -> String {
        let without_end = Filters { pairs: self.pairs.iter().filter(|(name, _)| *name != "to").cloned().collect(), ..self.clone() };
        without_end.with(path, "from", from)
    }

    /// Another page with those of these parameters that are given here, and more.
    pub fn carry(&self, path: &str, names: &[&str], more: &[(&'static str, &str)]) -> String {
        let mut pairs: Vec<(&str, &str)> =
            self.pairs.iter().filter(|(name, _)| names.contains(name)).map(|(name, value)| (*name, value.as_str())).collect();
        pairs.extend(more);
        pairs.sort_by_key(|(name, _)| ORDER.iter().position(|other| other == name));
        address::with_query(path, pairs)
    }

    /// The address that says the same in the fewest words.
    pub fn canonical(&self, path: &str) -> String {
        address::with_query(path, self.pairs.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// The question about one number for the whole of what is shown.
    pub fn question(&self, metric: &'static str) -> Question {
        let mut question = Question::new(metric, self.as_of, self.display);
        (question.from, question.to) = (self.from, self.to);
        for (dimension, name) in [(Dimension::Team, "team"), (Dimension::Service, "service"), (Dimension::Environment, "environment")] {
            let values: Vec<String> = self.values(name).map(str::to_owned).collect();
            if !values.is_empty() {
                question.filters.insert(dimension, values);
            }
        }
        if let Some((dimension, name)) = &self.scope {
            question.filters.insert(*dimension, vec![name.clone()]);
        }
        question
    }

    /// The same question about as long a time before, with what is known today.
    pub fn question_before(&self, metric: &'static str) -> Question {
        let mut question = self.question(metric);
        let length = (self.to.min(self.as_of).micros()).saturating_sub(self.from.micros()).max(1);
        question.to = self.from;
        question.from = Time::from_micros(self.from.micros().saturating_sub(length));
        question
    }

    /// The query of the API that answers with what is shown: moments, not `now-30d`, so that it stays the same.
    pub fn api(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut pairs: Vec<(&str, String)> =
            vec![("from", self.from.to_string()), ("to", self.to.to_string()), ("as_of", self.as_of.to_string())];
        let filters = self.pairs.iter().filter(|(name, _)| ["team", "service", "environment", "tz"].contains(name));
        pairs.extend(filters.map(|(name, value)| (*name, value.clone())));
        pairs.extend(self.scope.iter().map(|(dimension, name)| (dimension.as_str(), name.clone())));
        pairs.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        address::with_query(path, pairs)
    }
}

fn bad(name: &str, value: &str, expected: &str) -> QueryError {
    QueryError::BadParameter { name: name.to_owned(), value: value.to_owned(), expected: expected.to_owned() }
}

fn one_of(value: &str, names: &[&str]) -> String {
    let hint = nearest(value, names.iter().copied()).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    format!("{}{hint}", names.join(", "))
}

fn zone_hint(text: &str) -> String {
    match nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name())) {
        Some(name) => format!("an IANA time zone, as `{name}`"),
        None => "an IANA time zone, as `Europe/Berlin`".to_owned(),
    }
}

/// The names that a filter may have: those that some row has.
fn check_names(pairs: &[(&'static str, String)], facts: &Facts) -> Result<(), QueryError> {
    for (name, value) in pairs {
        let (thing, known): (&str, BTreeSet<&str>) = match *name {
            "team" => ("team", teams(facts)),
            "service" => ("service", services(facts)),
            "environment" => ("environment", environments(facts)),
            "class" => ("class", DeploymentClass::ALL.iter().copied().collect()),
            "counted" | "attributed" => ("word", ["true", "false"].into()),
            "kind" => ("kind", DeploymentKind::ALL.iter().copied().collect()),
            "outcome" => ("outcome", Outcome::ALL.iter().copied().collect()),
            _ => continue,
        };
        if !known.contains(value.as_str()) {
            let expected = match nearest(value, known.iter().copied()) {
                Some(name) => format!("a known {thing}, did you mean `{name}`?"),
                None => format!("a known {thing}"),
            };
            return Err(bad(name, value, &expected));
        }
    }
    Ok(())
}

pub fn teams(facts: &Facts) -> BTreeSet<&str> {
    facts.catalogue.names().filter_map(|service| facts.catalogue.team(service)).collect()
}

pub fn services(facts: &Facts) -> BTreeSet<&str> {
    let of_apps = facts.apps.values().filter_map(|app| app.service.as_deref());
    let of_incidents = facts.links.iter().flat_map(|link| link.services.iter().map(String::as_str));
    facts.catalogue.names().chain(facts.services.keys().map(String::as_str)).chain(of_apps).chain(of_incidents).collect()
}

pub fn environments(facts: &Facts) -> BTreeSet<&str> {
    let of_deployments = facts.services.values().flat_map(|service| service.environments.keys().map(String::as_str));
    of_deployments.chain(facts.apps.values().filter_map(|app| app.environment.as_deref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: &[&str] = &["from", "to", "team", "bucket", "tz", "offset"];

    fn parse(query: &str) -> Result<Filters, String> {
        let now = Time::parse("2026-07-01T12:00:30Z").expect("a time");
        Filters::parse(query, ALLOWED, &Facts::default(), &Rules::default(), now).map_err(|error| error.to_string())
    }

    #[test]
    fn now_moves_with_the_minute_and_with_what_comes_in() {
        let at = |text: &str| Time::parse(text).expect("a time");
        let now = at("2026-07-01T12:00:30.5Z");
        assert_eq!(end_of_now(now, None), at("2026-07-01T12:00:00Z"));
        assert_eq!(end_of_now(now, Some(at("2026-07-01T11:00:00Z"))), at("2026-07-01T12:00:00Z"));
        assert_eq!(end_of_now(now, Some(at("2026-07-01T12:00:10.2Z"))), at("2026-07-01T12:00:11Z"));
        assert_eq!(end_of_now(now, Some(at("2030-01-01T00:00:00Z"))), at("2026-07-01T12:00:31Z"));
    }

    #[test]
    fn a_form_is_made_tidy() {
        let filters = parse("tz=Europe/Berlin&from=now-30d&from=&to=&bucket=").expect("valid");
        assert!(filters.is_untidy);
        assert_eq!(filters.canonical("/"), "/?from=now-30d&tz=Europe/Berlin");
        assert_eq!(filters.preset(), Some("now-30d"));
        let again = parse("from=now-30d&tz=Europe/Berlin").expect("valid");
        assert!(!again.is_untidy);
        assert_eq!(again.with("/", "bucket", Some("day")), "/?from=now-30d&bucket=day&tz=Europe/Berlin");
        assert_eq!(again.with_window("/", None), "/?tz=Europe/Berlin");
        let dated = parse("from=now-30d&from=2026-01-01&to=2026-02-01").expect("valid");
        assert_eq!(dated.canonical("/"), "/?from=2026-01-01&to=2026-02-01");
        assert_eq!(dated.preset(), None);
    }

    #[test]
    fn slips_are_named() {
        let wrong = |query: &str| parse(query).expect_err(query);
        assert_eq!(wrong("frm=now-1d"), "unknown parameter `frm`, did you mean `from`?");
        assert!(wrong("bucket=weeks").contains("did you mean `week`?"));
        assert!(wrong("tz=Europe/Berln").contains("Europe/Berlin"));
        assert!(wrong("team=nobody").contains("`nobody` is no value for `team`"));
        assert!(wrong("from=2026-02-01&to=2026-01-01").contains("before `to`"));
        assert!(wrong("from=1500-01-01").contains("at most 400 buckets"));
        assert!(wrong("theme=drak").contains("did you mean `dark`?"));
    }

    #[test]
    fn the_time_before_is_as_long() {
        let filters = parse("from=2026-06-01&to=2027-01-01").expect("valid");
        let before = filters.question_before("lead_time");
        assert_eq!(before.to, filters.from);
        assert_eq!(before.to.seconds_since(before.from), filters.as_of.seconds_since(filters.from));
    }
}
