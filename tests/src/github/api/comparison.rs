//! The files of a change: of a pull request, and between two commits. A file that goes under one path and comes, with
//! the same text, under another one was moved.
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{
    gate::{Refused, enter, missing, read},
    shapes,
};
use crate::github::{
    Shared, lock,
    repository::{ChangedFile, Repository},
    response::fields,
    world::GitHubWorld,
};

/// The files that GitHub lists of a pull request, and states of a comparison, at most.
const MAX_LISTED_FILES: usize = 3_000;
const MAX_COMPARED_FILES: usize = 300;

/// GET: the files of a pull request, in pages.
pub(super) async fn files(
    State(world): State<Shared>,
    Path((owner, name, number)): Path<(String, String, u64)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &read("pull_requests"))?;
    let repository = &world.repositories[&id];
    let of = repository.pull_requests.get(&number).ok_or_else(missing)?;
    let changed = repository
        .changed_files(&of.base, &of.commit)
        .unwrap_or_default();
    let path = format!("/repos/{}/pulls/{number}/files", repository.full_name);
    let listed = changed.iter().take(MAX_LISTED_FILES);
    let all = listed.map(|file| shape(&world, repository, &of.commit, file));
    let all = all.collect();
    let query = fields(query.unwrap_or_default().as_bytes());
    Ok(world.paged(&path, &query, all))
}

/// GET: two commits, as `base...head`. The commits in between are left out.
pub(super) async fn compare(
    State(world): State<Shared>,
    Path((owner, name, basehead)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let world = lock(&world);
    let (id, _) = enter(&world, &headers, &(owner, name), &read("contents"))?;
    let repository = &world.repositories[&id];
    let (base, head) = basehead.split_once("...").ok_or_else(missing)?;
    let changed = repository.changed_files(base, head).ok_or_else(missing)?;
    let files = changed.iter().take(MAX_COMPARED_FILES);
    let files: Vec<Value> = files
        .map(|file| shape(&world, repository, head, file))
        .collect();
    let (url, html) = (
        shapes::at(&world, repository),
        shapes::page(&world, repository),
    );
    let base_sha = repository.branches.get(base).map_or(base, String::as_str);
    let shape = json!({
        "url": format!("{url}/compare/{base_sha}...{head}"),
        "html_url": format!("{html}/compare/{base_sha}...{head}"),
        "permalink_url": format!("{html}/compare/{base_sha}...{head}"),
        "diff_url": format!("{html}/compare/{base_sha}...{head}.diff"),
        "patch_url": format!("{html}/compare/{base_sha}...{head}.patch"),
        "base_commit": shapes::commit(&world, repository, base_sha),
        "merge_base_commit": shapes::commit(&world, repository, base_sha),
        "status": "ahead",
        "ahead_by": 1,
        "behind_by": 0,
        "total_commits": 1,
        "commits": [],
        "files": files,
    });
    Ok(Json(shape).into_response())
}

fn shape(world: &GitHubWorld, of: &Repository, commit: &str, file: &ChangedFile) -> Value {
    let (url, html) = (shapes::at(world, of), shapes::page(world, of));
    let path = shapes::encoded(&file.path);
    let mut shape = json!({
        "sha": file.blob,
        "filename": file.path,
        "status": file.status(),
        "additions": 1,
        "deletions": 0,
        "changes": 1,
        "blob_url": format!("{html}/blob/{commit}/{path}"),
        "raw_url": format!("{html}/raw/{commit}/{path}"),
        "contents_url": format!("{url}/contents/{path}?ref={commit}"),
    });
    if let Some(before) = &file.moved_from {
        shape["previous_filename"] = json!(before);
    }
    shape
}
