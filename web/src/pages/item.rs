//! Reads what the API says of one thing, for the page about it.

use super::address;
use super::format::Moment;
use chrono_tz::Tz;
use flowgauge_lake::model::Time;
use serde_json::{Map, Value};

/// A row, or nothing.
#[derive(Clone, Copy)]
pub struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value) -> Self {
        Fields(value.as_object())
    }

    pub fn member(item: &'a Map<String, Value>, name: &str) -> Self {
        Fields(item.get(name).and_then(Value::as_object))
    }

    /// The rows of a member that is a list.
    pub fn list(item: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = Fields<'a>> {
        item.get(name).and_then(Value::as_array).into_iter().flatten().map(Fields::of)
    }

    pub fn is_there(&self) -> bool {
        self.0.is_some_and(|row| !row.is_empty())
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// Empty where there is none.
    pub fn word(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    pub fn time(&self, name: &str) -> Option<Time> {
        Time::parse(self.text(name)?)
    }

    pub fn moment(&self, name: &str, tz: Tz) -> Option<Moment> {
        self.time(name).map(|at| Moment::new(at, tz))
    }
}

/// A link to another thing.
pub struct Link {
    pub text: String,
    pub href: String,
    pub note: String,
}

/// The raw events behind an item, as the API names them.
pub fn raw_events(item: &Map<String, Value>) -> Vec<Link> {
    let event = |event: Fields<'_>| {
        Some(Link {
            text: event.word("event_id"),
            href: event.text("href").filter(|href| address::is_local(href))?.to_owned(),
            note: String::new(),
        })
    };
    Fields::list(item, "raw_events").filter_map(event).collect()
}
