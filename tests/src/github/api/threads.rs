//! Issues and pull requests: comments and reactions. The list of issues is empty.
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{
    gate::{Named, Refused, enter, invalid, missing, read, write},
    shapes,
};
use crate::github::{Shared, lock, response::fields};

/// The longest comment that GitHub accepts.
const MAX_COMMENT_CHARS: usize = 65_536;
/// GitHub's words.
const REACTIONS: [&str; 8] = [
    "+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes",
];

/// Owner, name, and an issue's number or a comment's id.
type One = (String, String, u64);

pub(super) async fn issues(
    State(world): State<Shared>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    enter(&lock(&world), &headers, &named, &read("issues"))?;
    Ok(Json(Vec::<Value>::new()).into_response())
}

pub(super) async fn list(
    State(world): State<Shared>,
    Path((owner, name, number)): Path<One>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &read("issues"))?;
    let repository = &world.repositories[&id];
    if !repository.threads.contains(&number) {
        return Err(missing());
    }
    let path = format!("/repos/{}/issues/{number}/comments", repository.full_name);
    let of = repository.comments.iter().filter(|c| c.thread == number);
    let all = of.map(|c| shapes::comment(&world, repository, c)).collect();
    let query = fields(query.unwrap_or_default().as_bytes());
    Ok(world.paged(&path, &query, all))
}

pub(super) async fn create(
    State(world): State<Shared>,
    Path((owner, name, number)): Path<One>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, token) = enter(&world, &headers, &(owner, name), &write("issues"))?;
    if !world.repositories[&id].threads.contains(&number) {
        return Err(missing());
    }
    let text = text(&body)?;
    let comment = world.next_id();
    world
        .repository(id)
        .say(comment, number, token.user_id, &text);
    let repository = &world.repositories[&id];
    let said = repository.comments.last().expect("it was just said");
    let shape = shapes::comment(&world, repository, said);
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}

pub(super) async fn update(
    State(world): State<Shared>,
    Path((owner, name, comment)): Path<One>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &write("issues"))?;
    let text = text(&body)?;
    let mut comments = world.repository(id).comments.iter_mut();
    let found = comments.find(|c| c.id == comment).ok_or_else(missing)?;
    found.body = text;
    found.edits += 1;
    let found = found.clone();
    let shape = shapes::comment(&world, &world.repositories[&id], &found);
    Ok(Json(shape).into_response())
}

/// POST: adds a reaction, of which a person has one of each kind.
pub(super) async fn react(
    State(world): State<Shared>,
    Path((owner, name, comment)): Path<One>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, token) = enter(&world, &headers, &(owner, name), &write("issues"))?;
    let content = body["content"].as_str().unwrap_or_default().to_owned();
    if !REACTIONS.contains(&content.as_str()) {
        return Err(invalid(
            "Reaction",
            "content",
            "content is not included in the list",
        ));
    }
    let mut comments = world.repository(id).comments.iter_mut();
    let found = comments.find(|c| c.id == comment).ok_or_else(missing)?;
    let reaction = (token.user_id, content.clone());
    let status = if found.reactions.contains(&reaction) {
        StatusCode::OK
    } else {
        found.reactions.push(reaction);
        StatusCode::CREATED
    };
    let shape = shapes::reaction(&world, comment, token.user_id, &content);
    Ok((status, Json(shape)).into_response())
}

fn text(body: &Value) -> Result<String, Refused> {
    let text = body["body"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(invalid("IssueComment", "body", "body can't be blank"));
    }
    if text.chars().count() > MAX_COMMENT_CHARS {
        let why = "body is too long (maximum is 65536 characters)";
        return Err(invalid("IssueComment", "body", why));
    }
    Ok(text.to_owned())
}
