//! Asks the provider of a repository, through the repositories service, whether senders may write there, and for the
//! heads of pull requests and the files of changes.
use std::collections::{HashMap, HashSet};

use ck8s_proto::repositories::v1::{
    MayWriteResponse, repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::mesh::Channel;
use ck8s_types::RepositoryId;
use futures::{StreamExt, stream};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::unavailable::repositories_unavailable;
use crate::{
    convert,
    domain::{
        unavailable::ServiceUnavailable,
        write_access::{ProviderQuestion, Sender, WriteAccess},
    },
};

/// Bounds the repositories whose providers are asked at once: one slow provider must not hold up the others.
const MAX_CONCURRENT_REPOSITORIES: usize = 16;

/// What the provider answers, or which service could not be asked.
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

    /// Asks many questions, each once, and about several repositories at once. When a provider does not answer one, it
    /// is not asked the others about that repository.
    pub(crate) async fn check_all(
        &self,
        questions: impl Iterator<Item = (RepositoryId, ProviderQuestion)>,
    ) -> HashMap<(RepositoryId, ProviderQuestion), Checked> {
        let mut by_repository: HashMap<RepositoryId, HashSet<ProviderQuestion>> = HashMap::new();
        for (repository, question) in questions {
            by_repository
                .entry(repository)
                .or_default()
                .insert(question);
        }
        let checks = by_repository
            .into_iter()
            .map(|(repository, questions)| self.check_repository(repository, questions));
        let checked: Vec<_> = stream::iter(checks)
            .buffer_unordered(MAX_CONCURRENT_REPOSITORIES)
            .collect()
            .await;
        checked.into_iter().flatten().collect()
    }

    async fn check_repository(
        &self,
        repository: RepositoryId,
        questions: HashSet<ProviderQuestion>,
    ) -> Vec<((RepositoryId, ProviderQuestion), Checked)> {
        let mut checked = Vec::with_capacity(questions.len());
        let mut unanswered: Option<Checked> = None;
        for question in questions {
            let access = match &unanswered {
                Some(unanswered) => Clone::clone(unanswered),
                None => self.check(repository, &question).await,
            };
            if matches!(access, Err(_) | Ok(WriteAccess::Deferred { .. })) {
                unanswered = Some(access.clone());
            }
            checked.push(((repository, question), access));
        }
        checked
    }

    async fn check(&self, repository: RepositoryId, question: &ProviderQuestion) -> Checked {
        let request = convert::may_write_request(repository, question);
        match self.client.clone().may_write(request).await {
            Ok(response) => Ok(from_response(response.into_inner(), question)),
            Err(status) => from_status(&status),
        }
    }
}

fn from_response(response: MayWriteResponse, question: &ProviderQuestion) -> WriteAccess {
    match &question.sender {
        Some(Sender { login, .. }) if response.is_own_actor => {
            WriteAccess::Denied(format!("{login:?} is ck8s itself: nothing triggers itself"))
        }
        Some(Sender { login, .. }) if !response.may_write => {
            WriteAccess::Denied(format!("needs write access: {login:?} has none"))
        }
        _ => WriteAccess::Granted {
            head: response.head.map(convert::pull_request_head),
            // An older service does not know the question: nothing is known then.
            files: response
                .changed_files
                .map(convert::changed_files)
                .unwrap_or_default(),
        },
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
