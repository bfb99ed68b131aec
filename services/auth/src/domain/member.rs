//! Members: users with a role in a project.
use ck8s_types::{ProjectId, ProjectRole, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A user's role in a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub email: String,
    pub login: Option<String>,
    pub role: ProjectRole,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}
