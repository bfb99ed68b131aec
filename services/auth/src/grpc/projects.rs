//! ProjectsService.
use ck8s_proto::auth::v1::{self as pb, projects_service_server::ProjectsService};
use ck8s_rpc::page;
use tonic::{Request, Response, Status};

use super::{by, members};
use crate::Auth;

#[async_trait::async_trait]
impl ProjectsService for Auth {
    async fn list_projects(
        &self,
        request: Request<pb::ListProjectsRequest>,
    ) -> Result<Response<pb::ListProjectsResponse>, Status> {
        let request = request.get_ref();
        let size = page::size(request.page_size)?;
        let after = page::decode("page_token", &request.page_token)?;
        let projects = Auth::list_projects(self, after, size + 1).await?;
        let (projects, next_page_token) = super::cut(projects, size, |p| page::encode(&p.slug));
        Ok(Response::new(pb::ListProjectsResponse {
            projects: projects.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn get_project(
        &self,
        request: Request<pb::GetProjectRequest>,
    ) -> Result<Response<pb::GetProjectResponse>, Status> {
        let project = Auth::get_project(self, &request.get_ref().project).await?;
        Ok(Response::new(pb::GetProjectResponse {
            project: Some(project.into()),
        }))
    }

    async fn create_project(
        &self,
        request: Request<pb::CreateProjectRequest>,
    ) -> Result<Response<pb::CreateProjectResponse>, Status> {
        let by = by(&request, &request.get_ref().request_id)?;
        let pb::CreateProjectRequest { slug, name, .. } = request.into_inner();
        let created = Auth::create_project(self, by, slug, name).await?;
        Ok(Response::new(created))
    }

    async fn update_project(
        &self,
        request: Request<pb::UpdateProjectRequest>,
    ) -> Result<Response<pb::UpdateProjectResponse>, Status> {
        let by = by(&request, &request.get_ref().request_id)?;
        let updated = Auth::update_project(self, by, request.into_inner()).await?;
        Ok(Response::new(updated))
    }

    async fn delete_project(
        &self,
        request: Request<pb::DeleteProjectRequest>,
    ) -> Result<Response<pb::DeleteProjectResponse>, Status> {
        let by = by(&request, &request.get_ref().request_id)?;
        let deleted = Auth::delete_project(self, by, request.into_inner()).await?;
        Ok(Response::new(deleted))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        members::list_members(self, request)
            .await
            .map(Response::new)
    }

    async fn add_member(
        &self,
        request: Request<pb::AddMemberRequest>,
    ) -> Result<Response<pb::AddMemberResponse>, Status> {
        members::add_member(self, request).await.map(Response::new)
    }

    async fn update_member(
        &self,
        request: Request<pb::UpdateMemberRequest>,
    ) -> Result<Response<pb::UpdateMemberResponse>, Status> {
        members::update_member(self, request)
            .await
            .map(Response::new)
    }

    async fn remove_member(
        &self,
        request: Request<pb::RemoveMemberRequest>,
    ) -> Result<Response<pb::RemoveMemberResponse>, Status> {
        members::remove_member(self, request)
            .await
            .map(Response::new)
    }
}
