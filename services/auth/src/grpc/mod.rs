//! The contract's methods: decode, call, encode.
mod auth;
mod members;
mod projects;
mod sign_in;
mod users;

use ck8s_rpc::{caller::caller, convert::optional_id};
use tonic::{Request, Status};

use crate::service::By;

/// Who calls, with this request id.
fn by<T>(request: &Request<T>, request_id: &str) -> Result<By, Status> {
    Ok(By {
        actor: caller(request).actor(),
        request_id: optional_id("request_id", request_id)?,
    })
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
