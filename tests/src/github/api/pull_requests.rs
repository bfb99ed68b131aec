//! Pull requests. The list of them is empty.
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{
    gate::{Named, Refused, enter, missing, read},
    shapes,
};
use crate::github::{
    Shared, lock,
    repository::{PullRequest, Repository},
    token::Token,
    world::GitHubWorld,
};

pub(super) async fn list(
    State(world): State<Shared>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    enter(&lock(&world), &headers, &named, &read("pull_requests"))?;
    Ok(Json(Vec::<Value>::new()).into_response())
}

pub(super) async fn one(
    State(world): State<Shared>,
    Path((owner, name, number)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let world = lock(&world);
    let (id, token) = enter(&world, &headers, &(owner, name), &read("pull_requests"))?;
    let of = &world.repositories[&id];
    let pull_request = of.pull_requests.get(&number).ok_or_else(missing)?;
    Ok(Json(shape(&world, of, number, pull_request, &token)).into_response())
}

/// A pull request, with every field that GitHub's description requires. Fields that nobody reads are empty.
fn shape(
    world: &GitHubWorld,
    of: &Repository,
    number: u64,
    pull_request: &PullRequest,
    token: &Token,
) -> Value {
    let (url, html) = (shapes::at(world, of), shapes::page(world, of));
    let head = pull_request
        .repository
        .and_then(|id| world.repositories.get(&id));
    let mut shape = json!({
        "id": number,
        "node_id": format!("PR_{number}"),
        "number": number,
        "state": "open",
        "locked": false,
        "title": format!("Pull request {number}"),
        "body": null,
        "user": shapes::by_id(world, pull_request.by),
        "author_association": "NONE",
        "labels": [],
        "milestone": null,
        "assignee": null,
        "created_at": shapes::when(pull_request.updated_at),
        "updated_at": shapes::when(pull_request.updated_at),
        "closed_at": null,
        "merged_at": null,
        "merge_commit_sha": null,
        "auto_merge": null,
        "merged": false,
        "mergeable": null,
        "mergeable_state": "unknown",
        "merged_by": null,
        "maintainer_can_modify": false,
        "head": end(world, head, &pull_request.branch, &pull_request.commit, token),
        "base": end(world, Some(of), &pull_request.base, &of.head(&pull_request.base), token),
        "_links": {},
    });
    for count in [
        "additions",
        "deletions",
        "changed_files",
        "comments",
        "commits",
        "review_comments",
    ] {
        shape[count] = json!(1);
    }
    for (name, value) in [
        ("url", format!("{url}/pulls/{number}")),
        ("html_url", format!("{html}/pull/{number}")),
        ("diff_url", format!("{html}/pull/{number}.diff")),
        ("patch_url", format!("{html}/pull/{number}.patch")),
        ("issue_url", format!("{url}/issues/{number}")),
        ("commits_url", format!("{url}/pulls/{number}/commits")),
        ("comments_url", format!("{url}/issues/{number}/comments")),
        (
            "review_comments_url",
            format!("{url}/pulls/{number}/comments"),
        ),
        (
            "review_comment_url",
            format!("{url}/pulls/comments{{/number}}"),
        ),
        (
            "statuses_url",
            format!("{url}/statuses/{}", pull_request.commit),
        ),
    ] {
        shape[name] = json!(value);
    }
    for name in [
        "comments",
        "commits",
        "statuses",
        "html",
        "issue",
        "review_comments",
        "review_comment",
        "self",
    ] {
        shape["_links"][name] = json!({ "href": format!("{url}/pulls/{number}") });
    }
    shape
}

fn end(
    world: &GitHubWorld,
    of: Option<&Repository>,
    branch: &str,
    commit: &str,
    token: &Token,
) -> Value {
    let owner = of.map_or("unknown", |of| of.owner());
    json!({
        "label": format!("{owner}:{branch}"),
        "ref": branch,
        "sha": commit,
        "user": shapes::by_id(world, 1),
        "repo": of.map(|of| shapes::repository(world, of, token)),
    })
}
