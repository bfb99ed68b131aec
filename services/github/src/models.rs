//! The JSON bodies of GitHub's API, as far as this crate reads them.
use serde::Deserialize;
use time::OffsetDateTime;

#[derive(Deserialize)]
pub(crate) struct Repository {
    pub id: i64,
    pub full_name: String,
    pub default_branch: String,
    #[serde(default)]
    pub private: bool,
    /// The rights of the token's owner; absent for an app's token.
    pub permissions: Option<Permissions>,
}

#[derive(Deserialize)]
pub(crate) struct Permissions {
    #[serde(default)]
    pub admin: bool,
    #[serde(default)]
    pub push: bool,
}

#[derive(Deserialize)]
pub(crate) struct User {
    pub id: i64,
    pub login: String,
}

#[derive(Deserialize)]
pub(crate) struct App {
    pub slug: String,
}

/// A token of an app's installation.
#[derive(Deserialize)]
pub(crate) struct InstallationToken {
    pub token: String,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    #[serde(default)]
    pub permissions: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Collaborator {
    /// admin, write, read or none; `maintain` counts as write, `triage` as read.
    pub permission: String,
}

#[derive(Deserialize)]
pub(crate) struct Hook {
    pub id: i64,
    pub active: bool,
    pub events: Vec<String>,
    pub config: HookConfig,
}

#[derive(Deserialize)]
pub(crate) struct HookConfig {
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    pub content_type: String,
    /// GitHub sends a text or a number.
    #[serde(default)]
    pub insecure_ssl: serde_json::Value,
}

#[derive(Deserialize)]
pub(crate) struct Delivery {
    pub id: i64,
    pub guid: String,
    #[serde(with = "time::serde::rfc3339")]
    pub delivered_at: OffsetDateTime,
    pub status: String,
    pub status_code: i64,
    pub event: String,
}

#[derive(Deserialize)]
pub(crate) struct Content {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub encoding: String,
    #[serde(default)]
    pub content: String,
}

#[derive(Deserialize)]
pub(crate) struct Branch {
    pub commit: Commit,
}

#[derive(Deserialize)]
pub(crate) struct Commit {
    pub sha: String,
}

#[derive(Deserialize)]
pub(crate) struct PullRequest {
    pub head: PullRequestEnd,
    pub base: PullRequestEnd,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub updated_at: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
pub(crate) struct PullRequestEnd {
    #[serde(rename = "ref")]
    pub branch: String,
    pub sha: String,
    /// Null if the repository is gone.
    #[serde(default)]
    pub repo: Option<PullRequestRepository>,
}

#[derive(Deserialize)]
pub(crate) struct PullRequestRepository {
    pub id: i64,
    pub full_name: String,
}

/// A comparison of two commits.
#[derive(Deserialize)]
pub(crate) struct Comparison {
    #[serde(default)]
    pub files: Vec<ChangedFile>,
}

/// A file of a change.
#[derive(Deserialize)]
pub(crate) struct ChangedFile {
    pub filename: String,
    /// Where it was before it was moved.
    pub previous_filename: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Comment {
    pub id: i64,
    #[serde(default)]
    pub body: Option<String>,
    pub user: Option<User>,
}

/// The body of a refusal.
#[derive(Default, Deserialize)]
pub(crate) struct ErrorBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: serde_json::Value,
}

impl ErrorBody {
    /// Joins the message and the errors of single fields.
    pub(crate) fn text(&self) -> String {
        let mut text = self.message.clone();
        for error in self.errors.as_array().unwrap_or(&Vec::new()) {
            let detail = ["message", "field", "code"].iter().find_map(|name| {
                let value = if error.is_string() {
                    error
                } else {
                    &error[*name]
                };
                value.as_str()
            });
            if let Some(detail) = detail {
                text.push_str("; ");
                text.push_str(detail);
            }
        }
        text
    }
}
