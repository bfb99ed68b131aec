//! Branches and files.
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};

use super::{
    gate::{Named, Refused, enter, missing, read},
    shapes,
};
use crate::github::{
    Shared, lock,
    response::{api_error, field, fields},
};

pub(super) async fn branch(
    State(world): State<Shared>,
    Path((owner, name, branch)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &read("contents"))?;
    let repository = &world.repositories[&id];
    let Some(sha) = repository.branches.get(&branch) else {
        return Ok(api_error(StatusCode::NOT_FOUND, "Branch not found"));
    };
    Ok(Json(shapes::branch(&world, repository, &branch, sha)).into_response())
}

/// GET: a file, or the entries of a directory.
pub(super) async fn file(
    State(world): State<Shared>,
    Path((owner, name, path)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let world = lock(&world);
    let named: Named = (owner, name);
    let (id, _) = enter(&world, &headers, &named, &read("contents"))?;
    let repository = &world.repositories[&id];
    let query = fields(query.unwrap_or_default().as_bytes());
    let at = match field(&query, "ref") {
        "" => repository.default_branch.as_str(),
        at => at,
    };
    let tree = repository.tree(at).ok_or_else(missing)?;
    if let Some(text) = tree.get(&path) {
        let shape = shapes::file(&world, repository, at, &path, text, true);
        return Ok(Json(shape).into_response());
    }
    let inside = format!("{path}/");
    let entries = tree.iter().filter(|(p, _)| p.starts_with(&inside));
    let entries: Vec<_> = entries
        .map(|(path, text)| shapes::file(&world, repository, at, path, text, false))
        .collect();
    if entries.is_empty() {
        return Err(missing());
    }
    Ok(Json(entries).into_response())
}
