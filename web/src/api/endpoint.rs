//! An address of the API: its handler and its description in one, so that `openapi.json` cannot forget one or describe what is gone.

use super::format::Format;
use crate::app::App;
use axum::routing::MethodRouter;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, HttpMethod, KnownFormat, Ref, RefOr, Required, ResponseBuilder};

pub struct Endpoint {
    /// As the router has it: `{*id}` matches the rest of the address.
    pub path: String,
    pub method: HttpMethod,
    pub handler: MethodRouter<App>,
    pub operation: Operation,
}

impl Endpoint {
    pub fn get(path: impl Into<String>, handler: MethodRouter<App>, operation: OperationBuilder) -> Self {
        Endpoint { path: path.into(), method: HttpMethod::Get, handler, operation: operation.build() }
    }

    pub fn post(path: impl Into<String>, handler: MethodRouter<App>, operation: OperationBuilder) -> Self {
        Endpoint { path: path.into(), method: HttpMethod::Post, handler, operation: operation.build() }
    }

    /// The path as OpenAPI writes it.
    pub fn documented_path(&self) -> String {
        self.path.replace("{*", "{")
    }
}

/// An operation of the API: needs a token where readers are configured, and tells its errors as problems.
pub fn operation(id: &str, summary: &str) -> OperationBuilder {
    let problem = |description: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        ResponseBuilder::new().description(description).content("application/problem+json", content).build()
    };
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .response("400", problem("A parameter or the body is wrong; `detail` names it and what was probably meant."))
        .response("401", problem("A token is needed."))
        .response("404", problem("There is nothing at this address."))
}

pub fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

pub fn integer() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Integer).into()
}

pub fn moment() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
}

pub fn choice<'a>(words: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

pub fn query(name: &str, description: &str, schema: RefOr<Schema>) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(Required::False);
    parameter.description(Some(description)).schema(Some(schema)).build()
}

pub fn in_path(name: &str, description: &str) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    parameter.description(Some(description)).schema(Some(text())).build()
}

/// `from` and `to`, in every form that is understood.
pub fn window(about: &str) -> [Parameter; 2] {
    let description = |word: &str| format!("{word} {about}: RFC 3339, a date, epoch milliseconds, `now` or `now-30d`.");
    [query("from", &description("Start, inclusive, of"), text()), query("to", &description("End, exclusive, of"), text())]
}

/// A success as JSON.
pub fn answers(description: &str, schema: impl Into<RefOr<Schema>>) -> Response {
    answers_as(description, schema, &[Format::Json])
}

/// A success in any of these forms; the schema is that of the JSON.
pub fn answers_as(description: &str, schema: impl Into<RefOr<Schema>>, formats: &[Format]) -> Response {
    let mut response = ResponseBuilder::new().description(description);
    let mut schema = Some(schema.into());
    for format in formats {
        let content = match format {
            Format::Json => ContentBuilder::new().schema(schema.take()),
            Format::Rows => continue,
            Format::Csv => ContentBuilder::new().schema(Some(text())),
            Format::Arrow | Format::Parquet => ContentBuilder::new().schema(Some(binary())),
        };
        response = response.content(format.media_type(), content.build());
    }
    response.build()
}

pub fn format_parameter(formats: &[Format]) -> Parameter {
    query("format", "The form of the answer; wins over `Accept`.", choice(formats.iter().map(|format| format.name())))
}

pub fn binary() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
}
