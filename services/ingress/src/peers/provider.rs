//! What only the provider of a repository knows, asked through the repositories service: who may write there; and what is told to it.
use std::collections::{HashMap, HashSet};

use ck8s_proto::repositories::v1::{
    GetRepositoryRequest, ListHookDeliveriesRequest, ListHookDeliveriesResponse, MayWriteRequest,
    NoteDeliveryRequest, RedeliverHookDeliveriesRequest,
    repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::mesh::Channel;
use ck8s_types::{ProjectId, RepositoryId};
use futures::{StreamExt, stream};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::{Away, DEADLINE};
use crate::ingest::Asks;

/// Repositories whose provider is asked at once.
const ABREAST: usize = 16;
/// The provider pages through a hook's deliveries, and makes them again one by one.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);

/// What the provider says of somebody who wants to trigger something.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// They may.
    May,
    /// They may not, in words.
    MayNot(String),
    /// It does not say, and will not before somebody changes something: in words.
    Unsaid(String),
    /// It does not say now.
    Later {
        /// Why, in words.
        why: String,
        /// Until when it wants no questions.
        until: Option<OffsetDateTime>,
        /// It does not answer at all.
        away: Option<Away>,
    },
}

/// A delivery that the repositories service wants to hear of.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) repository_id: RepositoryId,
    pub(crate) event: String,
    pub(crate) branch: String,
    pub(crate) signed_with_current: bool,
}

/// The client; a clone is the same.
#[derive(Clone)]
pub(crate) struct Provider {
    client: RepositoriesServiceClient<Channel>,
}

impl Provider {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            client: RepositoriesServiceClient::new(channel)
                .max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE),
        }
    }

    /// Whether they may trigger what writers may.
    pub(crate) async fn may_trigger(
        &self,
        repository: RepositoryId,
        asks: &Asks,
    ) -> Result<Verdict, Away> {
        let mut request = Request::new(MayWriteRequest {
            repository_id: repository.to_string(),
            login: asks.login.clone(),
            external_id: asks.id.map(|id| id.to_string()).unwrap_or_default(),
        });
        request.set_timeout(DEADLINE);
        let mut client = self.client.clone();
        let asked = tokio::time::timeout(DEADLINE, client.may_write(request)).await;
        let login = &asks.login;
        match asked {
            Ok(Ok(answer)) => {
                let said = answer.into_inner();
                Ok(if said.is_own_actor {
                    Verdict::MayNot(format!("{login:?} is ck8s itself: nothing triggers itself"))
                } else if said.may_write || asks.allowed_bot {
                    Verdict::May
                } else {
                    Verdict::MayNot(format!("needs write access: {login:?} has none"))
                })
            }
            Ok(Err(status)) => unsaid(&status),
            Err(_) => Err(away("no answer in time")),
        }
    }

    /// Tells of a delivery. What is not told is found out later.
    pub(crate) async fn note(&self, note: Note) -> Result<(), Status> {
        let mut request = Request::new(NoteDeliveryRequest {
            repository_id: note.repository_id.to_string(),
            event: note.event,
            branch: note.branch,
            signed_with_current: note.signed_with_current,
        });
        request.set_timeout(DEADLINE);
        self.client.clone().note_delivery(request).await?;
        Ok(())
    }

    /// What the hook of the next repository tried.
    pub(crate) async fn hook_deliveries(
        &self,
        page_token: String,
    ) -> Result<ListHookDeliveriesResponse, Status> {
        let mut request = Request::new(ListHookDeliveriesRequest { page_token });
        request.set_timeout(LONG);
        let mut client = self.client.clone();
        Ok(client.list_hook_deliveries(request).await?.into_inner())
    }

    /// Has these delivered again. Those that the provider did not take now.
    pub(crate) async fn redeliver(
        &self,
        again: RedeliverHookDeliveriesRequest,
    ) -> Result<Vec<String>, Status> {
        let mut request = Request::new(again);
        request.set_timeout(LONG);
        let mut client = self.client.clone();
        let answer = client.redeliver_hook_deliveries(request).await?;
        Ok(answer.into_inner().later_attempt_ids)
    }

    /// The project of a repository, and its owner/name.
    pub(crate) async fn project_of(
        &self,
        repository: &str,
    ) -> Result<(Option<ProjectId>, String), Status> {
        let mut request = Request::new(GetRepositoryRequest {
            repository: repository.to_owned(),
        });
        request.set_timeout(DEADLINE);
        let answer = self.client.clone().get_repository(request).await?;
        let repository = answer.into_inner().repository.unwrap_or_default();
        Ok((repository.project_id.parse().ok(), repository.full_name))
    }

    /// The verdicts on many, each asked for once: of several repositories at once. A provider that does not say is not asked about
    /// anybody else of that repository.
    pub(crate) async fn verdicts(
        &self,
        asked: impl Iterator<Item = (RepositoryId, Asks)>,
    ) -> HashMap<(RepositoryId, Asks), Result<Verdict, Away>> {
        let mut by_repository: HashMap<RepositoryId, HashSet<Asks>> = HashMap::new();
        for (repository, asks) in asked {
            by_repository.entry(repository).or_default().insert(asks);
        }
        let of_one = |(repository, asked): (RepositoryId, HashSet<Asks>)| async move {
            let mut verdicts = Vec::with_capacity(asked.len());
            let mut silent = None;
            for asks in asked {
                let verdict = match &silent {
                    Some(silent) => Clone::clone(silent),
                    None => self.may_trigger(repository, &asks).await,
                };
                if matches!(verdict, Err(_) | Ok(Verdict::Later { .. })) {
                    silent = Some(verdict.clone());
                }
                verdicts.push(((repository, asks), verdict));
            }
            verdicts
        };
        let all = stream::iter(by_repository.into_iter().map(of_one));
        let all: Vec<_> = all.buffer_unordered(ABREAST).collect().await;
        all.into_iter().flatten().collect()
    }
}

fn unsaid(status: &Status) -> Result<Verdict, Away> {
    let details = status.get_error_details();
    let info = details.error_info();
    let why = info.and_then(|info| info.metadata.get("why")).cloned();
    match info.map(|info| info.reason.as_str()) {
        Some("PROVIDER_LIMITED") => {
            let until = info.and_then(|info| info.metadata.get("until"));
            return Ok(Verdict::Later {
                why: why.unwrap_or_default(),
                until: until.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok()),
                away: None,
            });
        }
        Some("PROVIDER_UNAVAILABLE") => {
            let why = why.unwrap_or_default();
            return Ok(Verdict::Later {
                until: None,
                away: Some(Away {
                    service: "the provider",
                    cause: why.clone(),
                }),
                why,
            });
        }
        _ => {}
    }
    match status.code() {
        Code::NotFound => Ok(Verdict::MayNot("the repository was removed".to_owned())),
        Code::FailedPrecondition | Code::InvalidArgument => Ok(Verdict::Unsaid(format!(
            "who may write cannot be asked: {}",
            status.message()
        ))),
        code => Err(away(&format!("{code:?}"))),
    }
}

fn away(cause: &str) -> Away {
    Away {
        service: "repositories",
        cause: cause.to_owned(),
    }
}
