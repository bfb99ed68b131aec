//! Which projects and repositories a caller reaches. What they may not see does not exist for them.
use ck8s_proto::auth::v1::GetProjectRequest;
use ck8s_rpc::{convert, project_access::Access, status};
use ck8s_types::ProjectId;
use sqlx::PgConnection;

use super::repositories::Repositories;
use crate::{
    domain::{caller::Caller, repository::Repository},
    error::Error,
    store::repositories,
};

impl Repositories {
    /// Returns the id of a project by its id or slug, if the caller reaches it.
    pub(super) async fn authorize_project(
        &self,
        access: &Access,
        name: String,
    ) -> Result<ProjectId, Error> {
        let request = GetProjectRequest {
            project: name.clone(),
        };
        let response = self.projects.clone().get_project(request).await;
        let project = response.map_err(|e| Error::from_peer(&e))?.into_inner();
        let id = project.project.unwrap_or_default().id;
        let id = convert::id("project", &id).map_err(|e| Error::from_peer(&e))?;
        access
            .project(id, || status::not_found("project", name))
            .map_err(Error::refused)?;
        Ok(id)
    }

    /// Checks that a caller may change a repository, before anything is done and before the answer of an earlier call
    /// is given again: so also for a repository that was removed since.
    pub(super) async fn authorize_change(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await?;
        let project = repositories::project_of(&mut conn, name).await?;
        let project = project.ok_or_else(|| Error::NotFound(name.to_owned()))?;
        authorize(&caller.access, project, name)
    }

    /// Returns a repository by its id or owner/name, if the caller reaches it.
    pub(super) async fn find_authorized(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<Repository, Error> {
        let mut conn = self.pool.acquire().await?;
        let id = repositories::find(&mut conn, name).await?;
        let repository = repositories::get(&mut conn, id).await?;
        authorize(access, repository.project_id, name)?;
        Ok(repository)
    }
}

/// Locks a repository, if the caller reaches it: another repository may have taken its name since they were let in.
pub(super) async fn lock_authorized(
    conn: &mut PgConnection,
    caller: &Caller,
    name: &str,
) -> Result<Repository, Error> {
    let repository = repositories::find_locked(conn, name).await?;
    authorize(&caller.access, repository.project_id, name)?;
    Ok(repository)
}

fn authorize(access: &Access, project: ProjectId, name: &str) -> Result<(), Error> {
    let missing = || Error::NotFound(name.to_owned()).into();
    access.project(project, missing).map_err(Error::refused)
}
