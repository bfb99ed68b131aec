//! Lists repositories by name, page by page.
use ck8s_rpc::project_access::Access;

use super::repositories::Repositories;
use crate::{
    domain::repository::{PageKey, PageQuery, Repository, RepositoryPage},
    error::Error,
    store::repositories,
};

impl Repositories {
    /// Returns a page of the repositories of a project, by its id or slug; without a name, of every project that the
    /// caller reaches.
    pub(crate) async fn list(
        &self,
        access: &Access,
        project: String,
        size: i64,
        after: Option<PageKey>,
    ) -> Result<RepositoryPage, Error> {
        let projects = if project.is_empty() {
            access.scope().projects()
        } else {
            Some(vec![self.authorize_project(access, project).await?])
        };
        let query = PageQuery {
            projects,
            after,
            limit: size + 1,
        };
        let mut repositories = {
            let mut conn = self.pool.acquire().await?;
            repositories::list(&mut conn, &query).await?
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let has_more = repositories.len() > size;
        repositories.truncate(size);
        let next = repositories.last().filter(|_| has_more);
        Ok(RepositoryPage {
            next: next.map(Repository::page_key),
            repositories: repositories
                .into_iter()
                .map(|repository| self.view(repository))
                .collect(),
        })
    }
}
