//! Resolves the project that a request names.
use ck8s_rpc::project_access;
use tonic::{Request, Status};

use crate::{Auth, domain::Project, error::AuthError};

/// Returns a project if the caller has the role there that the method needs. A project that the caller may not see is
/// not found.
pub(super) async fn project<T>(
    auth: &Auth,
    request: &Request<T>,
    reference: &str,
) -> Result<Project, Status> {
    let access = project_access::of(request);
    let project = auth.get_project(reference).await?;
    let not_found = || AuthError::ProjectNotFound(reference.to_owned()).into();
    access.project(project.id, not_found)?;
    Ok(project)
}
