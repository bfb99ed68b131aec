//! GitHub's answers, as far as they are read.
use serde::Deserialize;
use time::OffsetDateTime;

#[derive(Deserialize)]
pub(crate) struct Repository {
    pub id: i64,
    pub full_name: String,
    pub default_branch: String,
    #[serde(default)]
    pub private: bool,
    /// What the token's person may; an app's token has none.
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

#[derive(Deserialize)]
pub(crate) struct Installed {
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
    /// A text or a number.
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
pub(crate) struct Comment {
    pub id: i64,
    #[serde(default)]
    pub body: Option<String>,
    pub user: Option<User>,
}

/// Why not.
#[derive(Default, Deserialize)]
pub(crate) struct Refusal {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: serde_json::Value,
}

impl Refusal {
    /// The message, and what it says of single fields.
    pub(crate) fn text(&self) -> String {
        let mut text = self.message.clone();
        for error in self.errors.as_array().unwrap_or(&Vec::new()) {
            let said = ["message", "field", "code"].iter().find_map(|name| {
                let value = if error.is_string() {
                    error
                } else {
                    &error[*name]
                };
                value.as_str()
            });
            if let Some(said) = said {
                text.push_str("; ");
                text.push_str(said);
            }
        }
        text
    }
}
