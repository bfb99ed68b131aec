//! Deletes reports and answers that nobody asks for any more.
use super::{repeated_calls::REQUESTS, repositories::Repositories};
use crate::{error::Error, store::reports};

/// How many rows were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeletedRows {
    pub reports: u64,
    pub requests: u64,
}

impl Repositories {
    pub(crate) async fn delete_old(&self) -> Result<DeletedRows, Error> {
        let mut conn = self.pool.acquire().await?;
        Ok(DeletedRows {
            reports: reports::delete_old(&mut conn).await?,
            requests: REQUESTS.sweep(&mut conn).await?,
        })
    }
}
