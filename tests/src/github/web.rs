//! The page of the web flow: a person authorizes the app or declines, and the browser goes back to the app.
use std::collections::BTreeSet;

use axum::{
    extract::{RawForm, State},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;

use super::{
    Shared, lock,
    response::{Fields, escaped, field, fields, page},
};

/// The fields of the query that the form repeats.
const FORM_FIELDS: [&str; 6] = [
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// GET: shows the page, or sends the browser back at once if the person authorized the app before.
pub(super) async fn ask(State(world): State<Shared>, RawForm(query): RawForm) -> Response {
    let query = fields(&query);
    if let Err(refused) = wrong(&world, &query) {
        return *refused;
    }
    let world_now = lock(&world);
    let Some(person) = world_now.at_browser() else {
        let body = "<p>Sign in to GitHub first.</p>";
        return page(StatusCode::UNAUTHORIZED, "Sign in to GitHub", body);
    };
    let (id, login) = (person.id, person.login.clone());
    if world_now.has_authorized(id, &scopes(field(&query, "scope"))) {
        drop(world_now);
        return agreed(&world, &query);
    }
    let hidden: String = FORM_FIELDS
        .iter()
        .filter(|name| query.contains_key(**name))
        .map(|name| {
            let value = escaped(field(&query, name));
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
        })
        .collect();
    let body = format!(
        "<p>Signed in as <strong>{}</strong>. The app asks for: {}.</p>\
         <form method=\"post\" action=\"/login/oauth/authorize\">{hidden}\
         <button name=\"authorize\" value=\"0\">Cancel</button> <button name=\"authorize\" value=\"1\">Authorize</button></form>",
        escaped(&login),
        escaped(field(&query, "scope")),
    );
    page(StatusCode::OK, "Authorize the app", &body)
}

/// POST: takes the person's decision.
pub(super) async fn answer(State(world): State<Shared>, RawForm(form): RawForm) -> Response {
    let form = fields(&form);
    if let Err(refused) = wrong(&world, &form) {
        return *refused;
    }
    if field(&form, "authorize") != "1" {
        let why = "The user has denied your application access.";
        return back(
            &redirect_uri(&world, &form),
            &form,
            &[("error", "access_denied"), ("error_description", why)],
        );
    }
    agreed(&world, &form)
}

/// Sends the browser back with a code.
fn agreed(world: &Shared, query: &Fields) -> Response {
    let to = redirect_uri(world, query);
    let challenge = query.get("code_challenge").cloned();
    let mut now = lock(world);
    let Some(id) = now.at_browser().map(|person| person.id) else {
        return page(StatusCode::UNAUTHORIZED, "Sign in to GitHub", "");
    };
    let code = now.new_code(id, to.clone(), scopes(field(query, "scope")), challenge);
    drop(now);
    back(&to, query, &[("code", &code)])
}

/// Checks the query: an unknown app, a foreign redirect URI and an unsupported challenge are refused.
fn wrong(world: &Shared, query: &Fields) -> Result<(), Box<Response>> {
    let app = lock(world).app.clone();
    if field(query, "client_id") != app.client_id {
        let status = StatusCode::NOT_FOUND;
        return Err(Box::new(page(status, "This is not the page you seek", "")));
    }
    let to = redirect_uri(world, query);
    if !below(&app.callback, &to) {
        let why = "The redirect_uri is not associated with this application.";
        let why = [
            ("error", "redirect_uri_mismatch"),
            ("error_description", why),
        ];
        return Err(Box::new(back(&app.callback, query, &why)));
    }
    let method = query.get("code_challenge_method").map(String::as_str);
    if query.contains_key("code_challenge") && method != Some("S256") {
        let why = [
            ("error", "invalid_request"),
            ("error_description", "use S256"),
        ];
        return Err(Box::new(back(&to, query, &why)));
    }
    Ok(())
}

/// Returns where the browser goes: to the requested redirect URI, else to the app's callback.
fn redirect_uri(world: &Shared, query: &Fields) -> String {
    let given = query.get("redirect_uri").cloned();
    given.unwrap_or_else(|| lock(world).app.callback.clone())
}

/// Sends the browser back, with the unchanged state.
fn back(to: &str, query: &Fields, more: &[(&str, &str)]) -> Response {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(more);
    if let Some(state) = query.get("state") {
        pairs.append_pair("state", state);
    }
    let join = if to.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{to}{join}{}", pairs.finish())).into_response()
}

/// Reports whether a URI is the app's callback or below it. On this machine the port does not count.
fn below(callback: &str, given: &str) -> bool {
    let parts = |address: &str| {
        let address = reqwest::Url::parse(address).ok()?;
        let host = address.host_str()?.to_owned();
        let port = match host.as_str() {
            "127.0.0.1" | "localhost" | "[::1]" => None,
            _ => address.port_or_known_default(),
        };
        let path = address.path().trim_end_matches('/').to_owned();
        Some((address.scheme().to_owned(), host, port, path))
    };
    let (Some(own), Some(given)) = (parts(callback), parts(given)) else {
        return false;
    };
    let same = (&own.0, &own.1, own.2) == (&given.0, &given.1, given.2);
    same && (own.3 == given.3 || given.3.starts_with(&format!("{}/", own.3)))
}

/// Splits scopes, however they are separated.
pub(super) fn scopes(text: &str) -> BTreeSet<String> {
    text.split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn the_browser_goes_to_the_apps_own_addresses_only() {
        let own = "http://127.0.0.1/auth/github/callback";
        assert!(below(own, "http://127.0.0.1:8080/auth/github/callback"));
        assert!(below(own, "http://127.0.0.1/auth/github/callback/more"));
        for wrong in [
            "http://127.0.0.1/auth/github/callbacks",
            "http://127.0.0.1/auth",
            "https://127.0.0.1/auth/github/callback",
            "http://evil.example/auth/github/callback",
            "",
        ] {
            assert!(!below(own, wrong), "{wrong}");
        }
        let far = "https://ck8s.example/auth/github/callback";
        assert!(!below(
            far,
            "https://ck8s.example:8443/auth/github/callback"
        ));
    }
}
