//! Names of environments inside other names: of applications, namespaces, clusters, files and folders.

use flowgauge_lake::model::{Tier, tier_of};

/// A part of a name between non-alphanumerics, and where it stands.
struct Part<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

fn parts(name: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, separator) in name.match_indices(|c: char| !c.is_alphanumeric()).chain([(name.len(), "")]) {
        if at > start {
            parts.push(Part { text: &name[start..at], start, end: at });
        }
        start = at + separator.len();
    }
    parts
}

/// The environment's name within a name, by its parts: where it begins, where its word ends, where the region after that does.
struct Run {
    from: usize,
    word_to: usize,
    to: usize,
}

/// The environment's name at the end of a name, else at its beginning, and what is left: nothing if that is all of it.
pub(crate) fn at_an_end(name: &str) -> Option<(Option<&str>, &str)> {
    let parts = parts(name);
    let last = parts.len().checked_sub(1)?;
    let runs: Vec<Run> = (0..parts.len()).filter_map(|at| run(&parts, at)).collect();
    if let Some(run) = runs.iter().find(|run| run.to == last) {
        let service = run.from.checked_sub(1).map(|before| &name[parts[0].start..parts[before].end]);
        return Some((service, &name[parts[run.from].start..parts[run.to].end]));
    }
    let run = runs.iter().find(|run| run.from == 0)?;
    // A direction alone may belong to what follows: `prod-central-stock`.
    let after_word = parts[run.word_to + 1].text;
    let to = if is_region(after_word) || is_number(after_word) { run.to } else { run.word_to };
    Some((Some(&name[parts[to + 1].start..parts[last].end]), &name[parts[0].start..parts[to].end]))
}

/// The environment's name wherever it stands: `team-prod-payments`.
pub(crate) fn anywhere(name: &str) -> Option<String> {
    let parts = parts(name);
    let run = (0..parts.len()).find_map(|at| run(&parts, at))?;
    Some(name[parts[run.from].start..parts[run.to].end].to_owned())
}

/// How many parts, from `at` on, are a word for an environment: `prod`, `pre-prod`.
fn word(parts: &[Part], at: usize) -> Option<usize> {
    let is = |at: usize, word: &str| parts.get(at).is_some_and(|part| part.text.eq_ignore_ascii_case(word));
    if is(at, "pre") && is(at + 1, "prod") {
        return Some(2);
    }
    (tier_of(parts[at].text) != Tier::Other && !(at > 0 && is(at, "prod") && is(at - 1, "pre"))).then_some(1)
}

/// The environment's name whose word begins at `at`, with the region beside it.
fn run(parts: &[Part], at: usize) -> Option<Run> {
    let word_to = at + word(parts, at)? - 1;
    let mut to = word_to;
    while parts.get(to + 1).is_some_and(|part| is_place(part.text)) {
        to += 1;
    }
    let mut from = at;
    if to == word_to {
        // The region may come first: `checkout-eu-west-1-prod`. It begins with a part of the world, never with a number.
        while from > 0 && is_place(parts[from - 1].text) {
            from -= 1;
        }
        while from < at && !is_region(parts[from].text) {
            from += 1;
        }
    }
    Some(Run { from, word_to, to })
}

const WORLD: &[&str] = &[
    "af", "amer", "ap", "apac", "asia", "au", "br", "ca", "de", "emea", "eu", "europe", "fr", "gb", "jp", "latam", "na", "sa", "sg", "uk",
    "us",
];
const DIRECTIONS: &[&str] = &["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];

fn is_place(part: &str) -> bool {
    is_number(part) || is_region(part) || DIRECTIONS.contains(&stem(part).as_str())
}

fn is_number(part: &str) -> bool {
    part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit())
}

/// `eu`, `us2`, `westeurope`, `useast1`, `euw1`, `apse2`.
fn is_region(part: &str) -> bool {
    let stem = stem(part);
    let has_number = stem.len() < part.len();
    let is_direction = |rest: &str| DIRECTIONS.contains(&rest);
    let is_short = |rest: &str| has_number && matches!(rest.len(), 1 | 2) && rest.bytes().all(|b| b"nsewc".contains(&b));
    WORLD.iter().any(|world| {
        let before = stem.strip_suffix(world).is_some_and(is_direction);
        before || stem.strip_prefix(world).is_some_and(|rest| rest.is_empty() || is_direction(rest) || is_short(rest))
    })
}

fn stem(part: &str) -> String {
    part.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_at_either_end_of_a_name() {
        for (name, service, environment) in [
            ("checkout-prod", Some("checkout"), "prod"),
            ("prod-checkout", Some("checkout"), "prod"),
            ("checkout-api-staging", Some("checkout-api"), "staging"),
            ("checkout-prod-eu", Some("checkout"), "prod-eu"),
            ("checkout-prod-eu-west-1", Some("checkout"), "prod-eu-west-1"),
            ("checkout-prod-euw1", Some("checkout"), "prod-euw1"),
            ("checkout-prod-2", Some("checkout"), "prod-2"),
            ("checkout-eu-prod", Some("checkout"), "eu-prod"),
            ("checkout-eu-west-1-prod", Some("checkout"), "eu-west-1-prod"),
            ("wave-2-prod", Some("wave-2"), "prod"),
            ("checkout-pre-prod", Some("checkout"), "pre-prod"),
            ("pre-prod-checkout", Some("checkout"), "pre-prod"),
            ("prod-eu-checkout", Some("checkout"), "prod-eu"),
            ("eu-prod-checkout", Some("checkout"), "eu-prod"),
            ("prod-central-stock", Some("central-stock"), "prod"),
            ("Checkout.PROD", Some("Checkout"), "PROD"),
            ("live-video-qa", Some("live-video"), "qa"),
            ("prod-eu", None, "prod-eu"),
            ("prod", None, "prod"),
        ] {
            assert_eq!(at_an_end(name), Some((service, environment)), "{name}");
        }
        for name in ["checkout", "products", "team-prod-payments", "", "---", "checkout-prod-blue"] {
            assert_eq!(at_an_end(name), None, "{name}");
        }
    }

    #[test]
    fn environments_within_the_name_of_a_place() {
        for (name, environment) in
            [("payments-prod", Some("prod")), ("team-prod-payments", Some("prod")), ("gke-prod-eu", Some("prod-eu")), ("argocd", None)]
        {
            assert_eq!(anywhere(name).as_deref(), environment, "{name}");
        }
    }
}
