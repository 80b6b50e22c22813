//! The OpenAPI document, made of the rows that the routes are made of: it cannot say anything else than they do.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, Who};
use super::problem::Problem;

/// What any endpoint may answer where it is not well.
const PROBLEMS: [(&str, &str); 11] = [
    ("400", "The body is no JSON, or did not come whole."),
    ("401", "The request is not proved by a session."),
    ("403", "Whoever asks may not."),
    ("404", "It is not there, or not for whoever asks."),
    ("408", "The body took too long."),
    ("409", "It is not as it was expected."),
    ("413", "The body is too large."),
    ("414", "The path with its query is too long."),
    ("422", "What was sent is not right: everything that is wrong with it."),
    ("429", "That was asked too often: after Retry-After seconds it may go."),
    ("503", "The hub has more to do than it can: after Retry-After seconds it may go."),
];

pub(super) fn document(endpoints: &[Endpoint]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let answer = (endpoint.answer)(&mut generator);
        let mut responses = Map::new();
        let well = json!({ "description": "It is so.", "content": { "application/json": { "schema": answer } } });
        responses.insert(endpoint.status.as_u16().to_string(), well);
        for (status, description) in PROBLEMS {
            let mut response =
                json!({ "description": description, "content": { "application/problem+json": { "schema": problem } } });
            if matches!(status, "429" | "503")
                && let Some(map) = response.as_object_mut()
            {
                map.insert("headers".to_owned(), json!({ "Retry-After": { "schema": { "type": "integer" } } }));
            }
            responses.insert(status.to_owned(), response);
        }
        let mut operation = json!({
            "summary": endpoint.summary,
            "operationId": operation_id(endpoint),
            "parameters": parameters(endpoint, &mut generator),
            "responses": responses,
        });
        if let Some(map) = operation.as_object_mut() {
            if endpoint.who == Who::Technician {
                map.insert("security".to_owned(), json!([{ "session": [], "count": [], "proof": [] }]));
            }
            if endpoint.is_raw {
                let content = json!({ "application/octet-stream": {} });
                map.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
            } else if !endpoint.body.is_nothing() {
                let schema = (endpoint.body.schema)(&mut generator);
                let content = json!({ "application/json": { "schema": schema } });
                map.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
            }
        }
        let path = paths.entry(endpoint.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(endpoint.method.as_str().to_lowercase(), operation);
        }
    }
    let key = |name: &str, what: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": what });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Remit hub", "version": "1" },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "session": key("remit-session", "The id of a session."),
                "count": key("remit-count", "Goes up with each request of the session."),
                "proof": key("remit-proof", "base64 of the session key's signature over the request."),
            },
        },
    })
}

fn operation_id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/v1/").replace(['/', '{', '}'], "-");
    let words: Vec<&str> = path.split('-').filter(|it| !it.is_empty()).collect();
    format!("{}-{}", endpoint.method.as_str().to_lowercase(), words.join("-"))
}

fn parameters(endpoint: &Endpoint, _: &mut schemars::SchemaGenerator) -> Vec<Value> {
    let of_path = endpoint.path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
    let text = json!({ "type": "string" });
    let in_path = of_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }));
    let in_query = endpoint.query.properties().into_iter().flatten();
    let in_query = in_query.map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema }));
    in_path.chain(in_query).collect()
}
