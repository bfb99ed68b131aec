//! The page that says why a sign-in failed. It stands alone: no script, no file, and links only to the console and to
//! begin again.
use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use html_escape::encode_safe;
use http::{
    HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;

use crate::response::{http_status, retry_after};

const STYLE: &str = ":root{color-scheme:light dark;background:#f6f7f9;color:#171b24}body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}\
h1{font-size:1.25rem}a{color:#2456c9}code{opacity:.8}@media(prefers-color-scheme:dark){:root{background:#0f1218;color:#e8ebf1}a{color:#8fb3ff}}";

/// The page loads nothing and nobody may frame it. Its only style is named by its hash.
static SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The page that a person reads.
pub(super) struct ErrorPage<'a> {
    status: StatusCode,
    title: &'static str,
    cause: &'a Status,
}

impl<'a> ErrorPage<'a> {
    /// The page about an error of the auth service.
    pub(super) fn new(cause: &'a Status) -> Self {
        let reason = cause.get_details_error_info().map(|info| info.reason);
        let (status, title) = match cause.code() {
            _ if matches!(
                reason.as_deref(),
                Some("PROVIDER_REFUSED" | "SIGN_IN_MISCONFIGURED")
            ) =>
            {
                let title = "The identity provider refuses this server";
                (StatusCode::BAD_GATEWAY, title)
            }
            Code::PermissionDenied => (StatusCode::FORBIDDEN, "You are not signed in"),
            Code::InvalidArgument => (StatusCode::BAD_REQUEST, "This sign-in cannot go on"),
            Code::FailedPrecondition => (StatusCode::BAD_REQUEST, "Sign-in is not set up"),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                (StatusCode::BAD_GATEWAY, "Sign-in does not work right now")
            }
            Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, "Too many sign-ins"),
            _ => (http_status(cause), "Sign-in failed"),
        };
        Self {
            status,
            title,
            cause,
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let info = self.cause.get_details_error_info();
        let reason = info.map(|info| info.reason).unwrap_or_default();
        let html = html(self.title, self.cause.message(), &reason);
        let mut response = Response::new(Body::new(Full::new(Bytes::from(html))));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after(self.cause) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&SECURITY_POLICY) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

fn html(title: &str, message: &str, reason: &str) -> String {
    let message = sentence(message);
    let (title, message, reason) = (
        encode_safe(title),
        encode_safe(&message),
        encode_safe(reason),
    );
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
<title>{title} · ck8s</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1><p>{message}</p>\
<p><a href=\"/auth/github/login\">Sign in again</a> · <a href=\"/\">Back to the console</a></p><p><code>{reason}</code></p></main></body></html>\n"
    )
}

/// Makes a sentence of a message, which begins with a small letter and has no full stop.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_text_and_nothing_else() {
        let page = html(
            "No",
            "who is <script>alert('x')</script> & \"co\"",
            "NOT_ALLOWED",
        );
        assert!(!page.contains("<script>"));
        assert!(page.contains(
            "Who is &lt;script&gt;alert(&#x27;x&#x27;)&lt;&#x2F;script&gt; &amp; &quot;co&quot;."
        ));
        assert!(page.contains("<code>NOT_ALLOWED</code>"));
    }
}
