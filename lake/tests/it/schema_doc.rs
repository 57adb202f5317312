//! `docs/schema.md` is written from the tables themselves, so it cannot go stale. `UPDATE_DOCS=1` writes it anew.

use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Column, ColumnType, Need, Table, TableSpec};
use std::fmt::Write;

fn example(column: &Column) -> String {
    match column.kind {
        ColumnType::Sha => "`3fa9c21b7d02e4c18f6a5b9d7c3e1f2a4b5c6d7e`".into(),
        ColumnType::Shas => "`[\"3fa9c21b7d02…\"]`".into(),
        ColumnType::Texts => "`[\"a\", \"b\"]`".into(),
        ColumnType::Integer => "`1`".into(),
        ColumnType::Real => "`42.5`".into(),
        ColumnType::Flag => "`true`".into(),
        ColumnType::Time => "`2026-06-28T09:30:00.123456Z`".into(),
        ColumnType::Choice(choices) => format!("`{}`", choices[0]),
        ColumnType::Records(_) => "`[{…}]`".into(),
        ColumnType::Text => match column.name {
            "repo" | "config_repo" => "`gitlab.acme.io/shop/checkout`".into(),
            "service" => "`checkout`".into(),
            "team" => "`payments`".into(),
            "environment" => "`prod-eu`".into(),
            "digest" => "`sha256:9b1c…`".into(),
            name if name.ends_with("_id") => "`1017`".into(),
            "url" => "`https://…`".into(),
            _ => "text".into(),
        },
    }
}

fn table(page: &mut String, spec: &TableSpec, source_is_key: bool) {
    let key: Vec<&str> = spec.columns.iter().filter(|column| column.is_key()).map(|column| column.name).collect();
    let source = if source_is_key { ", `source`" } else { "" };
    let key = key.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    writeln!(page, "\n### `{}`\n\n{}\n\nKey: `tenant`, {key}{source}.\n", spec.name, spec.doc.trim()).expect("a string");
    writeln!(page, "| column | type | may be null | what it says | example |\n| --- | --- | --- | --- | --- |").expect("a string");
    for column in spec.columns {
        let null = match column.need {
            Need::Key | Need::Required => "no",
            Need::KeyOrNull => "yes, as a part of the key",
            Need::Optional => "yes",
        };
        let name = if column.is_key() { format!("**{}**", column.name) } else { column.name.to_owned() };
        writeln!(page, "| {name} | {} | {null} | {} | {} |", column.kind.name(), column.doc.replace('|', "\\|"), example(column))
            .expect("a string");
    }
}

fn page() -> String {
    let mut page = String::from(include_str!("schema_doc_head.md"));
    page.push_str("\n## Observation tables\n");
    for &name in Table::ALL {
        table(&mut page, name.spec(), name.spec().keyed_by_source);
    }
    page.push_str(include_str!("schema_doc_raw.md"));
    page.push_str("\n## Fact tables\n\nWhat follows from the entities: instants and evidence, so that a question about any moment can be answered from them.\n");
    for &name in FactTable::ALL {
        table(&mut page, name.spec(), false);
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
fn the_schema_page_is_what_the_tables_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).expect("docs/ can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, page(), "docs/schema.md is stale: run the tests of the lake with UPDATE_DOCS=1");
}
