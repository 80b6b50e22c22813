//! What an endpoint is: one row, from which come its route, its page in the OpenAPI document, its limits, and the test that it must
//! have. What a handler takes and gives is in its types, and so in the schema that requests are held against.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use jsonschema::Validator;
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::limit::Rate;
use super::problem::Problem;
use crate::db::{Answer, Change, NewEntry, View};
use crate::hub::Asker;
use crate::scope::Held;
use crate::{Error, Hub, Scope};

/// The most bytes of a body where nothing else is said: all that is no document.
const BODY_BYTES_MAX: usize = 64 << 10;

/// So many of all that ask for one endpoint are worked on at once.
const AT_WORK_MAX: usize = 32;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever has a session.
    Technician,
    /// Everybody: what is answered says nothing of any client.
    Anybody,
}

/// A row.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) who: Who,
    pub(crate) body_bytes_max: usize,
    pub(crate) at_work_max: usize,
    pub(crate) rate: Rate,
    /// What it answers with where all is well.
    pub(crate) status: StatusCode,
    pub(crate) query: Form,
    pub(crate) body: Form,
    /// Whether the body is bytes that mean nothing here, and no JSON.
    pub(crate) is_raw: bool,
    pub(crate) answer: fn(&mut SchemaGenerator) -> Value,
    pub(super) run: Run,
}

pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send>>;
pub(super) type Run = Box<dyn Fn(Arc<Hub>, Asked) -> Answering + Send + Sync>;

/// What came, read as far as the row says.
pub(crate) struct Asked {
    pub(crate) asker: Option<Asker>,
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: Value,
    pub(crate) body: Value,
    /// Of an endpoint that takes bytes.
    pub(crate) raw: Bytes,
}

/// What a handler gets.
pub(crate) struct Call<Q, B> {
    hub: Arc<Hub>,
    asker: Option<Asker>,
    path: BTreeMap<String, String>,
    pub(crate) query: Q,
    pub(crate) body: B,
    pub(crate) raw: Bytes,
}

/// No query, or no body.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// How a query or a body must be.
pub(crate) struct Form {
    pub(crate) schema: fn(&mut SchemaGenerator) -> Value,
    alone: Value,
    validator: Option<Validator>,
}

impl Form {
    fn of<T: JsonSchema>() -> Self {
        let alone = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
        // A schema that is none would be found by the test that reads all of them.
        let validator = jsonschema::validator_for(&alone).ok();
        Self { schema: |generator| generator.subschema_for::<T>().to_value(), alone, validator }
    }

    /// Everything that is wrong with it.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Problem> {
        let Some(validator) = &self.validator else { return Err(Problem::busy(30)) };
        let is_known = |name: &String| self.properties().is_some_and(|it| it.contains_key(name));
        let Some(map) = value.as_object() else {
            return Err(Problem::invalid(vec!["expected a JSON object".to_owned()]));
        };
        // Each by its name; the validator says it of all of them, and not always which.
        let unknown = map.keys().filter(|name| !is_known(name)).map(|name| format!("`{name}` is not known"));
        let known = Value::Object(
            map.iter().filter(|(name, _)| is_known(name)).map(|(n, it)| (n.clone(), it.clone())).collect(),
        );
        let errors = validator.iter_errors(&known).map(|error| match error.instance_path().to_string() {
            path if path.is_empty() => error.to_string(),
            path => format!("`{path}`: {error}"),
        });
        let errors: Vec<String> = unknown.chain(errors).take(20).collect();
        match errors.is_empty() {
            true => Ok(()),
            false => Err(Problem::invalid(errors)),
        }
    }

    /// Whether nothing may come.
    pub(crate) fn is_nothing(&self) -> bool {
        self.properties().is_none_or(Map::is_empty)
    }

    pub(crate) fn properties(&self) -> Option<&Map<String, Value>> {
        self.alone.get("properties").and_then(Value::as_object)
    }

    /// A query as the schema means it: text is a number or a truth where it says so. A name twice is one too many.
    pub(crate) fn of_query(&self, pairs: Vec<(String, String)>) -> Result<Value, Problem> {
        let mut map = Map::new();
        for (name, text) in pairs {
            let types = self.properties().and_then(|it| it.get(&name)).and_then(|it| it.get("type"));
            let has = |word: &str| {
                let list = types.and_then(Value::as_array);
                types.and_then(Value::as_str) == Some(word) || list.is_some_and(|list| list.iter().any(|it| it == word))
            };
            let is_plain = !has("integer") && !has("boolean");
            let value = if is_plain { None } else { serde_json::from_str(&text).ok() };
            if map.insert(name.clone(), value.unwrap_or_else(|| text.into())).is_some() {
                return Err(Problem::invalid(vec![format!("`{name}` is there twice")]));
            }
        }
        Ok(Value::Object(map))
    }
}

impl Endpoint {
    /// A row, with what it takes and gives in the handler's types.
    pub(crate) fn new<Q, B, A, F, W>(method: Method, path: &'static str, summary: &'static str, handler: F) -> Self
    where
        Q: DeserializeOwned + JsonSchema + Send + Sync + 'static,
        B: DeserializeOwned + JsonSchema + Send + Sync + 'static,
        A: Serialize + JsonSchema + Send + 'static,
        F: Fn(Call<Q, B>) -> W + Clone + Send + Sync + 'static,
        W: Future<Output = Result<A, Error>> + Send + 'static,
    {
        let run: Run = Box::new(move |hub, asked| {
            let handler = handler.clone();
            Box::pin(async move {
                let Asked { asker, path, query, body, raw } = asked;
                let call = Call { hub, asker, path, query: typed(query)?, body: typed(body)?, raw };
                let answer = handler(call).await?;
                serde_json::to_value(answer).map_err(|_| Problem::busy(30))
            })
        });
        let is_reading = method == Method::GET;
        Self {
            method,
            path,
            summary,
            who: Who::Technician,
            body_bytes_max: if is_reading { 0 } else { BODY_BYTES_MAX },
            at_work_max: AT_WORK_MAX,
            // A person who types, and a program that pages through a list.
            rate: Rate { at_once: 50, per_second: 20 },
            status: StatusCode::OK,
            query: Form::of::<Q>(),
            body: Form::of::<B>(),
            is_raw: false,
            answer: |generator| generator.subschema_for::<A>().to_value(),
            run,
        }
    }

    pub(crate) fn run(&self, hub: Arc<Hub>, asked: Asked) -> Answering {
        (self.run)(hub, asked)
    }
}

/// What was held against its schema. What that does not say, such as the form of a name, its type does.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| Problem::invalid(vec![error.to_string()]))
}

impl<Q, B> Call<Q, B> {
    /// A part of the path.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.path.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Who asks. An endpoint for everybody asks for nothing that needs one.
    pub(crate) fn asker(&self) -> Result<&Asker, Error> {
        self.asker.as_ref().ok_or_else(|| Error::Denied("there is no session".to_owned()))
    }

    /// Reads what whoever asks may see. A handler has no other way to the database.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (hub, scope) = (Arc::clone(&self.hub), self.asker()?.scope.clone());
        tokio::task::spawn_blocking(move || hub.db.read(&scope, read)).await.unwrap_or(Err(Error::Lost))
    }

    /// Answers SQL with what whoever asks may see, of these clients alone where some are named.
    pub(crate) async fn query(&self, sql: String, clients: &[String]) -> Result<Answer, Error> {
        let whole = &self.asker()?.scope;
        let scope = if clients.is_empty() { whole.clone() } else { Scope::of_these(whole, clients)? };
        let (hub, of) = (Arc::clone(&self.hub), Arc::clone(&self.hub));
        let presence = move |device: &str| crate::word(&of.presence(device));
        let asked = tokio::task::spawn_blocking(move || hub.db.queries.ask(&scope, &sql, presence));
        asked.await.unwrap_or(Err(Error::Lost))
    }

    /// Writes rows of a client of whoever asks, and that they did, together.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        client: &str,
        (action, body): (&'static str, Value),
        mut work: impl FnMut(&Change<'_>, &Held, u64) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let name = client.parse().map_err(|error: trust::NotAName| Error::Invalid(vec![error.to_string()]))?;
        let (asker, at_ms) = (self.asker()?, self.hub.clock.now_ms());
        let held = asker.scope.hold(&name)?;
        let entry = NewEntry { at_ms, actor: asker.actor.clone(), client: Some(held.clone()), action, body };
        let work = move |change: &Change<'_>| {
            let done = work(change, &held, at_ms)?;
            change.audit(&entry)?;
            Ok(done)
        };
        self.hub.db.write(work).await
    }
}
