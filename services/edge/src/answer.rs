//! How answers look that are no gRPC and no file: JSON, always.
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;
use serde::Serialize;
use tonic::body::Body;

/// An answer to a webhook, or to what is nothing here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) delivery_id: String,
    /// Seconds.
    pub(crate) retry_after: Option<u32>,
    /// The methods that a path takes.
    pub(crate) allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Json<'a> {
    code: &'a str,
    message: &'a str,
    delivery_id: &'a str,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            delivery_id: String::new(),
            retry_after: None,
            allow: None,
        }
    }

    /// There is nothing here.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here")
    }

    /// Only these methods.
    pub(crate) fn only(allow: &'static str) -> Self {
        let message = format!("only {allow} is taken here");
        let answer = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            &message,
        );
        Self {
            allow: Some(allow),
            ..answer
        }
    }

    /// Not now.
    pub(crate) fn unavailable(message: &str) -> Self {
        let answer = Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
        Self {
            retry_after: Some(5),
            ..answer
        }
    }

    pub(crate) fn of(self, delivery_id: String) -> Self {
        Self {
            delivery_id,
            ..self
        }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let Self {
            status,
            code,
            message,
            delivery_id,
            retry_after,
            allow,
        } = self;
        let json = Json {
            code: &code,
            message: &message,
            delivery_id: &delivery_id,
        };
        let mut response = json_response(status, &json);
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = allow {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

/// JSON that is written already.
pub(crate) fn raw_json(json: Bytes) -> Response<Body> {
    with_headers(StatusCode::OK, json)
}

/// Any JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    json_response(status, value)
}

fn json_response(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // Texts and nothing else: they always serialize.
    let json = serde_json::to_vec(value).unwrap_or_default();
    with_headers(status, json.into())
}

fn with_headers(status: StatusCode, json: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(json)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
