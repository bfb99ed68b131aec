//! Projects, of the auth service.
use std::{collections::HashMap, str::FromStr};

use ck8s_proto::auth::v1::{
    GetProjectRequest, ListProjectsRequest, projects_service_client::ProjectsServiceClient,
};
use ck8s_rpc::mesh::Channel;
use ck8s_types::ProjectId;
use parking_lot::Mutex;

use crate::error::RunsError;

/// Slugs kept in memory; beyond it all are forgotten, and asked for again: bounds memory.
const MAX_CACHED_SLUGS: usize = 10_000;
/// Projects of one page: the largest that the service sends.
const PAGE_SIZE: i32 = 200;

/// A client of the projects' service.
pub(super) struct Projects {
    client: ProjectsServiceClient<Channel>,
    /// The slug of a project never changes.
    slugs: Mutex<HashMap<ProjectId, String>>,
}

impl Projects {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            client: ProjectsServiceClient::new(channel),
            slugs: Mutex::default(),
        }
    }

    pub(super) async fn slug(&self, project: ProjectId) -> Result<String, RunsError> {
        if let Some(slug) = self.slugs.lock().get(&project) {
            return Ok(slug.clone());
        }
        let (_, slug) = self.get(&project.to_string()).await?;
        Ok(slug)
    }

    pub(super) async fn get(&self, name: &str) -> Result<(ProjectId, String), RunsError> {
        let request = GetProjectRequest {
            project: name.to_owned(),
        };
        let response = self.client.clone().get_project(request).await;
        let project = response.map_err(Box::new)?.into_inner().project;
        let project = project.unwrap_or_default();
        let id = ProjectId::from_str(&project.id).map_err(|e| RunsError::Corrupt(e.to_string()))?;
        let mut slugs = self.slugs.lock();
        if slugs.len() >= MAX_CACHED_SLUGS {
            slugs.clear();
        }
        slugs.insert(id, project.slug.clone());
        Ok((id, project.slug))
    }

    pub(super) async fn all(&self) -> Result<Vec<ProjectId>, RunsError> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListProjectsRequest {
                page_size: PAGE_SIZE,
                page_token,
            };
            let response = self.client.clone().list_projects(request).await;
            let page = response.map_err(Box::new)?.into_inner();
            all.extend(
                page.projects
                    .iter()
                    .filter_map(|p| p.id.parse::<ProjectId>().ok()),
            );
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }
}
