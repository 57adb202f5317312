//! From a deployment to its commit, through what a configuration pins: a small world by hand, in any order.

use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Cell, EventId, Row, Source, Table, Tenant as TenantId, Time, row_from_json};
use flowgauge_query::catalogue::{CatalogueConfig, RepositoryConfig, RepositoryKind};
use flowgauge_query::definitions::Definitions;
use flowgauge_query::facts::{Facts, Tenant, fact_rows};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const DEPLOY: &str = "git.acme.io/shop/deploy";

fn said(table: &str, json: Value) -> (Table, Row) {
    let table = Table::parse(table).expect("a public table");
    let observation = row_from_json(table, &json).expect("the public schema");
    let row = Row {
        tenant: TenantId::default(),
        source: Source::new("import"),
        ingested_at: Time::default(),
        raw_event_id: EventId::default(),
        updated_at: observation.updated_at,
        cleared: observation.cleared,
        cells: observation.entity.into_cells(),
    };
    (table, row)
}

fn repo(name: &str) -> String {
    format!("git.acme.io/shop/{name}")
}

/// An id of 40 digits that begins so.
fn id(start: &str) -> String {
    format!("{start:0<40}")
}

fn commit(repo: &str, start: &str, parent: Option<&str>, message: &str) -> (Table, Row) {
    let parents: Vec<String> = parent.into_iter().map(id).collect();
    said(
        "commits",
        json!({"repo": repo, "sha": id(start), "parents": parents, "message": message, "authored_at": "2026-01-01T00:00:00Z", "files": []}),
    )
}

fn pin(at: &str, path: &str, image: &str, environment: Option<&str>, what: Value) -> (Table, Row) {
    let mut row = json!({"repo": DEPLOY, "sha": id(at), "path": path, "image": image, "environment": environment});
    row.as_object_mut().expect("an object").extend(what.as_object().expect("an object").clone());
    said("manifests", row)
}

fn sync(service: &str, hour: u32, at: &str, what: Value) -> (Table, Row) {
    let mut row = json!({
        "deployment_id": format!("{service}-{hour}"), "service": service, "environment": "prod", "evidence": "gitops_sync", "outcome": "success",
        "finished_at": format!("2026-02-01T{hour:02}:00:00Z"), "config_repo": DEPLOY, "config_sha": id(at),
    });
    row.as_object_mut().expect("an object").extend(what.as_object().expect("an object").clone());
    said("deployments", row)
}

/// The configuration's commits: c1 ── c2 ── c3 ── c5 (a merge), and c4 on a branch of c2. A push told of d6 behind c5.
fn world() -> Vec<(Table, Row)> {
    let cart = repo("cart");
    let mut rows = vec![
        commit(&cart, "aaaaaaa1", None, "one"),
        commit(&cart, "aaaaaaa2", Some("aaaaaaa1"), "two"),
        commit(&cart, "bbbbbbb3", Some("aaaaaaa2"), "three"),
        commit(&repo("mail"), "eeeeeee1", None, "mail"),
        commit(DEPLOY, "c1", None, "Start"),
        commit(DEPLOY, "c2", Some("c1"), "Bump cart"),
        commit(DEPLOY, "c3", Some("c2"), "Bump mail\n\nSource-Commit: shop/mail@eeeeeee1"),
        commit(DEPLOY, "c4", Some("c2"), "On a branch"),
        said("commits", json!({"repo": DEPLOY, "sha": id("c5"), "parents": [id("c3"), id("c4")], "message": "Merge", "files": []})),
        said("commits", json!({"repo": DEPLOY, "sha": id("d6"), "message": "Pushed", "files": ["cart/overlays/prod/kustomization.yaml"]})),
        said(
            "pushes",
            json!({"repo": DEPLOY, "ref": "refs/heads/main", "before": id("c5"), "after": id("d6"), "commit_shas": [id("d6")], "complete": true}),
        ),
        pin("c1", "cart/overlays/prod/kustomization.yaml", "r.acme.io/shop/cart", Some("prod"), json!({"tag": "1.0-aaaaaaa1"})),
        pin("c1", "cart/overlays/qa/kustomization.yaml", "r.acme.io/shop/cart", Some("qa"), json!({"tag": "1.0-bbbbbbb3"})),
        pin("c1", "mail/prod/values.yaml", ".image", Some("prod"), json!({"tag": "7"})),
        pin("c2", "cart/overlays/prod/kustomization.yaml", "r.acme.io/shop/cart", Some("prod"), json!({"tag": "1.0-aaaaaaa2"})),
        pin("c3", "mail/prod/values.yaml", ".image", Some("prod"), json!({"tag": "8"})),
        pin("c4", "cart/overlays/prod/kustomization.yaml", "r.acme.io/shop/cart", Some("prod"), json!({"digest": "sha256:c4"})),
        pin("c5", "cart/overlays/prod/kustomization.yaml", "r.acme.io/shop/cart", Some("prod"), json!({"digest": "sha256:c4"})),
        said("artifacts", json!({"digest": "sha256:c4", "name": "shop/cart", "source_sha": id("bbbbbbb3"), "repo": cart})),
        // Two builds of one version that do not agree, one that does.
        said(
            "artifacts",
            json!({"digest": "sha256:v1", "name": "shop/stock", "version": "1", "source_sha": id("1111111a"), "repo": repo("stock")}),
        ),
        said(
            "artifacts",
            json!({"digest": "sha256:v2", "name": "shop/stock", "version": "2", "source_sha": id("1111111a"), "repo": repo("stock")}),
        ),
        said(
            "artifacts",
            json!({"digest": "sha256:v3", "name": "shop/stock", "version": "2", "source_sha": id("2222222b"), "repo": repo("stock")}),
        ),
        said(
            "artifacts",
            json!({"digest": "sha256:v4", "name": "shop/other", "version": "3", "source_sha": id("2222222b"), "repo": repo("other")}),
        ),
    ];
    rows.extend([
        sync("cart", 1, "c1", json!({})),
        sync("cart", 2, "c3", json!({})),
        sync("cart", 3, "c4", json!({})),
        sync("cart", 4, "c5", json!({})),
        // Nobody has read what was pushed.
        sync("cart", 5, "d6", json!({})),
        // What was seen running contradicts the file.
        sync("cart", 6, "c3", json!({"version": "9.9"})),
        sync("cart", 7, "c3", json!({"sha": id("aaaaaaa1")})),
        sync("cart", 8, "c3", json!({"version": "aaaaaaa"})),
        sync("cart", 9, "c3", json!({"config_paths": ["cart/overlays/qa"]})),
        sync("mail", 1, "c2", json!({})),
        sync("mail", 2, "c3", json!({})),
        sync("mail", 3, "c5", json!({"config_paths": ["mail/prod"]})),
        sync("stock", 1, "c1", json!({"version": "1"})),
        sync("stock", 2, "c1", json!({"version": "2"})),
        sync("stock", 3, "c1", json!({"version": "3"})),
    ]);
    rows
}

/// Of each deployment the rule, how sure it is, and the beginning of its commit.
fn links(facts: &Facts) -> BTreeMap<String, String> {
    let spec = FactTable::Deployments.spec();
    let text = |row: &[Cell], column: &str| row[spec.column(column).expect("a column")].as_text().unwrap_or("-").to_owned();
    let told = |row: Vec<Cell>| {
        let sha = text(&row, "sha");
        (text(&row, "deployment_id"), format!("{} {} {}", text(&row, "link_rule"), text(&row, "link_confidence"), &sha[..sha.len().min(8)]))
    };
    fact_rows(facts, FactTable::Deployments).into_iter().map(told).collect()
}

fn tenant(config: CatalogueConfig) -> Tenant {
    Tenant::new(Arc::new(config), Arc::new(Definitions::default()))
}

fn facts(config: CatalogueConfig, rows: Vec<(Table, Row)>) -> Facts {
    let mut tenant = tenant(config);
    rows.into_iter().for_each(|(table, row)| tenant.apply(table, row));
    tenant.refresh()
}

#[test]
fn each_rule_in_its_place() {
    let found = links(&facts(CatalogueConfig::default(), world()));
    let expected = [
        ("cart-1", "manifest_tag convention aaaaaaa1"),
        ("cart-2", "manifest_tag convention aaaaaaa2"),
        ("cart-3", "manifest_digest exact bbbbbbb3"),
        ("cart-4", "manifest_digest exact bbbbbbb3"),
        ("cart-5", "none - -"),
        ("cart-6", "none - -"),
        ("cart-7", "deployment_sha exact aaaaaaa1"),
        // It begins two commits.
        ("cart-8", "none - -"),
        // The files that are named as its own are of one environment, whatever that is called.
        ("cart-9", "manifest_tag convention bbbbbbb3"),
        ("mail-1", "none - -"),
        ("mail-2", "commit_trailer strong eeeeeee1"),
        ("mail-3", "commit_trailer strong eeeeeee1"),
        ("stock-1", "artifact_version strong 1111111a"),
        ("stock-2", "none - -"),
        ("stock-3", "none - -"),
    ];
    assert_eq!(found, expected.map(|(id, link)| (id.to_owned(), link.to_owned())).into());
}

#[test]
fn a_tag_is_no_commit_of_a_configuration_where_that_is_said() {
    let rows = |kind: Option<RepositoryKind>| {
        let rows = vec![commit(DEPLOY, "abcdef12", None, "Start"), sync("cart", 1, "c1", json!({"version": "1-abcdef12"}))];
        let repositories = kind.map(|kind| RepositoryConfig { repo: DEPLOY.to_owned(), kind }).into_iter().collect();
        links(&facts(CatalogueConfig { repositories, ..CatalogueConfig::default() }, rows))["cart-1"].clone()
    };
    assert_eq!(rows(Some(RepositoryKind::Config)), "none - -");
    assert_eq!(rows(None), "tag_is_commit convention abcdef12");
}

#[test]
fn order_and_repetition_never_matter() {
    let straight = facts(CatalogueConfig::default(), world());
    for seed in 0..40_u64 {
        let mut shuffled: Vec<_> = world().into_iter().chain(world()).collect();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        let mut tenant = tenant(CatalogueConfig::default());
        for (table, row) in shuffled {
            tenant.apply(table, row);
            tenant.refresh();
        }
        let pieces = tenant.refresh();
        for &table in FactTable::ALL {
            assert_eq!(fact_rows(&straight, table), fact_rows(&pieces, table), "seed {seed}, {}", table.name());
        }
    }
}
