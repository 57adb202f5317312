//! Every provider's folder says how to connect it, with a configuration that can be copied; no kept header carries a secret.

use crate::support::folder;
use flowgauge_ingest::providers::ALL;
use std::fs;

#[test]
fn every_provider_has_a_readme_with_a_source_that_parses() {
    for provider in ALL {
        let path = folder(*provider).join("README.md");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let samples: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!samples.is_empty(), "{}: no ```toml block", path.display());
        let mut kinds = Vec::new();
        for sample in samples {
            let config: toml::Table = sample.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let sources = config.get("source").and_then(toml::Value::as_array).cloned().unwrap_or_default();
            for source in sources {
                assert!(source.get("name").is_some_and(toml::Value::is_str), "{}: a source without a name", path.display());
                kinds.extend(source.get("kind").and_then(toml::Value::as_str).map(str::to_owned));
            }
        }
        assert!(kinds.iter().any(|kind| kind == provider.kind()), "{}: no [[source]] of its kind", path.display());
    }
}

#[test]
fn no_kept_header_can_carry_a_secret() {
    for provider in ALL {
        for name in provider.kept_headers() {
            assert_eq!(*name, name.to_ascii_lowercase(), "{}", provider.kind());
            for word in ["auth", "cookie", "token", "signature", "secret", "password", "key"] {
                let is_id = *name == "idempotency-key";
                assert!(is_id || !name.contains(word), "{} keeps `{name}`", provider.kind());
            }
        }
    }
}
