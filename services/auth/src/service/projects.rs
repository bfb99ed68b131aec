//! Projects: reading, making, renaming, removing.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::auth::v1 as pb;
use ck8s_types::ProjectId;
use serde_json::json;
use sqlx::PgConnection;

use super::{Auth, By};
use crate::{
    convert,
    domain::{Project, checked_name, checked_slug, invalid},
    error::AuthError,
    store::projects,
};

impl Auth {
    pub(crate) async fn list_projects(
        &self,
        these: Option<Vec<ProjectId>>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<Project>, AuthError> {
        let mut conn = self.pool.acquire().await?;
        Ok(projects::list(&mut conn, these, after, limit).await?)
    }

    pub(crate) async fn get_project(&self, reference: &str) -> Result<Project, AuthError> {
        projects::get(&mut *self.pool.acquire().await?, reference).await
    }

    pub(crate) async fn create_project(
        &self,
        by: By,
        slug: String,
        name: String,
    ) -> Result<pb::CreateProjectResponse, AuthError> {
        let slug = checked_slug(slug)?;
        let name = match name.is_empty() {
            true => slug.clone(),
            false => checked_name(name)?,
        };
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "CreateProject").await? {
            return Ok(answer);
        }
        let project = projects::insert(&mut tx, &slug, &name).await?;
        record(&mut tx, "project.created", &by, &project, "was made").await?;
        let response = pb::CreateProjectResponse {
            project: Some(convert::project(project, None)),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        self.upkeep.sweep(&self.pool);
        Ok(response)
    }

    pub(crate) async fn update_project(
        &self,
        by: By,
        request: pb::UpdateProjectRequest,
    ) -> Result<pb::UpdateProjectResponse, AuthError> {
        let name = checked_name(request.name)?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "UpdateProject").await? {
            return Ok(answer);
        }
        let read = projects::get_for_update(&mut tx, &request.project).await?;
        if !request.etag.is_empty() && request.etag != read.etag() {
            return Err(AuthError::Changed(read.slug));
        }
        let project = projects::rename(&mut tx, read.id, &name).await?;
        record(&mut tx, "project.updated", &by, &project, "was renamed").await?;
        let response = pb::UpdateProjectResponse {
            project: Some(convert::project(project, None)),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    pub(crate) async fn delete_project(
        &self,
        by: By,
        request: pb::DeleteProjectRequest,
    ) -> Result<pb::DeleteProjectResponse, AuthError> {
        if request.validate_only {
            return self.would_delete(&request.project).await;
        }
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "DeleteProject").await? {
            return Ok(answer);
        }
        let project = projects::get_for_update(&mut tx, &request.project).await?;
        if request.confirm_slug != project.slug {
            let problem = "must be the slug of the project that is to be removed";
            return Err(invalid("confirm_slug", problem).into());
        }
        let response = goes_with(&mut tx, &project).await?;
        projects::delete(&mut tx, &project).await?;
        record(&mut tx, "project.deleted", &by, &project, "was removed").await?;
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// What would go with a project, and what is in the way: it is removed, and that is taken back.
    async fn would_delete(&self, reference: &str) -> Result<pb::DeleteProjectResponse, AuthError> {
        let mut tx = self.pool.begin().await?;
        let project = projects::get_for_update(&mut tx, reference).await?;
        let mut response = goes_with(&mut tx, &project).await?;
        match projects::delete(&mut tx, &project).await {
            Ok(()) => {}
            Err(AuthError::ProjectInUse { what, .. }) => {
                response.obstacles.push(format!("it still has {what}"));
            }
            Err(error) => return Err(error),
        }
        tx.rollback().await?;
        Ok(response)
    }
}

async fn goes_with(
    conn: &mut PgConnection,
    project: &Project,
) -> Result<pb::DeleteProjectResponse, AuthError> {
    let (members, tokens) = projects::holds(conn, project.id).await?;
    let count = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(pb::DeleteProjectResponse {
        members: count(members),
        tokens: count(tokens),
        obstacles: Vec::new(),
    })
}

async fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    by: &By,
    project: &Project,
    what: &str,
) -> Result<(), AuthError> {
    let event = NewEvent {
        kind,
        project_id: Some(project.id),
        run_id: None,
        actor: by.actor.clone(),
        message: format!("project {:?} {what}", project.slug),
        data: Some(json!({ "slug": project.slug, "name": project.name })),
    };
    Ok(events::record(conn, &[event]).await?)
}
