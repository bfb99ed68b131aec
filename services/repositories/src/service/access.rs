//! Which projects and repositories a caller reaches. What they may not see does not exist for them.
use ck8s_proto::auth::v1::GetProjectRequest;
use ck8s_rpc::{convert, project_access::Access, status};
use ck8s_types::{ProjectId, RepositoryId};
use sqlx::PgConnection;

use super::repositories::Repositories;
use crate::{
    domain::{
        caller::Caller,
        repository::{NamedRepository, NamedStanding, Repository},
    },
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
        let named = repositories::named(&mut conn, name).await?;
        choose(&caller.access, name, &named).map(drop)
    }

    /// Returns a repository by its id or owner/name, if the caller reaches it.
    pub(super) async fn find_authorized(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<Repository, Error> {
        self.find_authorized_in(access, name, &[]).await
    }

    /// Returns a repository of one of these projects by its id or owner/name, if the caller reaches it. No projects: of
    /// any.
    pub(super) async fn find_authorized_in(
        &self,
        access: &Access,
        name: &str,
        projects: &[ProjectId],
    ) -> Result<Repository, Error> {
        let mut conn = self.pool.acquire().await?;
        let mut named = live(repositories::named(&mut conn, name).await?);
        named.retain(|named| projects.is_empty() || projects.contains(&named.project));
        let id = choose(access, name, &named)?;
        let repository = repositories::get(&mut conn, id).await;
        repository.map_err(|error| error.of_name(name))
    }
}

/// Locks the repository that the caller means by this id or owner/name: it may be another one than when they were let
/// in.
pub(super) async fn lock_authorized(
    conn: &mut PgConnection,
    caller: &Caller,
    name: &str,
) -> Result<Repository, Error> {
    let named = live(repositories::named(conn, name).await?);
    let id = choose(&caller.access, name, &named)?;
    let repository = repositories::get_locked(conn, id).await;
    repository.map_err(|error| error.of_name(name))
}

fn live(mut named: Vec<NamedRepository>) -> Vec<NamedRepository> {
    named.retain(|named| named.standing > NamedStanding::Removed);
    named
}

/// Chooses the repository that a caller means by a name: of those that they reach the one that stands best. To name one
/// of several that were added by hand takes its id.
fn choose(access: &Access, name: &str, named: &[NamedRepository]) -> Result<RepositoryId, Error> {
    let missing = || Error::NotFound(name.to_owned());
    let scope = access.scope();
    let reached: Vec<&NamedRepository> = named
        .iter()
        .filter(|named| scope.holds(Some(named.project)))
        .collect();
    let standing = reached.iter().map(|named| named.standing).max();
    let best: Vec<RepositoryId> = reached
        .iter()
        .filter(|named| Some(named.standing) == standing)
        .map(|named| named.id)
        .collect();
    match best.as_slice() {
        [id] => Ok(*id),
        // Of those that are gone, it does not matter which.
        [id, ..] if standing == Some(NamedStanding::Removed) => Ok(*id),
        [] => {
            // Whoever has a lesser role is told which one it takes; everybody else, that there is none.
            let visible = named.iter().find(|n| access.role_in(n.project).is_some());
            let visible = visible.ok_or_else(missing)?;
            let refused = access.project(visible.project, || missing().into());
            refused.map_err(Error::refused)?;
            Err(missing())
        }
        _ => Err(Error::Ambiguous {
            name: name.to_owned(),
            ids: best,
        }),
    }
}
