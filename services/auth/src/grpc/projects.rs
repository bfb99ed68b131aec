//! ProjectsService.
use ck8s_proto::auth::v1::{self as pb, projects_service_server::ProjectsService};
use ck8s_rpc::{access, caller::caller, page};
use tonic::{Request, Response, Status};

use super::{by, members};
use crate::{Auth, convert, domain::Project};

/// Whether a person asks: they are told what they may do in a project.
fn is_person<T>(request: &Request<T>) -> bool {
    caller(request).person().is_some()
}

#[async_trait::async_trait]
impl ProjectsService for Auth {
    async fn list_projects(
        &self,
        request: Request<pb::ListProjectsRequest>,
    ) -> Result<Response<pb::ListProjectsResponse>, Status> {
        let (access, person) = (access::of(&request), is_person(&request));
        let request = request.get_ref();
        let size = page::size(request.page_size)?;
        let after = page::decode("page_token", &request.page_token)?;
        let these = access.scope().projects();
        let projects = Auth::list_projects(self, these, after, size + 1).await?;
        let (projects, next_page_token) = super::cut(projects, size, |p| page::encode(&p.slug));
        let role_in = |p: &Project| access.role_in(p.id).filter(|_| person);
        Ok(Response::new(pb::ListProjectsResponse {
            projects: projects
                .into_iter()
                .map(|p| convert::project(p.clone(), role_in(&p)))
                .collect(),
            next_page_token,
        }))
    }

    async fn get_project(
        &self,
        request: Request<pb::GetProjectRequest>,
    ) -> Result<Response<pb::GetProjectResponse>, Status> {
        let project = super::project(self, &request, &request.get_ref().project).await?;
        let role = access::of(&request).role_in(project.id);
        let role = role.filter(|_| is_person(&request));
        Ok(Response::new(pb::GetProjectResponse {
            project: Some(convert::project(project, role)),
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
        super::project(self, &request, &request.get_ref().project).await?;
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
        members::list_members(self, &request)
            .await
            .map(Response::new)
    }

    async fn add_member(
        &self,
        request: Request<pb::AddMemberRequest>,
    ) -> Result<Response<pb::AddMemberResponse>, Status> {
        members::add_member(self, &request).await.map(Response::new)
    }

    async fn update_member(
        &self,
        request: Request<pb::UpdateMemberRequest>,
    ) -> Result<Response<pb::UpdateMemberResponse>, Status> {
        members::update_member(self, &request)
            .await
            .map(Response::new)
    }

    async fn remove_member(
        &self,
        request: Request<pb::RemoveMemberRequest>,
    ) -> Result<Response<pb::RemoveMemberResponse>, Status> {
        members::remove_member(self, &request)
            .await
            .map(Response::new)
    }
}
