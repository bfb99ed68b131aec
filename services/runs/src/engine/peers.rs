//! The services that this one asks: projects for their slugs, repositories for triggers and secrets.
use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr,
    sync::Mutex,
};

use ck8s_proto::{
    auth::v1::{
        GetProjectRequest, ListProjectsRequest, projects_service_client::ProjectsServiceClient,
    },
    repositories::v1::{
        GetRepositoryRequest, OpenSecretsRequest, Repository,
        repositories_service_client::RepositoriesServiceClient,
    },
};
use ck8s_rpc::{mesh::Channel, status};
use ck8s_types::{ProjectId, RepositoryId};
use tonic::Status;

use crate::RunsError;

/// Most slugs kept in memory.
const SLUGS: usize = 10_000;

/// Clients of the other services.
pub struct Peers {
    projects: ProjectsServiceClient<Channel>,
    repositories: RepositoriesServiceClient<Channel>,
    /// A project's slug never changes.
    slugs: Mutex<HashMap<ProjectId, String>>,
}

impl Peers {
    pub fn new(channel: Channel) -> Self {
        Self {
            projects: ProjectsServiceClient::new(channel.clone()),
            repositories: RepositoriesServiceClient::new(channel),
            slugs: Mutex::default(),
        }
    }

    /// The project's slug.
    pub async fn slug(&self, project: ProjectId) -> Result<String, RunsError> {
        if let Some(slug) = self.slugs().get(&project) {
            return Ok(slug.clone());
        }
        let (_, slug) = self.project(&project.to_string()).await?;
        Ok(slug)
    }

    /// A project by id or slug: its id and slug.
    pub async fn project(&self, id_or_slug: &str) -> Result<(ProjectId, String), RunsError> {
        let request = GetProjectRequest {
            project: id_or_slug.to_owned(),
        };
        let answer = self
            .projects
            .clone()
            .get_project(request)
            .await
            .map_err(Box::new)?;
        let project = answer.into_inner().project.unwrap_or_default();
        let id = ProjectId::from_str(&project.id).map_err(|e| RunsError::Corrupt(e.to_string()))?;
        let mut slugs = self.slugs();
        if slugs.len() >= SLUGS {
            slugs.clear();
        }
        slugs.insert(id, project.slug.clone());
        Ok((id, project.slug))
    }

    /// All projects' ids.
    pub async fn all_projects(&self) -> Result<Vec<ProjectId>, RunsError> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListProjectsRequest {
                page_size: 200,
                page_token,
            };
            let page = self
                .projects
                .clone()
                .list_projects(request)
                .await
                .map_err(Box::new)?
                .into_inner();
            found.extend(
                page.projects
                    .iter()
                    .filter_map(|p| p.id.parse::<ProjectId>().ok()),
            );
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// A repository by id or owner/name.
    pub async fn repository(&self, id_or_name: &str) -> Result<Repository, RunsError> {
        let request = GetRepositoryRequest {
            repository: id_or_name.to_owned(),
        };
        let answer = self
            .repositories
            .clone()
            .get_repository(request)
            .await
            .map_err(Box::new)?;
        answer
            .into_inner()
            .repository
            .ok_or_else(|| RunsError::Peer(Box::new(status::not_found("repository", id_or_name))))
    }

    /// Secrets of a repository; every name must be set.
    pub async fn secrets(
        &self,
        repository: RepositoryId,
        names: &[String],
    ) -> Result<BTreeMap<String, String>, Status> {
        let request = OpenSecretsRequest {
            repository_id: repository.to_string(),
            names: names.to_vec(),
        };
        let secrets = self
            .repositories
            .clone()
            .open_secrets(request)
            .await?
            .into_inner()
            .secrets;
        if let Some(missing) = names.iter().find(|n| !secrets.contains_key(*n)) {
            let message = format!(
                "the repository has no secret {missing}: set it with `ck8s repo secret set`"
            );
            return Err(status::precondition("SECRET_MISSING", message));
        }
        Ok(secrets.into_iter().collect())
    }

    fn slugs(&self) -> std::sync::MutexGuard<'_, HashMap<ProjectId, String>> {
        self.slugs
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
