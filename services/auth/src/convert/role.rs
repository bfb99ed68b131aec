//! Roles in projects.
use ck8s_proto::policy::v1 as policy;
use ck8s_rpc::{convert::role_from_pb, status};
use ck8s_types::ProjectRole;
use tonic::Status;

/// Decodes a project role that may be left out.
pub(crate) fn role(field: &str, role: i32) -> Result<Option<ProjectRole>, Status> {
    let role = policy::ProjectRole::try_from(role);
    let role = role.map_err(|_| status::invalid(field, "must be read, read_write or admin"))?;
    Ok(role_from_pb(role))
}
