//! The JSON of GitHub's resources, with every field that GitHub's description requires. Fields that nobody reads are
//! empty.
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::github::{
    API,
    accounts::Account,
    repository::{Attempt, Comment, Hook, Repository, Status, blob},
    token::{Installation, May, Token},
    world::GitHubWorld,
};

/// The creation time of everything that has none of its own.
const CREATED_AT: &str = "2026-01-02T03:04:05Z";

/// The URLs of a repository, each with the path below the repository's own.
const REPOSITORY_URLS: &str = "archive{/archive_format}{/ref} assignees{/user} blobs=git/blobs{/sha} branches{/branch} \
    collaborators{/collaborator} comments{/number} commits{/sha} compare/{base}...{head} contents/{+path} contributors deployments \
    downloads events forks git_commits=git/commits{/sha} git_refs=git/refs{/sha} git_tags=git/tags{/sha} hooks \
    issue_comment=issues/comments{/number} issue_events=issues/events{/number} issues{/number} keys{/key_id} labels{/name} languages merges \
    milestones{/number} notifications{?since,all,participating} pulls{/number} releases{/id} stargazers statuses/{sha} subscribers \
    subscription tags teams trees=git/trees{/sha}";

/// The URLs of a person.
const USER_URLS: &str = "events{/privacy} followers following{/other_user} gists{/gist_id} organizations=orgs received_events repos \
    starred{/owner}{/repo} subscriptions";

/// Adds one URL for each word: `name=path`, or a path that begins with the name.
fn add_urls(shape: &mut Value, base: &str, words: &str) {
    for word in words.split_whitespace() {
        let (name, path) = word
            .split_once('=')
            .filter(|(name, _)| !name.contains('{'))
            .unwrap_or_else(|| {
                let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                (&word[..end.unwrap_or(word.len())], word)
            });
        shape[format!("{name}_url")] = json!(format!("{base}/{path}"));
    }
}

fn api(world: &GitHubWorld) -> String {
    format!("{}{API}", world.url)
}

pub(super) fn at(world: &GitHubWorld, repository: &Repository) -> String {
    format!("{}/repos/{}", api(world), repository.full_name)
}

pub(super) fn page(world: &GitHubWorld, repository: &Repository) -> String {
    format!("{}/{}", world.url, repository.full_name)
}

/// Encodes a text for a URL.
pub(super) fn encoded(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let encoded: String = form_urlencoded::byte_serialize(part.as_bytes()).collect();
        encoded.replace('+', "%20")
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Formats seconds since 1970 as GitHub does.
pub(super) fn when(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

fn user_of(world: &GitHubWorld, id: u64, login: &str) -> Value {
    // A bot's name contains brackets, which URLs do not.
    let named = login.replace('[', "%5B").replace(']', "%5D");
    let url = format!("{}/users/{named}", api(world));
    let kind = if login.ends_with("[bot]") {
        "Bot"
    } else {
        "User"
    };
    let mut shape = json!({
        "login": login,
        "id": id,
        "node_id": format!("U_{id}"),
        "avatar_url": format!("{}/u/{id}", world.url),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{}/{named}", world.url),
        "type": kind,
        "site_admin": false,
    });
    add_urls(&mut shape, &url, USER_URLS);
    shape
}

/// A person, as other resources mention them.
pub(super) fn simple_user(world: &GitHubWorld, person: &Account) -> Value {
    user_of(world, person.id, &person.login)
}

/// A person by id; a deleted account is GitHub's ghost.
pub(super) fn by_id(world: &GitHubWorld, id: u64) -> Value {
    let ghost = || user_of(world, 10_137, "ghost");
    world
        .by_id(id)
        .map_or_else(ghost, |person| simple_user(world, person))
}

/// A person, as everybody sees them.
pub(in crate::github) fn public_user(world: &GitHubWorld, person: &Account) -> Value {
    let mut shape = simple_user(world, person);
    for name in ["name", "company", "location", "email", "hireable", "bio"] {
        shape[name] = Value::Null;
    }
    shape["blog"] = json!("");
    shape["user_view_type"] = json!("public");
    for name in ["public_repos", "public_gists", "followers", "following"] {
        shape[name] = json!(0);
    }
    shape["created_at"] = json!(CREATED_AT);
    shape["updated_at"] = json!(CREATED_AT);
    shape
}

/// A person, as they see themselves.
pub(in crate::github) fn private_user(world: &GitHubWorld, person: &Account) -> Value {
    let mut shape = public_user(world, person);
    let counts = "collaborators disk_usage owned_private_repos private_gists total_private_repos";
    for name in counts.split(' ') {
        shape[name] = json!(0);
    }
    shape["user_view_type"] = json!("private");
    shape["two_factor_authentication"] = json!(true);
    shape
}

/// The permissions of a role.
pub(super) fn permissions(role: &str) -> Value {
    let order = ["read", "triage", "write", "maintain", "admin"];
    let rank = order.iter().position(|r| *r == role);
    let may = |needs: &str| rank >= order.iter().position(|r| *r == needs);
    json!({
        "pull": rank.is_some() && may("read"),
        "triage": rank.is_some() && may("triage"),
        "push": rank.is_some() && may("write"),
        "maintain": rank.is_some() && may("maintain"),
        "admin": rank.is_some() && may("admin"),
    })
}

/// A repository, as this token sees it.
pub(super) fn repository(world: &GitHubWorld, of: &Repository, token: &Token) -> Value {
    let (url, html) = (at(world, of), page(world, of));
    let owner = world
        .by_login(of.owner())
        .map(|owner| simple_user(world, owner));
    let mut shape = json!({
        "id": of.id,
        "node_id": format!("R_{}", of.id),
        "name": of.name(),
        "full_name": of.full_name,
        "private": of.private,
        "owner": owner.unwrap_or_else(|| user_of(world, 1, of.owner())),
        "html_url": html,
        "url": url,
        "description": null,
        "fork": false,
        "clone_url": format!("{html}.git"),
        "git_url": format!("git:{html}.git"),
        "ssh_url": format!("git@github.test:{}.git", of.full_name),
        "svn_url": html,
        "mirror_url": null,
        "homepage": null,
        "language": null,
        "license": null,
        "default_branch": of.default_branch,
        "archived": false,
        "disabled": false,
        "has_issues": true,
        "has_projects": true,
        "has_wiki": true,
        "has_pages": false,
        "has_downloads": true,
        "has_discussions": false,
        "pushed_at": CREATED_AT,
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
    });
    let counts = "forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count network_count \
        subscribers_count";
    for name in counts.split_whitespace() {
        shape[name] = json!(0);
    }
    add_urls(&mut shape, &url, REPOSITORY_URLS);
    if !matches!(token.may, May::Installation(..)) {
        let login = world.by_id(token.user_id).map(|person| &person.login);
        let role = login.and_then(|login| of.roles.get(login));
        shape["permissions"] = permissions(role.map_or("read", String::as_str));
    }
    shape
}

/// A webhook; its secret is never shown.
pub(super) fn hook(world: &GitHubWorld, of: &Repository, hook: &Hook) -> Value {
    let url = format!("{}/hooks/{}", at(world, of), hook.id);
    let mut config = json!({
        "url": hook.url,
        "content_type": hook.content_type,
        "insecure_ssl": "0",
    });
    if !hook.secret.is_empty() {
        config["secret"] = json!("********");
    }
    let last = hook
        .attempts
        .last()
        .filter(|attempt| attempt.status_code > 0);
    json!({
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": hook.events,
        "config": config,
        "updated_at": CREATED_AT,
        "created_at": CREATED_AT,
        "url": url,
        "test_url": format!("{url}/tests"),
        "ping_url": format!("{url}/pings"),
        "deliveries_url": format!("{url}/deliveries"),
        "last_response": {
            "code": last.map(|attempt| attempt.status_code),
            "status": if last.is_some() { "active" } else { "unused" },
            "message": null,
        },
    })
}

/// An attempt to deliver an event.
pub(super) fn delivery(repository: u64, attempt: &Attempt) -> Value {
    let status = match attempt.status_code {
        0 => "failed to connect to host",
        200..300 => "OK",
        _ => "Invalid HTTP Response",
    };
    json!({
        "id": attempt.id,
        "guid": attempt.guid,
        "delivered_at": when(attempt.at),
        "redelivery": attempt.redelivery,
        "duration": 0.03,
        "status": status,
        "status_code": attempt.status_code,
        "event": attempt.event,
        "action": attempt.payload["action"],
        "installation_id": null,
        "repository_id": repository,
        "throttled_at": null,
    })
}

/// A branch.
pub(super) fn branch(world: &GitHubWorld, of: &Repository, branch: &str, sha: &str) -> Value {
    let (url, html) = (at(world, of), page(world, of));
    let link = encoded(branch);
    let here = format!("{url}/branches/{link}");
    json!({
        "name": branch,
        "commit": commit(world, of, sha),
        "_links": { "self": here, "html": format!("{html}/tree/{link}") },
        "protected": false,
        "protection": {
            "enabled": false,
            "required_status_checks": { "enforcement_level": "off", "contexts": [], "checks": [] },
        },
        "protection_url": format!("{here}/protection"),
    })
}

/// A commit.
pub(super) fn commit(world: &GitHubWorld, of: &Repository, sha: &str) -> Value {
    let (url, html) = (at(world, of), page(world, of));
    let by = json!({ "name": "octocat", "email": "octocat@github.test", "date": CREATED_AT });
    json!({
        "sha": sha,
        "node_id": format!("C_{sha}"),
        "url": format!("{url}/commits/{sha}"),
        "html_url": format!("{html}/commit/{sha}"),
        "comments_url": format!("{url}/commits/{sha}/comments"),
        "commit": {
            "url": format!("{url}/git/commits/{sha}"),
            "author": by,
            "committer": by,
            "message": "a change",
            "comment_count": 0,
            "tree": { "sha": sha, "url": format!("{url}/git/trees/{sha}") },
            "verification": {
                "verified": false,
                "reason": "unsigned",
                "signature": null,
                "payload": null,
                "verified_at": null,
            },
        },
        "author": null,
        "committer": null,
        "parents": [],
    })
}

/// A file, with its text or as a directory's entry.
pub(super) fn file(
    world: &GitHubWorld,
    of: &Repository,
    at_ref: &str,
    path: &str,
    text: &str,
    whole: bool,
) -> Value {
    let (sha, name) = (blob(text), path.rsplit('/').next().unwrap_or(path));
    let (link, link_ref) = (encoded(path), encoded(at_ref));
    let url = format!("{}/contents/{link}?ref={link_ref}", at(world, of));
    let git = format!("{}/git/blobs/{sha}", at(world, of));
    let html = format!("{}/blob/{link_ref}/{link}", page(world, of));
    let mut shape = json!({
        "type": "file",
        "size": text.len(),
        "name": name,
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git,
        "html_url": html,
        "download_url": format!("{}/raw/{link_ref}/{link}", page(world, of)),
        "_links": { "git": git, "self": url, "html": html },
    });
    if whole {
        // GitHub breaks the base64 after sixty characters.
        let encoded = STANDARD.encode(text);
        let lines = encoded.as_bytes().chunks(60).map(String::from_utf8_lossy);
        let content: String = lines.map(|line| format!("{line}\n")).collect();
        shape["content"] = json!(content);
        shape["encoding"] = json!("base64");
    }
    shape
}

/// A commit's status.
pub(super) fn status(world: &GitHubWorld, of: &Repository, status: &Status) -> Value {
    json!({
        "url": format!("{}/statuses/{}", at(world, of), status.sha),
        "avatar_url": null,
        "id": status.id,
        "node_id": format!("SC_{}", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
        "creator": by_id(world, status.by),
    })
}

/// A comment.
pub(super) fn comment(world: &GitHubWorld, of: &Repository, comment: &Comment) -> Value {
    let (url, html) = (at(world, of), page(world, of));
    json!({
        "id": comment.id,
        "node_id": format!("IC_{}", comment.id),
        "url": format!("{url}/issues/comments/{}", comment.id),
        "html_url": format!("{html}/issues/{}#issuecomment-{}", comment.thread, comment.id),
        "issue_url": format!("{url}/issues/{}", comment.thread),
        "body": comment.body,
        "user": by_id(world, comment.by),
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
        "author_association": "NONE",
    })
}

/// A reaction to a comment.
pub(super) fn reaction(world: &GitHubWorld, comment: u64, by: u64, content: &str) -> Value {
    json!({
        "id": comment * 100 + by % 100,
        "node_id": format!("REA_{comment}_{by}"),
        "user": by_id(world, by),
        "content": content,
        "created_at": CREATED_AT,
    })
}

/// An app.
pub(super) fn app(world: &GitHubWorld, app: &Installation) -> Value {
    json!({
        "id": app.app_id,
        "slug": app.slug,
        "node_id": format!("A_{}", app.app_id),
        "owner": user_of(world, 1, "acme"),
        "name": app.slug,
        "description": null,
        "external_url": "https://ck8s.test",
        "html_url": format!("{}/apps/{}", world.url, app.slug),
        "created_at": CREATED_AT,
        "updated_at": CREATED_AT,
        "permissions": app.permissions,
        "events": [],
    })
}
