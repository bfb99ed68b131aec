//! Returns one repository.
use ck8s_rpc::project_access::Access;
use ck8s_types::ProjectId;

use super::repositories::Repositories;
use crate::{domain::repository::RepositoryView, error::Error};

impl Repositories {
    /// Returns a repository of one of these projects by its id or owner/name. No projects: of any.
    pub(crate) async fn get(
        &self,
        access: &Access,
        name: &str,
        projects: &[ProjectId],
    ) -> Result<RepositoryView, Error> {
        let repository = self.find_authorized_in(access, name, projects).await?;
        Ok(self.view(repository))
    }
}
