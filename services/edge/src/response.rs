//! The JSON responses of the edge, errors included: to webhooks, to scripts, to probes, and where there is nothing.
use bytes::Bytes;
use ck8s_rpc::rate::whole_seconds;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;
use serde::Serialize;
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;

/// How long a client waits before it sends again what could not be stored, in seconds.
const UNAVAILABLE_RETRY_SECONDS: u32 = 5;

/// A response with a code and a message: an error, or the outcome of a webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CodeResponse {
    pub(crate) status: StatusCode,
    /// UPPER_SNAKE, stable.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
    /// The provider's id of the webhook's delivery, empty if it is missing; none where no webhook is answered.
    pub(crate) delivery_key: Option<String>,
    /// When to come back, in seconds.
    pub(crate) retry_after: Option<u32>,
    /// The methods that the path takes.
    pub(crate) allow: Option<&'static str>,
}

#[derive(Serialize)]
struct CodeBody<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(rename = "delivery_id", skip_serializing_if = "Option::is_none")]
    delivery_key: Option<&'a str>,
}

impl CodeResponse {
    pub(crate) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            delivery_key: None,
            retry_after: None,
            allow: None,
        }
    }

    /// There is nothing at this path.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here")
    }

    /// The path takes only these methods.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let message = format!("only {allow} is taken here");
        let response = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            &message,
        );
        Self {
            allow: Some(allow),
            ..response
        }
    }

    /// It does not work now.
    pub(crate) fn unavailable(message: &str) -> Self {
        let response = Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
        Self {
            retry_after: Some(UNAVAILABLE_RETRY_SECONDS),
            ..response
        }
    }

    /// Names the delivery that is answered.
    pub(crate) fn for_delivery(self, delivery_key: String) -> Self {
        Self {
            delivery_key: Some(delivery_key),
            ..self
        }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let body = CodeBody {
            code: &self.code,
            message: &self.message,
            delivery_key: self.delivery_key.as_deref(),
        };
        let mut response = json(self.status, &body);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

/// The error of a service, for a script.
impl From<&Status> for CodeResponse {
    fn from(status: &Status) -> Self {
        let code = status.get_details_error_info().map(|info| info.reason);
        let code = code.unwrap_or_else(|| "UNAVAILABLE".to_owned());
        Self {
            retry_after: retry_after(status),
            ..Self::new(http_status(status), &code, status.message())
        }
    }
}

/// Returns the HTTP status of a service's error.
pub(crate) fn http_status(status: &Status) -> StatusCode {
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns when to come back, in seconds, if the service's error says so.
pub(crate) fn retry_after(status: &Status) -> Option<u32> {
    let info = status.get_details_retry_info()?;
    info.retry_delay.map(whole_seconds)
}

/// A response of this value as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // These values hold nothing but texts: they always serialize.
    let json = serde_json::to_vec(value).unwrap_or_default();
    raw_json(status, json.into())
}

/// A response of a text that is JSON already.
pub(crate) fn raw_json(status: StatusCode, json: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(json)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
