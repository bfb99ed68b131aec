//! `POST /login/oauth/access_token`: exchanges a code for an access token, in the web flow and the device flow.
use std::collections::BTreeSet;

use axum::{
    extract::{RawForm, State},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Shared, lock,
    response::{Fields, field, fields, refused, told},
    world::{GitHubWorld, Polled},
};

/// The grant type of the device flow (RFC 8628).
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// POST: exchanges a code for an access token.
pub(super) async fn token(
    State(world): State<Shared>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let form = fields(&form);
    let mut world = lock(&world);
    if field(&form, "client_id") != world.app.client_id {
        return StatusCode::NOT_FOUND.into_response();
    }
    match field(&form, "grant_type") {
        DEVICE_GRANT => device(&mut world, &headers, &form),
        "" | "authorization_code" => web(&mut world, &headers, &form),
        _ => {
            let why = "The grant type is not supported.";
            refused(&headers, "unsupported_grant_type", why)
        }
    }
}

fn web(world: &mut GitHubWorld, headers: &HeaderMap, form: &Fields) -> Response {
    if field(form, "client_secret") != world.app.client_secret {
        let why = "The client_id and/or client_secret passed are incorrect.";
        return refused(headers, "incorrect_client_credentials", why);
    }
    let bad = "The code passed is incorrect or expired.";
    let Some(grant) = world.take_code(field(form, "code")) else {
        return refused(headers, "bad_verification_code", bad);
    };
    if grant.client_id != field(form, "client_id") {
        return refused(headers, "bad_verification_code", bad);
    }
    let given = form.get("redirect_uri");
    if given.is_some_and(|given| *given != grant.redirect_uri) {
        let why = "The redirect_uri MUST match the registered callback URL for this application.";
        return refused(headers, "redirect_uri_mismatch", why);
    }
    let verifier = Sha256::digest(field(form, "code_verifier").as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(verifier);
    if grant.challenge.is_some_and(|asked| asked != challenge) {
        return refused(headers, "bad_verification_code", bad);
    }
    granted(world, headers, grant.user_id, grant.scopes)
}

fn device(world: &mut GitHubWorld, headers: &HeaderMap, form: &Fields) -> Response {
    let (client_id, code) = (field(form, "client_id"), field(form, "device_code"));
    match world.poll(client_id, code) {
        Polled::Granted(user_id, scopes) => granted(world, headers, user_id, scopes),
        Polled::Pending => {
            let why = "The authorization request is still pending.";
            refused(headers, "authorization_pending", why)
        }
        Polled::SlowDown(interval) => told(
            headers,
            json!({
                "error": "slow_down",
                "error_description": "Too many requests have been made in the same timeframe.",
                "interval": interval.as_secs(),
            }),
        ),
        Polled::Expired => {
            let why = "The `device_code` has expired.";
            refused(headers, "expired_token", why)
        }
        Polled::Denied => {
            let why = "The authorization request was denied.";
            refused(headers, "access_denied", why)
        }
        Polled::Unknown => {
            let why = "The device_code provided is not valid.";
            refused(headers, "incorrect_device_code", why)
        }
    }
}

fn granted(
    world: &mut GitHubWorld,
    headers: &HeaderMap,
    user_id: u64,
    scopes: BTreeSet<String>,
) -> Response {
    let scope = scopes.iter().cloned().collect::<Vec<_>>().join(",");
    let token = world.new_token(user_id, scopes);
    told(
        headers,
        json!({ "access_token": token, "scope": scope, "token_type": "bearer" }),
    )
}
