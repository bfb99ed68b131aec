//! Projects.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::convert::{role_to_pb, timestamp};
use ck8s_types::ProjectRole;

use crate::{
    domain::{DeletionPreview, Project, ProjectContents},
    service::ProjectUpdate,
};

/// Encodes a project, with the caller's role in it.
pub(crate) fn project(project: Project, role: Option<ProjectRole>) -> pb::Project {
    pb::Project {
        etag: project.etag(),
        id: project.id.to_string(),
        slug: project.slug,
        name: project.name,
        create_time: Some(timestamp(project.created_at)),
        role: role.map_or(0, |role| role_to_pb(role).into()),
    }
}

impl From<pb::UpdateProjectRequest> for ProjectUpdate {
    fn from(request: pb::UpdateProjectRequest) -> Self {
        Self {
            project: request.project,
            name: request.name,
            etag: request.etag,
        }
    }
}

impl From<ProjectContents> for pb::DeleteProjectResponse {
    fn from(contents: ProjectContents) -> Self {
        let count = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
        Self {
            members: count(contents.members),
            tokens: count(contents.tokens),
            obstacles: Vec::new(),
        }
    }
}

impl From<DeletionPreview> for pb::DeleteProjectResponse {
    fn from(preview: DeletionPreview) -> Self {
        Self {
            obstacles: preview.obstacles,
            ..preview.contents.into()
        }
    }
}
