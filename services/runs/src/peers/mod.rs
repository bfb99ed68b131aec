//! What this service asks of other services.
mod projects;
mod repositories;

use std::collections::BTreeMap;

use ck8s_rpc::mesh::Channel;
use ck8s_types::{ProjectId, RepositoryId};

use self::{projects::Projects, repositories::Repositories};
use crate::{
    domain::{Repository, Run},
    error::RunsError,
};

/// The other services.
pub(crate) struct Peers {
    projects: Projects,
    repositories: Repositories,
}

impl Peers {
    /// Reaches them through this channel.
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            projects: Projects::new(channel.clone()),
            repositories: Repositories::new(channel),
        }
    }

    /// Returns the project's slug.
    pub(crate) async fn slug(&self, project: ProjectId) -> Result<String, RunsError> {
        self.projects.slug(project).await
    }

    /// Returns the id and the slug of a project that is named by either.
    pub(crate) async fn project(&self, name: &str) -> Result<(ProjectId, String), RunsError> {
        self.projects.get(name).await
    }

    /// Returns the ids of all projects.
    pub(crate) async fn all_projects(&self) -> Result<Vec<ProjectId>, RunsError> {
        self.projects.all().await
    }

    /// Returns a repository of one of these projects that is named by its id or by owner/name. No projects: of any.
    pub(crate) async fn repository(
        &self,
        name: &str,
        projects: &[ProjectId],
    ) -> Result<Repository, RunsError> {
        self.repositories.get(name, projects).await
    }

    /// Returns the secrets that a run of a repository names; each must be set, and for this run.
    pub(crate) async fn secrets(
        &self,
        repository: RepositoryId,
        run: &Run,
    ) -> Result<BTreeMap<String, String>, RunsError> {
        self.repositories.secrets(repository, run).await
    }
}
