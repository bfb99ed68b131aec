//! Asks the provider of a repository, through the repositories service, whether senders may write there.
use std::collections::{HashMap, HashSet};

use ck8s_proto::repositories::v1::{
    MayWriteRequest, MayWriteResponse, repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::mesh::Channel;
use ck8s_types::RepositoryId;
use futures::{StreamExt, stream};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::unavailable::repositories_unavailable;
use crate::domain::{
    unavailable::ServiceUnavailable,
    write_access::{Sender, SenderAllowance, WriteAccess},
};

/// Bounds the repositories whose providers are asked at once: one slow provider must not hold up the others.
const MAX_CONCURRENT_REPOSITORIES: usize = 16;

/// What is known of the write access of one sender, or which service could not be asked.
type Checked = Result<WriteAccess, ServiceUnavailable>;

/// The client of `MayWrite`; a clone is the same client.
#[derive(Clone)]
pub(crate) struct WriteAccessClient {
    client: RepositoriesServiceClient<Channel>,
}

impl WriteAccessClient {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            client: RepositoriesServiceClient::new(channel),
        }
    }

    /// Checks many senders, each once, and several repositories at once. When a provider does not answer for one
    /// sender, it is not asked about the other senders of that repository.
    pub(crate) async fn check_all(
        &self,
        senders: impl Iterator<Item = (RepositoryId, Sender)>,
    ) -> HashMap<(RepositoryId, Sender), Checked> {
        let mut by_repository: HashMap<RepositoryId, HashSet<Sender>> = HashMap::new();
        for (repository, sender) in senders {
            by_repository.entry(repository).or_default().insert(sender);
        }
        let checks = by_repository
            .into_iter()
            .map(|(repository, senders)| self.check_senders(repository, senders));
        let checked: Vec<_> = stream::iter(checks)
            .buffer_unordered(MAX_CONCURRENT_REPOSITORIES)
            .collect()
            .await;
        checked.into_iter().flatten().collect()
    }

    async fn check_senders(
        &self,
        repository: RepositoryId,
        senders: HashSet<Sender>,
    ) -> Vec<((RepositoryId, Sender), Checked)> {
        let mut checked = Vec::with_capacity(senders.len());
        let mut unanswered: Option<Checked> = None;
        for sender in senders {
            let access = match &unanswered {
                Some(unanswered) => Clone::clone(unanswered),
                None => self.check(repository, &sender).await,
            };
            if matches!(access, Err(_) | Ok(WriteAccess::Deferred { .. })) {
                unanswered = Some(access.clone());
            }
            checked.push(((repository, sender), access));
        }
        checked
    }

    async fn check(&self, repository: RepositoryId, sender: &Sender) -> Checked {
        let request = MayWriteRequest {
            repository_id: repository.to_string(),
            login: sender.login.clone(),
            external_id: sender.id.map(|id| id.to_string()).unwrap_or_default(),
        };
        match self.client.clone().may_write(request).await {
            Ok(response) => Ok(from_response(response.get_ref(), sender)),
            Err(status) => from_status(&status),
        }
    }
}

fn from_response(response: &MayWriteResponse, sender: &Sender) -> WriteAccess {
    let login = &sender.login;
    if response.is_own_actor {
        WriteAccess::Denied(format!("{login:?} is ck8s itself: nothing triggers itself"))
    } else if response.may_write || sender.allowance == SenderAllowance::AnyBot {
        WriteAccess::Granted
    } else {
        WriteAccess::Denied(format!("needs write access: {login:?} has none"))
    }
}

fn from_status(status: &Status) -> Checked {
    let details = status.get_error_details();
    let info = details.error_info();
    let metadata = |key: &str| info.and_then(|info| info.metadata.get(key)).cloned();
    let why = metadata("why").unwrap_or_default();
    match info.map(|info| info.reason.as_str()) {
        Some("PROVIDER_LIMITED") => {
            return Ok(WriteAccess::Deferred {
                reason: why,
                until: metadata("until")
                    .and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()),
                unavailable: None,
            });
        }
        Some("PROVIDER_UNAVAILABLE") => {
            return Ok(WriteAccess::Deferred {
                until: None,
                unavailable: Some(ServiceUnavailable::provider(why.clone())),
                reason: why,
            });
        }
        _ => {}
    }
    match status.code() {
        Code::NotFound => Ok(WriteAccess::Denied("the repository was removed".to_owned())),
        Code::FailedPrecondition | Code::InvalidArgument => Ok(WriteAccess::Undecidable(format!(
            "who may write cannot be asked: {}",
            status.message()
        ))),
        _ => Err(repositories_unavailable(status)),
    }
}
