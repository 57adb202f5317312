//! The shapes of answers. Those of rows are made of the tables' columns.

use super::super::endpoint::{choice, integer, moment, text};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Column, ColumnType, Need, Table, TableSpec};
use flowgauge_query::answer::Status;
use flowgauge_query::buckets::Bucketing;
use flowgauge_query::compare;
use flowgauge_query::metric;
use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

type Shape = RefOr<Schema>;

/// An object that always has all of these.
fn object(properties: impl IntoIterator<Item = (&'static str, Shape)>) -> ObjectBuilder {
    properties.into_iter().fold(ObjectBuilder::new(), |object, (name, shape)| object.property(name, shape).required(name))
}

fn list(items: impl Into<Shape>) -> Shape {
    let items: Shape = items.into();
    ArrayBuilder::new().items(items).into()
}

/// An object with names that are not fixed.
fn map(values: impl Into<Shape>) -> Shape {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::RefOr(values.into()))).into()
}

fn nullable(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null]))
}

fn or_null(name: &str) -> Shape {
    let null: Schema = ObjectBuilder::new().schema_type(Type::Null).into();
    OneOfBuilder::new().item(Ref::from_schema_name(name)).item(null).into()
}

fn named(name: &str) -> Shape {
    Ref::from_schema_name(name).into()
}

fn number() -> Shape {
    ObjectBuilder::new().schema_type(Type::Number).into()
}

fn flag() -> Shape {
    ObjectBuilder::new().schema_type(Type::Boolean).into()
}

fn number_or_null() -> Shape {
    nullable(Type::Number).into()
}

fn text_or_null() -> Shape {
    nullable(Type::String).into()
}

fn moment_or_null() -> Shape {
    nullable(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
}

/// The shape of a column's values.
pub fn nullable_schema(kind: ColumnType, is_nullable: bool) -> Shape {
    shape(kind, is_nullable, None)
}

fn shape(kind: ColumnType, is_nullable: bool, doc: Option<&str>) -> Shape {
    let of = |kind: Type| if is_nullable { nullable(kind) } else { ObjectBuilder::new().schema_type(kind) }.description(doc);
    let items = |items: Shape| {
        let array = ArrayBuilder::new().items(items).description(doc);
        if is_nullable { array.schema_type(SchemaType::from_iter([Type::Array, Type::Null])) } else { array }.into()
    };
    match kind {
        ColumnType::Text | ColumnType::Sha => of(Type::String).into(),
        ColumnType::Choice(words) => {
            let null = is_nullable.then_some(Value::Null);
            of(Type::String).enum_values(Some(words.iter().map(|word| Value::from(*word)).chain(null))).into()
        }
        ColumnType::Integer => of(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64))).into(),
        ColumnType::Real => of(Type::Number).into(),
        ColumnType::Flag => of(Type::Boolean).into(),
        ColumnType::Time => of(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into(),
        ColumnType::Texts | ColumnType::Shas => items(text()),
        ColumnType::Records(fields) => {
            let record = fields.iter().fold(ObjectBuilder::new(), |record, (name, kind)| record.property(*name, shape(*kind, true, None)));
            items(record.into())
        }
    }
}

const TENANT: Column = Column { name: "tenant", kind: ColumnType::Text, need: Need::Required, doc: "whose row it is" };
/// What every row of an observation table has besides its own columns.
const ORIGIN: [Column; 5] = [
    Column { name: "source", kind: ColumnType::Text, need: Need::Required, doc: "where it came from" },
    Column { name: "updated_at", kind: ColumnType::Time, need: Need::Optional, doc: "the provider's own time of change" },
    Column { name: "cleared", kind: ColumnType::Texts, need: Need::Optional, doc: "columns that were taken back" },
    Column { name: "ingested_at", kind: ColumnType::Time, need: Need::Required, doc: "when the last of it came in" },
    Column { name: "raw_event_id", kind: ColumnType::Text, need: Need::Required, doc: "the last raw event behind it" },
];

fn row(spec: &'static TableSpec, is_observed: bool) -> ObjectBuilder {
    let origin = if is_observed { ORIGIN.as_slice() } else { &[] };
    let columns = [&TENANT].into_iter().chain(spec.columns).chain(origin);
    let object = ObjectBuilder::new().description(Some(spec.doc.trim()));
    columns.fold(object, |object, column| {
        object.property(column.name, shape(column.kind, column.is_nullable(), Some(column.doc))).required(column.name)
    })
}

/// A page of rows of a table.
pub fn list_schema(spec: &'static TableSpec) -> Shape {
    object([("data", list(Ref::from_schema_name(spec.name))), ("next_cursor", text_or_null())]).into()
}

pub fn components() -> ComponentsBuilder {
    let mut all = ComponentsBuilder::new();
    for table in Table::ALL {
        all = all.schema(table.name(), row(table.spec(), true));
    }
    for table in FactTable::ALL {
        all = all.schema(table.name(), row(table.spec(), false));
    }
    shapes().into_iter().fold(all, |all, (name, shape)| all.schema(name, shape))
}

fn shapes() -> Vec<(&'static str, Shape)> {
    let events = object([
        ("count", integer()),
        ("problems", integer()),
        ("unknown", flag()),
        ("last_received_at", moment()),
        ("last_problem", text_or_null()),
    ]);
    let check = object([("journal", text()), ("facts", text())]);
    vec![
        ("Problem", problem().into()),
        ("Metric", metric().into()),
        ("Catalogue", object([("data", list(named("Metric"))), ("next_cursor", text_or_null()), ("preset", text())]).into()),
        ("Answer", answer().into()),
        ("Window", window().into()),
        ("Series", object([("labels", map(text())), ("points", list(named("Point")))]).into()),
        ("Point", point().into()),
        ("Interval", object([("lo", number_or_null()), ("hi", number_or_null()), ("method", text())]).into()),
        ("Explanation", explanation().into()),
        ("ExplainedRow", explained_row().into()),
        ("Points", object([("points", list(named("Point")))]).into()),
        ("Scorecard", scorecard().into()),
        ("Comparison", comparison().into()),
        ("Figure", figure().into()),
        ("Effect", effect().into()),
        ("Mix", mix().into()),
        ("Item", item().into()),
        ("RawLink", object([("event_id", text()), ("href", text())]).into()),
        ("RawEvent", raw_event().into()),
        ("Events", events.into()),
        ("Refusal", object([("reason", text()), ("at", moment()), ("count", integer())]).into()),
        ("Source", source().into()),
        (
            "Sources",
            object([("data", list(named("Source"))), ("next_cursor", text_or_null()), ("refused_unknown", or_null("Refusal"))]).into(),
        ),
        ("Received", object([("event_id", text())]).property("duplicate", flag()).into()),
        ("Health", object([("status", text()), ("version", text())]).into()),
        ("Readiness", object([("ready", flag()), ("checks", check.into())]).into()),
    ]
}

fn problem() -> ObjectBuilder {
    object([("type", text()), ("title", text()), ("status", integer()), ("detail", text())])
        .description(Some("RFC 9457. `choices` and `parameter` stand where several things have an id."))
        .property("parameter", text())
        .property("choices", list(text()))
}

fn metric() -> ObjectBuilder {
    object([
        ("id", choice(metric::ALL.iter().map(|metric| metric.id))),
        ("title", text()),
        ("unit", choice(["s", "1", "1/d", "count"])),
        ("better", choice(["up", "down"])),
        ("definition", text()),
        ("dimensions", list(text())),
        ("hash", text()),
    ])
}

fn answer() -> ObjectBuilder {
    object([
        ("metric", choice(metric::ALL.iter().map(|metric| metric.id))),
        ("unit", choice(["s", "1", "1/d", "count"])),
        ("preset", text()),
        ("definition", text()),
        ("window", named("Window")),
        ("series", list(named("Series"))),
        ("computed_at", moment()),
        ("data_as_of", moment_or_null()),
    ])
}

fn window() -> ObjectBuilder {
    object([("from", moment()), ("to", moment()), ("as_of", moment()), ("bucket", choice(Bucketing::ALL.iter().copied())), ("tz", text())])
}

fn point() -> ObjectBuilder {
    let statuses = [Status::Ok, Status::Empty, Status::Insufficient, Status::NotConfigured];
    object([
        ("start", moment()),
        ("end", moment()),
        ("partial", flag()),
        ("value", number_or_null()),
        ("n", integer()),
        ("numerator", number_or_null()),
        ("denominator", number_or_null()),
        ("quantiles", map(number())),
        ("ci", or_null("Interval")),
        ("status", choice(statuses.map(Status::as_str))),
        ("excluded", map(integer())),
        ("coverage", number_or_null()),
        ("detail", map(ObjectBuilder::new().schema_type(SchemaType::AnyValue))),
    ])
    .property("explain", text())
}

fn explanation() -> ObjectBuilder {
    let columns = || map(ObjectBuilder::new().schema_type(SchemaType::AnyValue));
    object([
        ("id", text()),
        ("metric", choice(metric::ALL.iter().map(|metric| metric.id))),
        ("title", text()),
        ("unit", choice(["s", "1", "1/d", "count"])),
        ("definition", object([("preset", text()), ("hash", text()), ("text", text())]).into()),
        ("sql", text()),
        ("window", named("Window")),
        ("labels", map(text())),
        ("point", named("Point")),
        ("then", object([("value", number_or_null()), ("definition", text()), ("data_as_of", moment_or_null())]).into()),
        ("is_same", flag()),
        ("computed_at", moment()),
        ("data_as_of", moment_or_null()),
        ("buckets", list(columns())),
        ("rows", list(named("ExplainedRow"))),
        ("row_count", integer()),
        ("next_offset", nullable(Type::Integer).into()),
    ])
}

fn explained_row() -> ObjectBuilder {
    let about = object([("table", text()), ("source", text_or_null()), ("key", list(text())), ("raw_events", list(text()))]);
    object([("row", map(ObjectBuilder::new().schema_type(SchemaType::AnyValue))), ("left_out", text_or_null()), ("about", list(about))])
}

fn scorecard() -> ObjectBuilder {
    let shown = OneOfBuilder::new().item(named("Point")).item(named("Points"));
    let line = object([("labels", map(text())), ("metrics", map(shown))]);
    object([
        ("data", list(line)),
        ("preset", text()),
        ("definition", text()),
        ("window", named("Window")),
        ("computed_at", moment()),
        ("data_as_of", moment_or_null()),
    ])
}

fn comparison() -> ObjectBuilder {
    let span = || Shape::from(object([("from", moment()), ("to", moment())]));
    object([
        ("preset", text()),
        ("definition", text()),
        ("before", span()),
        ("after", span()),
        ("as_of", moment()),
        ("filters", map(list(text()))),
        ("data", list(named("Figure"))),
        ("computed_at", moment()),
        ("data_as_of", moment_or_null()),
    ])
}

fn figure() -> ObjectBuilder {
    object([
        ("metric", choice(compare::FIGURES.iter().copied())),
        ("title", text()),
        ("unit", choice(["s", "1", "1/d", "count"])),
        ("better", choice(["up", "down"])),
        ("before", named("Point")),
        ("after", named("Point")),
        ("effect", or_null("Effect")),
        ("method", text_or_null()),
        ("p_value", number_or_null()),
        ("p_adjusted", number_or_null()),
        ("clustered", flag()),
        ("verdict", choice(compare::Verdict::ALL.iter().copied())),
        ("mix", or_null("Mix")),
    ])
}

fn effect() -> ObjectBuilder {
    object([("kind", choice(compare::Effect::KINDS.iter().copied())), ("value", number_or_null()), ("ci", or_null("Interval"))])
}

fn mix() -> ObjectBuilder {
    object([
        ("services", integer()),
        ("left_out", integer()),
        ("before", number()),
        ("after", number()),
        ("change", number_or_null()),
        ("raw_change", number_or_null()),
        ("reversed", flag()),
    ])
}

fn item() -> ObjectBuilder {
    let lineage = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    object([("data", row_or_null()), ("raw_events", list(named("RawLink")))])
        .description(Some("`data` is the row as its list shows it; the other members are its lineage, rows of the tables they name."))
        .additional_properties(Some(AdditionalProperties::RefOr(lineage.into())))
}

/// A row whose columns depend on the kind of thing.
fn row_or_null() -> Shape {
    nullable(Type::Object).into()
}

fn raw_event() -> ObjectBuilder {
    object([
        ("event_id", text()),
        ("source", text()),
        ("kind", text()),
        ("delivery_id", text_or_null()),
        ("received_at", moment()),
        ("headers", map(text())),
        ("body", text()),
        ("body_encoding", choice(["utf-8", "base64"])),
    ])
}

fn source() -> ObjectBuilder {
    object([
        ("name", text()),
        ("kind", text_or_null()),
        ("hook", text_or_null()),
        ("configured", flag()),
        ("total", integer()),
        ("problems", integer()),
        ("last_received_at", moment_or_null()),
        ("last_refusal", or_null("Refusal")),
        ("events", map(named("Events"))),
    ])
}
