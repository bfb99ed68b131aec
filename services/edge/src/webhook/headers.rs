//! The headers of a webhook that matter; each may come once.
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::response::CodeResponse;

const EVENT: HeaderName = HeaderName::from_static("x-github-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-github-delivery");
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
/// Stands for a value that is not text: the header is there, and it is wrong.
const NOT_TEXT: &str = "\u{fffd}";
/// The other content type that GitHub offers for webhooks.
const FORM_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
/// Bounds a delivery id that is sent back. GitHub's have 36 bytes.
const MAX_ECHO_BYTES: usize = 100;

/// The headers that matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct WebhookHeaders {
    pub(super) event: String,
    pub(super) delivery_id: String,
    pub(super) signature: String,
    pub(super) content_type: String,
    /// The announced length of the body, if there is one.
    pub(super) content_length: Option<u64>,
}

/// Reads the headers. One that comes twice is refused: another reader could take the other one.
pub(super) fn read(headers: &HeaderMap) -> Result<WebhookHeaders, CodeResponse> {
    Ok(WebhookHeaders {
        event: one(headers, &EVENT)?,
        delivery_id: one(headers, &DELIVERY)?,
        signature: one(headers, &SIGNATURE)?,
        content_type: one(headers, &CONTENT_TYPE)?,
        content_length: headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok()),
    })
}

fn one(headers: &HeaderMap, name: &HeaderName) -> Result<String, CodeResponse> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        let message = format!("the header {name} came more than once");
        return Err(CodeResponse::new(
            StatusCode::BAD_REQUEST,
            "HEADER_REPEATED",
            &message,
        ));
    }
    Ok(value
        .map_or("", |value| value.to_str().unwrap_or(NOT_TEXT))
        .to_owned())
}

impl WebhookHeaders {
    /// Returns the delivery id if it can be sent back; otherwise an empty one.
    pub(super) fn echo_delivery_id(&self) -> String {
        let id = &self.delivery_id;
        let fits = id.len() <= MAX_ECHO_BYTES && id.bytes().all(|b| b.is_ascii_graphic());
        if fits { id.clone() } else { String::new() }
    }

    /// Checks that the content type is JSON. Its parameters do not matter.
    pub(super) fn check_content_type(&self) -> Result<(), CodeResponse> {
        let media = self
            .content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if media.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        let message = if media.eq_ignore_ascii_case(FORM_CONTENT_TYPE) {
            "the webhook sends a form: set its content type to application/json in the repository's webhook settings"
        } else {
            "the content type must be application/json"
        };
        Err(CodeResponse::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CONTENT_TYPE_INVALID",
            message,
        ))
    }
}
