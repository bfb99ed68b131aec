//! A payload of the size of GitHub's own: about 7.7 KB, most of it addresses.
use serde_json::{Value, json};

/// An `issues` `labeled` payload of a repository.
pub(crate) fn issues_labeled(repository: u64, label: &str) -> Vec<u8> {
    let user = |login: &str| {
        let mut user = json!({"login": login, "id": 21_031_067, "node_id": "MDQ6VXNlcjIxMDMxMDY3", "type": "User", "site_admin": false});
        for part in [
            "followers",
            "following",
            "gists",
            "starred",
            "subscriptions",
            "organizations",
            "repos",
            "events",
            "received_events",
        ] {
            user[format!("{part}_url")] = Value::from(format!(
                "https://api.github.example/users/{login}/{part}{{/more}}"
            ));
        }
        user
    };
    let mut repo = json!({
        "id": repository, "name": "hello", "full_name": "load/hello", "private": false, "owner": user("load"), "default_branch": "main",
        "description": null, "fork": false, "size": 0, "stargazers_count": 1, "language": "Rust", "open_issues": 2,
    });
    for part in [
        "forks",
        "keys",
        "collaborators",
        "teams",
        "hooks",
        "issue_events",
        "events",
        "assignees",
        "branches",
        "tags",
        "blobs",
        "git_tags",
        "git_refs",
        "trees",
        "statuses",
        "languages",
        "stargazers",
        "contributors",
        "subscribers",
        "subscription",
        "commits",
        "git_commits",
        "comments",
        "issue_comment",
        "contents",
        "compare",
        "merges",
        "archive",
        "downloads",
        "issues",
        "pulls",
        "milestones",
        "notifications",
        "labels",
        "releases",
        "deployments",
        "git",
        "ssh",
        "clone",
        "svn",
    ] {
        repo[format!("{part}_url")] = Value::from(format!(
            "https://api.github.example/repos/load/hello/{part}{{/sha}}"
        ));
    }
    let label = json!({"id": 1_362_934_389, "node_id": "MDU6TGFiZWwx", "name": label, "color": "d73a4a", "default": true});
    let issue = json!({
        "id": 444_500_041, "number": 1, "title": "Spelling error in the README file", "user": user("octocat"), "labels": [label], "state": "open",
        "locked": false, "assignee": user("octocat"), "assignees": [user("octocat")], "milestone": null, "comments": 0,
        "created_at": "2026-11-15T15:20:18Z", "updated_at": "2026-11-15T15:20:18Z", "author_association": "OWNER",
        "body": "It looks like you accidently spelled 'commit' with two 't's.", "html_url": "https://github.example/load/hello/issues/1",
    });
    let payload = json!({"action": "labeled", "issue": issue, "label": label, "repository": repo, "sender": user("octocat")});
    payload.to_string().into_bytes()
}
