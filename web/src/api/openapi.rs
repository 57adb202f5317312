//! `/openapi.json`: made of the endpoints, the registry of metrics and the tables' columns, so that it cannot go stale.

mod schemas;

pub use schemas::{list_schema, nullable_schema};

use super::endpoint::{Endpoint, answers, binary, choice, in_path, operation, text};
use super::format;
use crate::auth::Reader;
use axum::response::Response;
use axum::routing;
use flowgauge_lake::model::Table;
use std::sync::LazyLock;
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref, Required};

static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| serde_json::to_vec(&document()).expect("the document is plain data"));

pub fn endpoints() -> Vec<Endpoint> {
    let any = ObjectBuilder::new().schema_type(Type::Object).build();
    let operation = operation("getOpenApi", "This document.").response("200", answers("OpenAPI 3.1.", any));
    vec![Endpoint::get("/openapi.json", routing::get(openapi), operation)]
}

async fn openapi(_: Reader) -> Response {
    format::json_bytes(DOCUMENT.clone())
}

fn document() -> OpenApi {
    let api = super::endpoints().into_iter().map(|endpoint| (endpoint.documented_path(), endpoint.method.clone(), endpoint.operation));
    let mut paths = PathsBuilder::new().build();
    for (path, method, operation) in api.chain(elsewhere()) {
        paths.add_path_operation(path, vec![method], operation);
    }
    let info = InfoBuilder::new()
        .title("Flowgauge")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Measures software delivery: DORA metrics, pipelines, GitOps drift. Times are RFC 3339 in UTC, durations seconds, ratios 0 to 1; no data is null, never 0."));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of a `[[reader]]`. Not needed on a loopback address without configured readers."));
    let components = schemas::components().security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new("bearer", Vec::<String>::new())]))
        .build()
}

/// The addresses for machines whose handlers are not here.
fn elsewhere() -> Vec<(String, HttpMethod, Operation)> {
    let received = || answers("Durable. `duplicate` where it had come before.", Ref::from_schema_name("Received"));
    let hook = operation("postHook", "A provider's webhook. Signed as its source is configured; not by a token.")
        .parameter(in_path("source", "The source's name in the configuration; its kind where nothing is configured."))
        .request_body(Some(body("application/json", "The delivery, byte for byte.")))
        .securities(Some([SecurityRequirement::default()]))
        .response("200", received());
    let mut table = in_path("table", "The table of the rows.");
    table.schema = Some(choice(Table::ALL.iter().map(|table| table.name())));
    let rows = operation("postEvents", "Rows of our own schema: one JSON object or NDJSON, all or nothing.")
        .parameter(table)
        .request_body(Some(body("application/x-ndjson", "The rows.")))
        .response("200", received());
    let text_form = |description: &str| ContentBuilder::new().description(Some(description)).schema(Some(text())).build();
    let mut exposition = answers("All series.", text());
    exposition.content.clear();
    exposition.content.insert("text/plain".to_owned(), text_form("Prometheus 0.0.4.").into());
    exposition.content.insert("application/openmetrics-text".to_owned(), text_form("OpenMetrics 1.0.0.").into());
    let metrics = operation("getExposition", "The metrics for Prometheus, and the process's own.").response("200", exposition);
    let all = [
        ("/hooks/{source}", HttpMethod::Post, hook),
        ("/v1/events/{table}", HttpMethod::Post, rows),
        ("/metrics", HttpMethod::Get, metrics),
    ];
    all.into_iter().map(|(path, method, operation): (&str, _, OperationBuilder)| (path.to_owned(), method, operation.build())).collect()
}

fn body(media_type: &str, description: &str) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(binary())).build();
    RequestBodyBuilder::new().description(Some(description)).content(media_type, content).required(Some(Required::True)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_described_and_every_reference_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_slice(&DOCUMENT).unwrap();
        for endpoint in super::super::endpoints() {
            let path = endpoint.documented_path();
            let described = document["paths"][&path].as_object().unwrap_or_else(|| panic!("{path} is missing"));
            assert_eq!(described.len(), 1, "{path}");
            let operation = described.values().next().unwrap();
            assert!(operation["responses"]["200"].is_object(), "{path}");
            for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|parameter| parameter["name"] == name && parameter["in"] == "path"), "{path} {name}");
            }
        }
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document["components"]["schemas"][reference].is_object(), "{reference}");
        }
        for metric in flowgauge_query::metric::ALL {
            assert!(text.contains(metric.id));
        }
    }
}
