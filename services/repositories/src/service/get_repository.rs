//! Returns one repository.
use ck8s_rpc::project_access::Access;

use super::repositories::Repositories;
use crate::{domain::repository::RepositoryView, error::Error};

impl Repositories {
    /// Returns a repository by its id or owner/name.
    pub(crate) async fn get(&self, access: &Access, name: &str) -> Result<RepositoryView, Error> {
        let repository = self.find_authorized(access, name).await?;
        Ok(self.view(repository))
    }
}
