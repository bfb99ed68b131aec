//! Projects: listing, creating, renaming, deleting.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{EventKind, ProjectId};
use serde_json::json;
use sqlx::PgConnection;

use super::{auth::Auth, call::Call};
use crate::{
    domain::{DeletionPreview, Project, ProjectContents, checked_name, checked_slug, invalid},
    error::AuthError,
    store::projects,
};

/// A change of a project.
pub(crate) struct ProjectUpdate {
    /// The project's id or slug.
    pub project: String,
    pub name: String,
    /// The version that the caller read; empty for any.
    pub etag: String,
}

impl Auth {
    pub(crate) async fn list_projects(
        &self,
        ids: Option<Vec<ProjectId>>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<Project>, AuthError> {
        let mut conn = self.pool.acquire().await?;
        Ok(projects::list(&mut conn, ids, after, limit).await?)
    }

    pub(crate) async fn get_project(&self, reference: &str) -> Result<Project, AuthError> {
        projects::get(&mut *self.pool.acquire().await?, reference).await
    }

    pub(crate) async fn create_project(
        &self,
        call: Call,
        slug: String,
        name: String,
    ) -> Result<Project, AuthError> {
        let slug = checked_slug(slug)?;
        let name = match name.is_empty() {
            true => slug.clone(),
            false => checked_name(name)?,
        };
        let mut tx = self.pool.begin().await?;
        if let Some(project) = call.repeated(&mut tx).await? {
            return Ok(project);
        }
        let project = projects::insert(&mut tx, &slug, &name).await?;
        let kind = EventKind::ProjectCreated;
        record(&mut tx, kind, &call, &project, "was made").await?;
        call.keep(&mut tx, &project).await?;
        tx.commit().await?;
        Ok(project)
    }

    pub(crate) async fn update_project(
        &self,
        call: Call,
        update: ProjectUpdate,
    ) -> Result<Project, AuthError> {
        let name = checked_name(update.name)?;
        let mut tx = self.pool.begin().await?;
        if let Some(project) = call.repeated(&mut tx).await? {
            return Ok(project);
        }
        let current = projects::get_for_update(&mut tx, &update.project).await?;
        if !update.etag.is_empty() && update.etag != current.etag() {
            return Err(AuthError::ProjectChanged(current.slug));
        }
        let project = projects::rename(&mut tx, current.id, &name).await?;
        let kind = EventKind::ProjectUpdated;
        record(&mut tx, kind, &call, &project, "was renamed").await?;
        call.keep(&mut tx, &project).await?;
        tx.commit().await?;
        Ok(project)
    }

    /// Deletes a project. `confirm_slug` repeats its slug.
    pub(crate) async fn delete_project(
        &self,
        call: Call,
        reference: &str,
        confirm_slug: &str,
    ) -> Result<ProjectContents, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(contents) = call.repeated(&mut tx).await? {
            return Ok(contents);
        }
        let project = projects::get_for_update(&mut tx, reference).await?;
        if confirm_slug != project.slug {
            let problem = "must be the slug of the project that is to be removed";
            return Err(invalid("confirm_slug", problem).into());
        }
        let contents = projects::count_contents(&mut tx, project.id).await?;
        projects::delete(&mut tx, &project).await?;
        let kind = EventKind::ProjectDeleted;
        record(&mut tx, kind, &call, &project, "was removed").await?;
        call.keep(&mut tx, &contents).await?;
        tx.commit().await?;
        Ok(contents)
    }

    /// Returns what a deletion would do: it deletes the project and rolls back.
    pub(crate) async fn preview_deletion(
        &self,
        reference: &str,
    ) -> Result<DeletionPreview, AuthError> {
        let mut tx = self.pool.begin().await?;
        let project = projects::get_for_update(&mut tx, reference).await?;
        let contents = projects::count_contents(&mut tx, project.id).await?;
        let obstacles = match projects::delete(&mut tx, &project).await {
            Ok(()) => Vec::new(),
            Err(AuthError::ProjectInUse { what, .. }) => vec![format!("it still has {what}")],
            Err(error) => return Err(error),
        };
        tx.rollback().await?;
        Ok(DeletionPreview {
            contents,
            obstacles,
        })
    }
}

async fn record(
    conn: &mut PgConnection,
    kind: EventKind,
    call: &Call,
    project: &Project,
    what: &str,
) -> Result<(), AuthError> {
    let event = FlowEvent {
        kind,
        project_id: Some(project.id),
        run_id: None,
        actor: call.actor.clone(),
        message: format!("project {:?} {what}", project.slug),
        data: Some(json!({ "slug": project.slug, "name": project.name })),
    };
    Ok(events::record(conn, &[event]).await?)
}
