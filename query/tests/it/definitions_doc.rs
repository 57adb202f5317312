//! `docs/definitions/` has a page for every metric: what is documented beside the formula, then how others count it, which is written
//! there by hand, for no vendor is named here. `UPDATE_DOCS=1` writes the first part anew.

use flowgauge_query::metric::ALL;
use std::path::PathBuf;

const OTHERS: &str = "\n## How others count it\n\n";

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/definitions"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
fn every_metric_has_its_page() {
    for metric in ALL {
        let path = folder().join(metric.id).with_extension("md");
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let others = written.split_once(OTHERS).map_or("", |(_, others)| others);
        assert!(!others.trim().is_empty(), "{} does not say how others count it", path.display());
        let page = format!("{}\n{OTHERS}{others}", metric.doc.trim_end());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &page).expect("docs/ can be written");
        } else {
            assert_eq!(written, page, "{} is stale: run the tests of query with UPDATE_DOCS=1", path.display());
        }
    }
    let pages =
        std::fs::read_dir(folder()).expect("docs/definitions").filter_map(|entry| entry.expect("an entry").file_name().into_string().ok());
    for page in pages.filter(|page| page != "README.md") {
        assert!(ALL.iter().any(|metric| page.strip_suffix(".md") == Some(metric.id)), "docs/definitions/{page} belongs to no metric");
    }
}
