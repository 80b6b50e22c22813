use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::wire;
use crate::{TooMuch, Trouble};

/// What a request came to instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    word: &'static str,
    title: String,
    after: Option<Duration>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, word: &'static str, title: impl Into<String>) -> Self {
        Self { status, word, title: title.into(), after: None }
    }

    /// No session, or no proof. Which of both is not said, and neither is why.
    pub(super) fn unproved() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unproved", "the request is not proved by a session")
    }

    /// The hub has too much to do.
    pub(super) fn busy(after: Duration) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "the hub has more to do than it can");
        Self { after: Some(after), ..problem }
    }

    /// Whoever asks does too often.
    pub(super) fn too_often(after: Duration) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "that was asked too often");
        Self { after: Some(after), ..problem }
    }

    pub(super) fn too_large(most: usize) -> Self {
        let title = format!("at most {most} bytes are read");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title)
    }

    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", why)
    }
}

impl From<TooMuch> for Problem {
    fn from(too_much: TooMuch) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too-much", too_much.to_string())
    }
}

/// The one place where trouble becomes an answer.
impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Busy { after } => Self::busy(after),
            Trouble::TooMuch(too_much) => too_much.into(),
            // An exchange says nothing else; what is below it is nobody's outside.
            _ => Self::busy(Duration::from_secs(30)),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = wire::Problem {
            r#type: format!("about:remit-{}", self.word),
            title: self.title,
            status: self.status.as_u16(),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut answer = (self.status, body).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.after {
            // Rounded up: whoever comes after it finds what was promised.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_nanos().div_ceil(1_000_000_000) as u64));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_to_come_again_is_never_told_at_once() {
        for (after, told) in
            [(Duration::from_nanos(1), "1"), (Duration::from_secs(1), "1"), (Duration::from_millis(1_001), "2")]
        {
            assert_eq!(Problem::too_often(after).into_response().headers()[header::RETRY_AFTER], told, "{after:?}");
        }
    }
}
