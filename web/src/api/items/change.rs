//! One merge or pull request.

use super::{View, entities, members, raw_events, text_in, text_of};
use crate::error::AppError;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Cell, Table};
use flowgauge_query::Found;
use flowgauge_query::facts::tickets::tickets;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub fn show(view: &View<'_>, id: &str) -> Result<Map<String, Value>, AppError> {
    let (repo, number) = id.rsplit_once('/').ok_or_else(|| AppError::NotFound(format!("`{id}` is no change: write `host/path/number`")))?;
    let of_change = |table: Table| -> Vec<Found> {
        let found = view.find(table, repo).into_iter();
        found.filter(|found| text_of(table.spec(), &found.row, "change_id") == Some(number)).collect()
    };
    let found = of_change(Table::Change);
    let source = view.choose("change", id, "source", found.iter().map(|found| found.source.to_string()).collect())?;
    let found: Vec<Found> = found.into_iter().filter(|found| found.source.as_str() == source).collect();
    let brought = view.facts(FactTable::Changes, &[("repo", repo), ("change_id", number)])?;
    let mut shas: BTreeSet<String> = brought.iter().filter_map(|fact| text_in(fact, "sha").map(str::to_owned)).collect();
    for found in &found {
        let column = |name: &str| Table::Change.spec().column(name).map(|i| &found.row.cells[i]);
        shas.extend(column("merge_sha").and_then(Cell::as_text).map(str::to_owned));
        if let Some(Cell::Texts(own)) = column("commit_shas") {
            shas.extend(own.iter().cloned());
        }
    }
    let commits: Vec<Found> = view
        .find(Table::Commit, repo)
        .into_iter()
        .filter(|found| text_of(Table::Commit.spec(), &found.row, "sha").is_some_and(|sha| shas.contains(sha)))
        .collect();
    let places: BTreeSet<(&str, &str)> =
        brought.iter().filter_map(|fact| text_in(fact, "deployment_id").zip(text_in(fact, "source"))).collect();
    let mut deployments = Vec::new();
    for (deployment, source) in places {
        deployments.extend(view.facts(FactTable::Deployments, &[("deployment_id", deployment), ("source", source)])?);
    }
    let reviews = of_change(Table::Review);
    let named = |column: &str| found.first().and_then(|found| text_of(Table::Change.spec(), &found.row, column));
    let (title, branch) = (named("title"), named("source_branch"));
    Ok(members! {
        "data": entities(Table::Change, &found.iter().take(1).collect::<Vec<_>>())?.pop().unwrap_or_default(),
        "commits": entities(Table::Commit, &commits.iter().collect::<Vec<_>>())?,
        "reviews": entities(Table::Review, &reviews.iter().collect::<Vec<_>>())?,
        "facts": brought,
        "deployments": deployments,
        "tickets": tickets(title, branch, Some(number)),
        "raw_events": raw_events(found.iter().chain(&reviews)),
    })
}
