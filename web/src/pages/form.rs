//! The form above a page: a plain GET form whose result is the page's address.

use super::filters::{Filters, PRESETS};
use super::format;
use askama::Template;
use chrono::NaiveDate;

/// Names beyond which a list to choose from is longer than it is helpful.
const NAMES: usize = 300;

#[derive(Template)]
#[template(path = "form.html")]
pub struct Form {
    pub path: String,
    pub presets: Vec<Preset>,
    pub selects: Vec<Select>,
    /// Parameters that the form keeps without showing them.
    pub hidden: Vec<(&'static str, String)>,
    /// Days that were asked for.
    pub from: String,
    pub to: String,
    pub tz: String,
    /// What is shown, in words.
    pub window: String,
    /// Filters that are set elsewhere, and the address without them.
    pub set: Vec<(String, String)>,
}

pub struct Preset {
    pub text: &'static str,
    pub href: String,
    pub is_chosen: bool,
}

pub struct Select {
    pub name: &'static str,
    pub label: &'static str,
    /// Empty: a name is typed in.
    pub choices: Vec<Choice>,
    pub is_multiple: bool,
    pub typed: String,
}

pub struct Choice {
    pub value: String,
    pub text: String,
    pub is_chosen: bool,
}

impl Select {
    fn new(name: &'static str, label: &'static str, choices: impl Iterator<Item = (String, String)>, filters: &Filters) -> Select {
        let given: Vec<&str> = filters.values(name).collect();
        let chosen = |value: &str| given.contains(&value) || (given.is_empty() && value.is_empty());
        Select {
            name,
            label,
            choices: choices.map(|(value, text)| Choice { is_chosen: chosen(&value), value, text }).collect(),
            is_multiple: given.len() > 1,
            typed: given.first().copied().unwrap_or_default().to_owned(),
        }
    }

    /// One of the names that there are, or `all` of them.
    pub fn of_names<'a>(
        name: &'static str,
        label: &'static str,
        all: &str,
        names: impl IntoIterator<Item = &'a str>,
        filters: &Filters,
    ) -> Select {
        let names: Vec<&str> = names.into_iter().collect();
        let choices =
            std::iter::once((String::new(), all.to_owned())).chain(names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())));
        Select::new(name, label, choices.take(if names.len() > NAMES { 0 } else { NAMES + 1 }), filters)
    }

    /// One of our own words.
    pub fn of_words(name: &'static str, label: &'static str, all: &str, words: &[&str], filters: &Filters) -> Select {
        let all = std::iter::once((String::new(), all.to_owned()));
        Select::new(name, label, all.chain(words.iter().map(|word| ((*word).to_owned(), format::words(word)))), filters)
    }

    /// What holds, what does not, or both.
    pub fn of_flag(name: &'static str, label: &'static str, texts: [&str; 3], filters: &Filters) -> Select {
        let choices = ["", "true", "false"].into_iter().zip(texts).map(|(value, text)| (value.to_owned(), text.to_owned()));
        Select::new(name, label, choices, filters)
    }
}

impl Form {
    /// The form of a page with numbers. `kept` are the parameters that it keeps besides the window.
    pub fn of_numbers(path: &str, filters: &Filters, kept: &[&'static str], mut selects: Vec<Select>) -> Form {
        selects.push(Select::of_words("bucket", "Trend by", "automatic", &["day", "week", "month"], filters));
        let tz = filters.tz();
        let end = filters.to.min(filters.as_of);
        let days = (end.seconds_since(filters.from) / 86_400.0).round() as i64;
        let (first, last) = (format::day(filters.from, tz), format::day(end, tz));
        let window = format!("{first} to {last} ({}), compared with the {} before", tz.name(), format::counted(days, "day", "days"));
        let presets = PRESETS.iter().map(|(from, text)| Preset {
            text,
            href: filters.with_window(path, (*from != "now-90d").then_some(*from)),
            is_chosen: filters.preset() == Some(*from),
        });
        Form { presets: presets.collect(), window, ..Form::of(path, filters, kept, selects) }
    }

    /// The form of a list, which without a window shows everything.
    pub fn of_list(path: &str, filters: &Filters, selects: Vec<Select>) -> Form {
        let is_windowed = filters.has_window();
        let all = Preset { text: "any time", href: filters.with_window(path, None), is_chosen: !is_windowed };
        let presets = PRESETS.iter().map(|(from, text)| Preset {
            text,
            href: filters.with_window(path, Some(from)),
            is_chosen: is_windowed && filters.preset() == Some(*from),
        });
        Form { presets: std::iter::once(all).chain(presets).collect(), ..Form::of(path, filters, &[], selects) }
    }

    fn of(path: &str, filters: &Filters, kept: &[&'static str], selects: Vec<Select>) -> Form {
        let mut hidden: Vec<(&'static str, String)> = Vec::new();
        // A day stands in its field. Any other moment is kept unseen; a day that is filled in wins over it.
        let mut day = |name: &'static str| {
            let given = filters.value(name).unwrap_or_default();
            if given.is_empty() || given.parse::<NaiveDate>().is_ok() {
                return given.to_owned();
            }
            hidden.push((name, given.to_owned()));
            String::new()
        };
        let (from, to) = (day("from"), day("to"));
        for name in kept.iter().chain(&["theme"]) {
            hidden.extend(filters.values(name).map(|value| (*name, value.to_owned())));
        }
        let set = kept.iter().filter(|name| ["service", "environment"].contains(*name));
        Form {
            path: path.to_owned(),
            presets: Vec::new(),
            selects,
            hidden,
            from,
            to,
            tz: filters.value("tz").unwrap_or_default().to_owned(),
            window: String::new(),
            set: set
                .flat_map(|name| filters.values(name).map(move |value| (format!("{name} {value}"), filters.with(path, name, None))))
                .collect(),
        }
    }
}
