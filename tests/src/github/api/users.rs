//! Accounts: `GET /user`, `GET /user/emails` and `GET /users/{login}`.
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, USER_AGENT},
};
use serde_json::json;

use super::shapes;
use crate::github::{
    Shared,
    accounts::Account,
    lock,
    response::{api_error, fields},
    world::GitHubWorld,
};

/// The scopes that show addresses.
const EMAIL_SCOPES: [&str; 2] = ["user:email", "user"];

/// GET: the token's owner, without private addresses.
pub(super) async fn user(State(world): State<Shared>, headers: HeaderMap) -> Response {
    let world = lock(&world);
    let (person, _) = match asker(&world, &headers) {
        Ok(asker) => asker,
        Err(refused) => return *refused,
    };
    Json(shapes::private_user(&world, person)).into_response()
}

/// GET: any account.
pub(super) async fn somebody(
    State(world): State<Shared>,
    Path(login): Path<String>,
    headers: HeaderMap,
) -> Response {
    let world = lock(&world);
    if let Err(refused) = asker(&world, &headers) {
        return *refused;
    }
    world.by_login(&login).map_or_else(
        || api_error(StatusCode::NOT_FOUND, "Not Found"),
        |person| Json(shapes::public_user(&world, person)).into_response(),
    )
}

/// GET: the addresses of the token's owner.
pub(super) async fn emails(
    State(world): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let mut world = lock(&world);
    let (person, may) = match asker(&world, &headers) {
        Ok(asker) => asker,
        Err(refused) => return *refused,
    };
    if !may {
        let why = "Resource not accessible by this token: it lacks the scope user:email";
        return api_error(StatusCode::FORBIDDEN, why);
    }
    let all = person.emails.iter().map(|email| {
        json!({
            "email": email.email,
            "verified": email.verified,
            "primary": email.primary,
            "visibility": email.primary.then_some("private"),
        })
    });
    let all = all.collect();
    let query = fields(query.unwrap_or_default().as_bytes());
    world.paged("/user/emails", &query, all)
}

/// Returns the token's owner, and whether the token may read their addresses.
fn asker<'a>(
    world: &'a GitHubWorld,
    headers: &HeaderMap,
) -> Result<(&'a Account, bool), Box<Response>> {
    let refuse = |status, why| Err(Box::new(api_error(status, why)));
    if !headers.contains_key(USER_AGENT) {
        return refuse(
            StatusCode::FORBIDDEN,
            "Request forbidden by administrative rules: it has no User-Agent header",
        );
    }
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some(given) = given else {
        return refuse(StatusCode::UNAUTHORIZED, "Requires authentication");
    };
    let token = ["Bearer ", "bearer ", "token "]
        .iter()
        .find_map(|kind| given.strip_prefix(kind));
    let access = token.and_then(|token| world.access(token));
    let known = access.and_then(|access| {
        let person = world.by_id(access.user_id)?;
        let may = EMAIL_SCOPES
            .iter()
            .any(|scope| access.scopes.contains(*scope));
        Some((person, may))
    });
    known.map_or_else(|| refuse(StatusCode::UNAUTHORIZED, "Bad credentials"), Ok)
}
