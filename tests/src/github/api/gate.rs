//! Access control: the token of a request, its repository, and whether it has the permission.
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, LOCATION, USER_AGENT},
};

use crate::github::{
    API, Shared, lock,
    response::api_error,
    token::{Needed, Token, Verdict},
    world::GitHubWorld,
};

/// The owner and the name in a path.
pub(super) type Named = (String, String);

/// The response of a refused request.
pub(super) struct Refused(Box<Response>);

impl From<Response> for Refused {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

pub(super) const fn read(permission: &'static str) -> Needed {
    Needed {
        permission,
        write: false,
    }
}

pub(super) const fn write(permission: &'static str) -> Needed {
    Needed {
        permission,
        write: true,
    }
}

/// Returns the token behind `Bearer` or `token`.
pub(super) fn shown(headers: &HeaderMap) -> &str {
    let value = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let kinds = ["Bearer ", "bearer ", "token "];
    let text = value.and_then(|value| kinds.iter().find_map(|kind| value.strip_prefix(kind)));
    text.unwrap_or_default()
}

/// Returns the token's owner.
pub(super) fn who(world: &GitHubWorld, headers: &HeaderMap) -> Result<Token, Refused> {
    if !headers.contains_key(USER_AGENT) {
        let why = "Request forbidden by administrative rules: it has no User-Agent header";
        return Err(Refused::from(api_error(StatusCode::FORBIDDEN, why)));
    }
    let bad = || Refused::from(api_error(StatusCode::UNAUTHORIZED, "Bad credentials"));
    world.token(shown(headers)).ok_or_else(bad)
}

/// Returns the repository, if the token has the permission there.
pub(super) fn enter(
    world: &GitHubWorld,
    headers: &HeaderMap,
    (owner, name): &Named,
    needed: &Needed,
) -> Result<(u64, Token), Refused> {
    let token = who(world, headers)?;
    let full_name = format!("{owner}/{name}");
    let mut all = world.repositories.values();
    let found = all.find(|r| r.full_name.eq_ignore_ascii_case(&full_name));
    let found = found.ok_or_else(missing)?;
    match world.verdict(&token, found, needed) {
        Verdict::Yes => Ok((found.id, token)),
        Verdict::Hidden => Err(missing()),
        Verdict::Denied(why) => {
            let mut refused = api_error(StatusCode::FORBIDDEN, why);
            let level = if needed.write { "write" } else { "read" };
            let accepted = format!("{}={level}", needed.permission);
            let accepted = HeaderValue::from_str(&accepted).expect("a header's value");
            refused
                .headers_mut()
                .insert("x-accepted-github-permissions", accepted);
            Err(Refused::from(refused))
        }
    }
}

pub(super) fn missing() -> Refused {
    Refused::from(api_error(StatusCode::NOT_FOUND, "Not Found"))
}

pub(super) fn invalid(resource: &str, field: &str, message: &str) -> Refused {
    let body = serde_json::json!({
        "message": "Validation Failed",
        "errors": [{ "resource": resource, "field": field, "code": "custom", "message": message }],
        "documentation_url": "https://docs.github.com/rest",
        "status": "422",
    });
    Refused::from((StatusCode::UNPROCESSABLE_ENTITY, axum::Json(body)).into_response())
}

/// Redirects from a former name to the current one. (GitHub redirects to `/repositories/{id}`.)
pub(super) async fn moved(State(world): State<Shared>, request: Request, next: Next) -> Response {
    match target(&lock(&world), &request) {
        None => {}
        Some(target) => {
            let status = match *request.method() {
                http::Method::GET => StatusCode::MOVED_PERMANENTLY,
                _ => StatusCode::TEMPORARY_REDIRECT,
            };
            let mut moved = api_error(status, "Moved Permanently");
            let target = HeaderValue::from_str(&target).expect("a header's value");
            moved.headers_mut().insert(LOCATION, target);
            return moved;
        }
    }
    next.run(request).await
}

fn target(world: &GitHubWorld, request: &Request) -> Option<String> {
    let uri = request.uri();
    let mut parts = uri.path().strip_prefix("/repos/")?.splitn(3, '/');
    let full_name = format!("{}/{}", parts.next()?, parts.next()?);
    let rest = parts
        .next()
        .map_or(String::new(), |rest| format!("/{rest}"));
    let mut all = world.repositories.values();
    let now = all
        .clone()
        .any(|r| r.full_name.eq_ignore_ascii_case(&full_name));
    let found = all.find(|r| !now && r.former_names.contains(&full_name))?;
    let query = uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let base = format!("{}{API}", world.url);
    Some(format!("{base}/repos/{}{rest}{query}", found.full_name))
}
