//! The start of the device flow, and the page where a person types the code that the device shows.
use axum::{
    extract::{RawForm, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{
    Shared, lock,
    response::{escaped, field, fields, page, told},
    web::scopes,
};

/// POST: starts a sign-in on a device.
pub(super) async fn code(
    State(world): State<Shared>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let form = fields(&form);
    let mut world = lock(&world);
    let client_id = field(&form, "client_id");
    if client_id != world.app.client_id {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (device_code, user_code, lives) =
        world.new_device(client_id.to_owned(), scopes(field(&form, "scope")));
    told(
        &headers,
        json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": format!("{}/login/device", world.url),
            "expires_in": lives.as_secs(),
            "interval": world.device_interval.as_secs(),
        }),
    )
}

/// GET: asks for the code.
pub(super) async fn ask(RawForm(query): RawForm) -> Response {
    let query = fields(&query);
    let body = format!(
        "<form method=\"post\" action=\"/login/device\"><label>Code <input name=\"user_code\" value=\"{}\"></label>\
         <button name=\"authorize\" value=\"0\">Cancel</button> <button name=\"authorize\" value=\"1\">Authorize</button></form>",
        escaped(field(&query, "user_code"))
    );
    page(StatusCode::OK, "Connect a device", &body)
}

/// POST: records the person's decision.
pub(super) async fn answer(State(world): State<Shared>, RawForm(form): RawForm) -> Response {
    let form = fields(&form);
    let mut world = lock(&world);
    let Some(login) = world.at_browser().map(|person| person.login.clone()) else {
        return page(StatusCode::UNAUTHORIZED, "Sign in to GitHub", "");
    };
    let yes = field(&form, "authorize") == "1";
    if world.decide_device(field(&form, "user_code"), &login, yes) {
        page(StatusCode::OK, "You may close this page", "")
    } else {
        page(StatusCode::NOT_FOUND, "There is no such code", "")
    }
}
