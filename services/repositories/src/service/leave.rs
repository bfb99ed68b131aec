//! Removing a repository that ck8s looks after, with its hook.
use ck8s_proto::repositories::v1 as pb;
use serde_json::json;

use super::{
    Call, Repositories,
    change::record,
    detached,
    recover::{forget, left},
};
use crate::{
    error::Error,
    store::{
        repositories::Repository,
        requests,
        works::{self, Held, Kind},
    },
};

const METHOD: &str = "RemoveRepository";

impl Repositories {
    /// Removes it whatever its provider says; the answer tells if the hook stays.
    pub(super) async fn leave(
        &self,
        call: Call,
        repository: Repository,
    ) -> Result<pb::RemoveRepositoryResponse, Error> {
        let this = self.clone();
        detached(async move { this.leave_now(&call, &repository).await }).await
    }

    async fn leave_now(
        &self,
        call: &Call,
        repository: &Repository,
    ) -> Result<pb::RemoveRepositoryResponse, Error> {
        let (held, repository) = match self.hold(repository).await {
            // The same call may have come twice at once.
            Err(Error::NotFound(name)) => {
                let mut tx = self.pool.begin().await?;
                let answer = requests::answered(&mut tx, call.request, METHOD).await?;
                return answer.ok_or(Error::NotFound(name));
            }
            held => held?,
        };
        let left = self.leave_held(call, &repository, &held).await;
        held.release().await;
        left
    }

    async fn leave_held(
        &self,
        call: &Call,
        repository: &Repository,
        held: &Held,
    ) -> Result<pb::RemoveRepositoryResponse, Error> {
        let far = {
            let mut tx = self.pool.begin().await?;
            let far = self.far(&mut tx, repository).await?;
            works::begin(&mut tx, held, Kind::Remove, &far.outside.hook_url).await?;
            tx.commit().await?;
            far
        };
        let dropped = far.drop_hooks(repository.hook_id.as_deref(), None).await;
        let hook_left = dropped.err().map(|error| left(&error)).unwrap_or_default();
        let mut tx = self.pool.begin().await?;
        forget(&mut tx, held, repository).await?;
        let name = &repository.full_name;
        let message = if hook_left.is_empty() {
            format!("repository {name} removed, with its hook and its secrets")
        } else {
            format!("repository {name} removed, with its secrets; its hook stays: {hook_left}")
        };
        record(
            &mut tx,
            &call.actor,
            "repository.removed",
            repository,
            message,
            json!({}),
        )
        .await?;
        let answer = pb::RemoveRepositoryResponse { hook_left };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
