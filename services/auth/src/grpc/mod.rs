//! The contract's methods: decode, call, encode.
mod auth;
mod members;
mod projects;
mod sign_in;
mod users;

use ck8s_rpc::{access, caller::caller, convert::optional_id};
use tonic::{Request, Status};

use crate::{Auth, domain::Project, error::AuthError, service::By};

/// Who calls, with this request id.
fn by<T>(request: &Request<T>, request_id: &str) -> Result<By, Status> {
    let caller = caller(request);
    Ok(By {
        actor: caller.actor(),
        user: caller.person().map(|person| person.user_id),
        request_id: optional_id("request_id", request_id)?,
    })
}

/// The project that a request names, if its caller may do there what the method asks for. What they may not see, is not there.
async fn project<T>(auth: &Auth, request: &Request<T>, reference: &str) -> Result<Project, Status> {
    let access = access::of(request);
    let project = auth.get_project(reference).await?;
    let missing = || AuthError::ProjectNotFound(reference.to_owned()).into();
    access.project(project.id, missing)?;
    Ok(project)
}

/// A page out of one row more than it has, and the token of the next.
fn cut<T>(mut rows: Vec<T>, size: i64, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return (rows, String::new());
    }
    rows.truncate(size);
    let next = rows.last().map(key).unwrap_or_default();
    (rows, next)
}
