//! Errors in OPA's form: `code`, `message`, and `errors` with their places.

use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use serde_json::{Value as Json, json};

use crate::{
    api::status::CallError,
    decision::{Diagnostic, Verdict, code},
};

pub(super) const INVALID_PARAMETER: &str = "invalid_parameter";
pub(super) const INVALID_OPERATION: &str = "invalid_operation";
pub(super) const NOT_FOUND: &str = "resource_not_found";
pub(super) const CONFLICT: &str = "resource_conflict";
pub(super) const UNDEFINED: &str = "undefined_document";
const INTERNAL: &str = "internal_error";

/// Why a request got no answer.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    code: &'static str,
    message: String,
    errors: Vec<Json>,
    headers: Option<Box<HeaderMap>>,
    /// For metrics, one of [`CallError::REASONS`].
    pub(super) reason: &'static str,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let reason = if status.is_server_error() { "INTERNAL_ERROR" } else { "INVALID_REQUEST" };
        Self { status, code, message: message.into(), errors: Vec::new(), headers: None, reason }
    }

    /// A 400.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID_PARAMETER, message)
    }

    /// A 500.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, message)
    }

    /// What a text in Rego is refused for.
    pub(super) fn of_text(message: &str, faults: &[Diagnostic]) -> Self {
        Self { errors: faults.iter().map(|fault| located(&fault.code, fault)).collect(), ..Self::invalid(message) }
    }

    /// An evaluation that came to nothing: always an error, never a result.
    pub(super) fn of_verdict(verdict: &Verdict) -> Self {
        let errors = if verdict.diagnostics.is_empty() {
            let reasons = verdict.reasons.iter();
            reasons.map(|reason| json!({ "code": reason.code, "message": reason.message })).collect()
        } else {
            verdict.diagnostics.iter().map(evaluation).collect()
        };
        Self { errors, ..Self::internal("error(s) occurred while evaluating query") }
    }

    /// The same, with these headers.
    pub(super) fn with(self, headers: HeaderMap) -> Self {
        Self { headers: Some(Box::new(headers)), ..self }
    }

    pub(super) fn response(&self) -> Response {
        let mut body = json!({ "code": self.code, "message": self.message });
        if let Some(members) = body.as_object_mut().filter(|_| !self.errors.is_empty()) {
            members.insert("errors".to_owned(), self.errors.clone().into());
        }
        // As OPA writes them, whatever `pretty` says.
        let text = serde_json::to_string_pretty(&body).unwrap_or_default() + "\n";
        let mut response = (self.status, [(CONTENT_TYPE, "application/json")], text).into_response();
        response.headers_mut().extend(self.headers.as_deref().cloned().unwrap_or_default());
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        let status = error.http_status();
        let code = if status.is_server_error() { INTERNAL } else { INVALID_PARAMETER };
        Self { reason: error.code().1, ..Self::new(status, code, error.to_string()) }
    }
}

/// What went wrong in an evaluation, by OPA's codes and words where it has some.
fn evaluation(fault: &Diagnostic) -> Json {
    let Diagnostic { code: own, message, position } = fault;
    let of = |code: &'static str| Some((code, message.split_once(&format!("{code}: "))?.1));
    let conflict = || {
        let conflicts = message.contains("rule conflicts with") || message.contains("multiple outputs");
        conflicts.then_some(("eval_conflict_error", message.as_str()))
    };
    let (code, message) = match &**own {
        code::BUDGET_EXCEEDED => ("eval_cancel_error", message.as_str()),
        code::INTERNAL_ERROR => ("eval_internal_error", message.as_str()),
        code::EVALUATION_ERROR => of("eval_builtin_error")
            .or_else(|| of("eval_type_error"))
            .or_else(conflict)
            .unwrap_or(("eval_internal_error", message)),
        other => (other, message.as_str()),
    };
    located(code, &Diagnostic { code: own.clone(), message: message.to_owned(), position: position.clone() })
}

fn located(code: &str, Diagnostic { message, position, .. }: &Diagnostic) -> Json {
    let mut error = json!({ "code": code, "message": message });
    if let (Some(place), Some(members)) = (position, error.as_object_mut()) {
        let location = json!({ "file": &*place.file, "row": place.line, "col": place.column });
        members.insert("location".to_owned(), location);
    }
    error
}
