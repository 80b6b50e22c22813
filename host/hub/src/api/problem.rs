//! What went wrong, as RFC 9457 has it: one form for all endpoints, and everything that is wrong at once.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Error;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Problem {
    /// A word for it, which never changes: `about:remit-` and the word.
    pub(crate) r#type: String,
    /// The same for people.
    pub(crate) title: String,
    /// The status of the answer.
    pub(crate) status: u16,
    /// What is wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// Everything that is wrong with it, where that is more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub(crate) errors: Vec<Wrong>,
    /// After so many seconds it may go.
    #[serde(skip)]
    pub(crate) retry_after_s: Option<u64>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Wrong {
    /// A word for it, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// What.
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, word: &str, title: &str) -> Self {
        let (r#type, title) = (format!("about:remit-{word}"), title.to_owned());
        Self { r#type, title, status: status.as_u16(), detail: None, errors: Vec::new(), retry_after_s: None }
    }

    pub(crate) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Of what was sent this is wrong.
    pub(crate) fn invalid(errors: Vec<String>) -> Self {
        let errors = errors.into_iter().map(|detail| Wrong { code: None, detail }).collect();
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not right") }
    }

    /// No session, or no proof. Which of both is not said, and neither is why: whoever has both knows.
    pub(crate) fn unproved() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unproved", "The request is not proved by a session")
    }

    pub(crate) fn busy(after_s: u64) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The hub has more to do than it can");
        Self { retry_after_s: Some(after_s), ..problem }
    }

    pub(crate) fn too_often(after_s: u64) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "That was asked too often");
        Self { retry_after_s: Some(after_s), ..problem }
    }

    pub(crate) fn answer(&self) -> Response<Body> {
        let mut answer = Response::new(Body::from(serde_json::to_vec(self).unwrap_or_default()));
        *answer.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after_s) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after_s));
        }
        answer
    }
}

/// The one place where what the hub says becomes an answer. What is the hub's own fault is `busy`: whoever asked did nothing wrong,
/// may come back, and hears nothing of the inside.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::Missing { what } => Self::new(StatusCode::NOT_FOUND, "missing", "It is not there")
                .detail(format!("there is no such {what}")),
            Error::Conflict(_) => {
                Self::new(StatusCode::CONFLICT, "conflict", "It is not as it was expected").detail(said)
            }
            Error::Denied(_) => Self::new(StatusCode::FORBIDDEN, "denied", "Whoever asks may not").detail(said),
            Error::Invalid(errors) => Self::invalid(errors),
            Error::Refused(refusals) => {
                let wrong = |it: &trust::Refusal| Wrong { code: Some(it.code().to_owned()), detail: it.to_string() };
                let errors = refusals.iter().map(wrong).collect();
                let title = "What was signed does not hold";
                Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", title) }
            }
            Error::Busy { after_s } => Self::busy(after_s),
            Error::TooSlow { .. } => Self::busy(5),
            Error::Full
            | Error::Sqlite(_)
            | Error::Io(..)
            | Error::TooNew { .. }
            | Error::Corrupt { .. }
            | Error::Lost
            | Error::Certificate { .. }
            | Error::Unreadable { .. } => Self::busy(30),
        }
    }
}
