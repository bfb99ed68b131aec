//! People: users with an API token, without a sign-in; and what they are in projects.
use ck8s_proto::{
    auth::v1::{AddMemberRequest, AddUserRequest, UpdateMemberRequest},
    policy::v1::ProjectRole,
};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{Api, new_id};

/// A user and a token with all of the user's rights.
pub struct Person {
    /// The user's id.
    pub id: String,
    /// The user's address.
    pub email: String,
    /// The token.
    pub token: String,
}

/// Allows an address and stores a token of that user in the database.
pub async fn person(admin: &Api, owner: &PgPool, email: &str, platform_admin: bool) -> Person {
    let request = AddUserRequest {
        request_id: new_id(),
        email: email.to_owned(),
        platform_admin,
    };
    let added = admin.auth().add_user(request).await.expect("a user");
    let id = added.into_inner().user.expect("the user").id;
    let token = another_token(owner, &id, "test").await;
    let email = email.to_owned();
    Person { id, email, token }
}

/// Stores another token of a user under this name.
pub async fn another_token(owner: &PgPool, user: &str, name: &str) -> String {
    let token = format!("ck8s_usr_{}", Uuid::new_v4().simple());
    sqlx::query(
        "INSERT INTO auth.tokens (id, name, kind, hash, user_id) VALUES ($1, $2, 'person', $3, $4)",
    )
    .bind(Uuid::now_v7())
    .bind(name)
    .bind(Sha256::digest(&token).as_slice())
    .bind(Uuid::parse_str(user).expect("an id"))
    .execute(owner)
    .await
    .expect("a token");
    token
}

impl Person {
    /// Makes the user a member of a project.
    pub async fn joins(&self, admin: &Api, project: &str, role: ProjectRole) {
        let request = AddMemberRequest {
            request_id: new_id(),
            project: project.to_owned(),
            user: self.id.clone(),
            role: role.into(),
        };
        admin
            .projects()
            .add_member(request)
            .await
            .expect("a member");
    }

    /// Gives the user another role in a project.
    pub async fn becomes(&self, admin: &Api, project: &str, role: ProjectRole) {
        let request = UpdateMemberRequest {
            request_id: new_id(),
            project: project.to_owned(),
            user: self.id.clone(),
            role: role.into(),
        };
        let changed = admin.projects().update_member(request).await;
        changed.expect("another role");
    }
}
