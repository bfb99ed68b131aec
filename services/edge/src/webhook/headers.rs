//! The headers of a webhook that matter, each at most once.
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::answer::Answer;

const EVENT: HeaderName = HeaderName::from_static("x-github-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-github-delivery");
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
/// What stands for a value that is no text: it is there, and it is wrong.
const NO_TEXT: &str = "\u{fffd}";
/// What a form that GitHub offers looks like.
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest delivery id that is told back.
const LONGEST_ECHO: usize = 100;

/// What matters of the headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Headers {
    pub(super) event: String,
    pub(super) delivery_id: String,
    pub(super) signature: String,
    pub(super) content_type: String,
    /// The length of the body, if it was announced.
    pub(super) announced: Option<u64>,
}

/// Reads them; one that comes twice is refused: who reads another one than we do would see something else.
pub(super) fn read(headers: &HeaderMap) -> Result<Headers, Answer> {
    Ok(Headers {
        event: one(headers, &EVENT)?,
        delivery_id: one(headers, &DELIVERY)?,
        signature: one(headers, &SIGNATURE)?,
        content_type: one(headers, &CONTENT_TYPE)?,
        announced: headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok()),
    })
}

fn one(headers: &HeaderMap, name: &HeaderName) -> Result<String, Answer> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        let message = format!("the header {name} came more than once");
        return Err(Answer::new(
            StatusCode::BAD_REQUEST,
            "HEADER_REPEATED",
            &message,
        ));
    }
    Ok(value
        .map_or("", |value| value.to_str().unwrap_or(NO_TEXT))
        .to_owned())
}

impl Headers {
    /// The delivery id, to be told back if it is in order.
    pub(super) fn echo(&self) -> String {
        let id = &self.delivery_id;
        let fits = id.len() <= LONGEST_ECHO && id.bytes().all(|b| b.is_ascii_graphic());
        if fits { id.clone() } else { String::new() }
    }

    /// JSON and nothing else; parameters do not matter.
    pub(super) fn check_content_type(&self) -> Result<(), Answer> {
        let media = self
            .content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if media.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        let message = if media.eq_ignore_ascii_case(FORM) {
            "the webhook sends a form: set its content type to application/json in the repository's webhook settings"
        } else {
            "the content type must be application/json"
        };
        Err(Answer::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CONTENT_TYPE_INVALID",
            message,
        ))
    }
}
