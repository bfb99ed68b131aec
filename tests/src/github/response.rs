//! The form of GitHub's responses: forms or JSON, OAuth errors with status 200, pages.
use std::collections::HashMap;

use axum::{
    Json,
    response::{Html, IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::{Map, Value, json};

/// The documentation that errors point at.
const DOCUMENTATION_URL: &str =
    "/developers/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/";

/// The fields of a form or of a query.
pub(super) type Fields = HashMap<String, String>;

/// Reads a form.
pub(super) fn fields(form: &[u8]) -> Fields {
    form_urlencoded::parse(form).into_owned().collect()
}

/// Returns a field; empty if it is missing.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

/// Makes a response of the OAuth endpoints: JSON for a client that accepts it, else a form.
pub(super) fn told(headers: &HeaderMap, value: Value) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("json")) {
        return Json(value).into_response();
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in value.as_object().unwrap_or(&Map::new()) {
        let text = value.as_str().map_or(value.to_string(), str::to_owned);
        form.append_pair(name, &text);
    }
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    ([(CONTENT_TYPE, kind)], form.finish()).into_response()
}

/// Makes an error of the OAuth endpoints. Its status is 200 all the same.
pub(super) fn refused(headers: &HeaderMap, error: &str, description: &str) -> Response {
    let uri = format!("{DOCUMENTATION_URL}#{}", error.replace('_', "-"));
    told(
        headers,
        json!({ "error": error, "error_description": description, "error_uri": uri }),
    )
}

/// Makes an error of the API.
pub(super) fn api_error(status: StatusCode, message: &str) -> Response {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.as_str(),
    });
    (status, Json(body)).into_response()
}

/// Makes a page.
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    (status, Html(html)).into_response()
}

/// Escapes a text for a page.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
