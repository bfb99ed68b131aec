//! ProjectsService: each method is the function of the same name in the file of its resource.
use ck8s_proto::auth::v1::{self as pb, projects_service_server::ProjectsService};
use tonic::{Request, Response, Status};

use super::{members, projects};
use crate::Auth;

#[async_trait::async_trait]
impl ProjectsService for Auth {
    async fn list_projects(
        &self,
        request: Request<pb::ListProjectsRequest>,
    ) -> Result<Response<pb::ListProjectsResponse>, Status> {
        projects::list_projects(self, request)
            .await
            .map(Response::new)
    }

    async fn get_project(
        &self,
        request: Request<pb::GetProjectRequest>,
    ) -> Result<Response<pb::GetProjectResponse>, Status> {
        projects::get_project(self, request)
            .await
            .map(Response::new)
    }

    async fn create_project(
        &self,
        request: Request<pb::CreateProjectRequest>,
    ) -> Result<Response<pb::CreateProjectResponse>, Status> {
        projects::create_project(self, request)
            .await
            .map(Response::new)
    }

    async fn update_project(
        &self,
        request: Request<pb::UpdateProjectRequest>,
    ) -> Result<Response<pb::UpdateProjectResponse>, Status> {
        projects::update_project(self, request)
            .await
            .map(Response::new)
    }

    async fn delete_project(
        &self,
        request: Request<pb::DeleteProjectRequest>,
    ) -> Result<Response<pb::DeleteProjectResponse>, Status> {
        projects::delete_project(self, request)
            .await
            .map(Response::new)
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
