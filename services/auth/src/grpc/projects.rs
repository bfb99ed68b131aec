//! Projects: ListProjects, GetProject, CreateProject, UpdateProject, DeleteProject.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{caller::caller, page, project_access};
use tonic::{Request, Status};

use super::{call::call, page::cut, project::project};
use crate::{Auth, convert, domain::Project};

pub(super) async fn list_projects(
    auth: &Auth,
    request: Request<pb::ListProjectsRequest>,
) -> Result<pb::ListProjectsResponse, Status> {
    let (access, is_person) = (project_access::of(&request), is_person(&request));
    let request = request.get_ref();
    let size = page::size(request.page_size)?;
    let after = page::decode("page_token", &request.page_token)?;
    let ids = access.scope().projects();
    let projects = auth.list_projects(ids, after, size + 1).await?;
    let token = |project: &Project| page::encode(&project.slug);
    let (projects, next_page_token) = cut(projects, size, token);
    let encode = |project: Project| {
        let role = access.role_in(project.id).filter(|_| is_person);
        convert::project(project, role)
    };
    Ok(pb::ListProjectsResponse {
        projects: projects.into_iter().map(encode).collect(),
        next_page_token,
    })
}

pub(super) async fn get_project(
    auth: &Auth,
    request: Request<pb::GetProjectRequest>,
) -> Result<pb::GetProjectResponse, Status> {
    let project = project(auth, &request, &request.get_ref().project).await?;
    let role = project_access::of(&request).role_in(project.id);
    let role = role.filter(|_| is_person(&request));
    Ok(pb::GetProjectResponse {
        project: Some(convert::project(project, role)),
    })
}

pub(super) async fn create_project(
    auth: &Auth,
    request: Request<pb::CreateProjectRequest>,
) -> Result<pb::CreateProjectResponse, Status> {
    let call = call(&request)?;
    let pb::CreateProjectRequest { slug, name, .. } = request.into_inner();
    let project = auth.create_project(call, slug, name).await?;
    Ok(pb::CreateProjectResponse {
        project: Some(convert::project(project, None)),
    })
}

pub(super) async fn update_project(
    auth: &Auth,
    request: Request<pb::UpdateProjectRequest>,
) -> Result<pb::UpdateProjectResponse, Status> {
    let call = call(&request)?;
    project(auth, &request, &request.get_ref().project).await?;
    let update = request.into_inner().into();
    let project = auth.update_project(call, update).await?;
    Ok(pb::UpdateProjectResponse {
        project: Some(convert::project(project, None)),
    })
}

pub(super) async fn delete_project(
    auth: &Auth,
    request: Request<pb::DeleteProjectRequest>,
) -> Result<pb::DeleteProjectResponse, Status> {
    let message = request.get_ref();
    let call = call(&request)?;
    if message.validate_only {
        return Ok(auth.preview_deletion(&message.project).await?.into());
    }
    let deleted = auth.delete_project(call, &message.project, &message.confirm_slug);
    Ok(deleted.await?.into())
}

/// Reports whether the caller is a person: only people are told their role in a project.
fn is_person<T>(request: &Request<T>) -> bool {
    caller(request).person().is_some()
}
