//! The oracle's random worlds and questions, as the product takes them.

use flowgauge_lake::model::{EventId, Row, Source, Table, Tenant as TenantId, Time, row_from_json};
use flowgauge_oracle::{Bucket, Question as Asked, World};
use flowgauge_query::catalogue::CatalogueConfig;
use flowgauge_query::definitions::Definitions;
use flowgauge_query::facts::{Facts, Tenant};
use flowgauge_query::question::{Display, Question};
use serde_json::Value;
use std::sync::Arc;

pub fn micros(at: chrono::DateTime<chrono::Utc>) -> Time {
    Time::from_micros(at.timestamp_micros())
}

pub fn rows(world: &World) -> Vec<(Table, Row)> {
    let mut rows = Vec::new();
    for (name, table_rows) in world.tables() {
        let table = Table::parse(name).expect("the oracle writes public tables");
        for row in table_rows {
            let observation = row_from_json(table, &Value::Object(row.clone())).expect("the oracle writes the public schema");
            rows.push((
                table,
                Row {
                    tenant: TenantId::default(),
                    source: observation.source.unwrap_or_else(|| Source::new("import")),
                    ingested_at: Time::from_seconds(0),
                    raw_event_id: EventId::default(),
                    updated_at: observation.updated_at,
                    cleared: observation.cleared,
                    cells: observation.entity.into_cells(),
                },
            ));
        }
    }
    rows
}

pub fn facts(rows: impl IntoIterator<Item = (Table, Row)>) -> Facts {
    let mut tenant = Tenant::new(Arc::new(CatalogueConfig::default()), Arc::new(Definitions::default()));
    for (table, row) in rows {
        tenant.apply(table, row);
    }
    tenant.refresh()
}

pub fn question(asked: &Asked) -> Question {
    let bucket = match asked.bucket {
        Bucket::None => "none",
        Bucket::Day => "day",
        Bucket::Week => "week",
        Bucket::Month => "month",
    };
    let mut parameters = vec![
        ("from".to_owned(), asked.from.to_rfc3339()),
        ("to".to_owned(), asked.to.to_rfc3339()),
        ("as_of".to_owned(), asked.as_of.to_rfc3339()),
        ("bucket".to_owned(), bucket.to_owned()),
        ("tz".to_owned(), asked.tz.name().to_owned()),
        ("by".to_owned(), asked.by.join(",")),
        ("ci".to_owned(), "1".to_owned()),
    ];
    for (name, values) in &asked.filters {
        parameters.extend(values.iter().map(|value| (name.clone(), value.clone())));
    }
    Question::parse(&asked.metric, &parameters, micros(asked.as_of), Display::default()).expect("the oracle asks what may be asked")
}
