//! Sets of switches that have a name: `definitions/presets.toml`, read once.

use super::Definitions;
use flowgauge_lake::model::nearest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The preset that the defaults are.
pub const DEFAULT: &str = "flowgauge";

static WRITTEN: LazyLock<BTreeMap<String, Map<String, Value>>> =
    LazyLock::new(|| toml::from_str(include_str!("../../definitions/presets.toml")).expect("the presets are part of the program"));

static RESOLVED: LazyLock<BTreeMap<&'static str, Arc<Definitions>>> = LazyLock::new(|| {
    let resolved = |(name, written): (&'static String, &Map<String, Value>)| {
        let definitions = Definitions::read(written.clone()).expect("the presets are part of the program");
        (name.as_str(), Arc::new(Definitions { preset: name.clone(), ..definitions }))
    };
    let own = (DEFAULT, Arc::new(Definitions::default()));
    WRITTEN.iter().map(resolved).chain([own]).collect()
});

/// Every preset, the default first.
pub fn names() -> impl Iterator<Item = &'static str> {
    [DEFAULT].into_iter().chain(WRITTEN.keys().map(String::as_str))
}

/// The name itself, if there is such a preset.
pub fn find(name: &str) -> Option<&'static str> {
    names().find(|known| *known == name)
}

/// The definitions of a preset.
pub fn definitions(name: &str) -> Option<Arc<Definitions>> {
    RESOLVED.get(name).cloned()
}

/// What a preset writes.
pub(super) fn written(name: &str) -> Option<Map<String, Value>> {
    if name == DEFAULT { Some(Map::new()) } else { WRITTEN.get(name).cloned() }
}

/// What to say of a name that is none.
pub fn expected(name: &str) -> String {
    let hint = nearest(name, names()).map(|known| format!(" (did you mean `{known}`?)"));
    [names().collect::<Vec<_>>().join(", "), hint.unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_another_definition() {
        let all: Vec<_> = names().map(|name| definitions(name).expect("a preset")).collect();
        assert_eq!(all.len(), 6);
        for (i, one) in all.iter().enumerate() {
            assert!(
                all[..i].iter().all(|other| Definitions { preset: one.preset.clone(), ..(**other).clone() } != **one),
                "{}",
                one.preset
            );
        }
    }
}
