//! What is known of repositories, by the provider's id: resolved in batches, kept for seconds, dropped at once when told of a change.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ck8s_proto::repositories::v1::{
    Provider, ResolveRepositoriesRequest, repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::mesh::Channel;
use ck8s_types::{ProjectId, RepositoryId, now_ms};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tonic::Request;

use super::{Away, DEADLINE};
use crate::{
    convert,
    domain::{
        trigger::Trigger,
        verify::{Secret, Signature},
    },
};

/// How long an answer counts, if no change is told: a lost notification is made good by then.
const KEPT: Duration = Duration::from_secs(5);
/// After this it is refreshed beside its use, so that a busy repository never waits.
const REFRESHED: Duration = Duration::from_secs(2);
/// How long "unknown" counts: a repository that was just added works within this.
const KEPT_UNKNOWN: Duration = Duration::from_secs(1);
/// Bounds what strangers can make us remember.
const MOST: usize = 10_000;
/// An answer with many large services.yaml.
const LARGEST_ANSWER: usize = ck8s_rpc::mesh::MAX_MESSAGE;

/// A repository that is known: what is needed to verify and to match.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its id.
    pub(crate) id: RepositoryId,
    /// Its project.
    pub(crate) project_id: ProjectId,
    /// owner/name.
    pub(crate) full_name: String,
    /// In the file's order.
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) current: Option<Secret>,
    pub(crate) previous: Vec<Secret>,
    /// Until when the previous ones count, in milliseconds since 1970; none: always.
    pub(crate) previous_until: Option<i64>,
    /// ck8s has a credential for it: its provider says who may write.
    pub(crate) looked_after: bool,
}

impl Known {
    /// Whether its current secret signed this body, where there is one before it.
    pub(crate) fn proves_current(&self, body: &[u8], signature: &Signature) -> bool {
        let current = self.current.as_ref();
        !self.previous.is_empty() && current.is_some_and(|secret| secret.signed(body, signature))
    }

    /// Whether one of its valid secrets signed this body.
    pub(crate) fn signed(&self, body: &[u8], signature: &Signature) -> bool {
        let previous = match self.previous_until {
            Some(until) if until <= now_ms() => &[][..],
            _ => &self.previous,
        };
        self.current
            .iter()
            .chain(previous)
            .any(|secret| secret.signed(body, signature))
    }
}

type Answer = Result<Arc<HashMap<u64, Arc<Known>>>, Away>;
type Load = Shared<BoxFuture<'static, Answer>>;

enum Slot {
    Ready {
        known: Option<Arc<Known>>,
        at: Instant,
        refreshing: bool,
    },
    Loading(Load),
}

#[derive(Default)]
struct State {
    /// Grows with every change that is told: an answer that was asked for before it is not kept.
    generation: u64,
    slots: HashMap<u64, Slot>,
}

/// The cache; a clone is the same cache.
#[derive(Clone)]
pub(crate) struct Repositories {
    client: RepositoriesServiceClient<Channel>,
    state: Arc<Mutex<State>>,
}

/// What became of one id.
type Found = Result<Option<Arc<Known>>, Away>;

impl Repositories {
    pub(crate) fn new(channel: Channel) -> Self {
        let client =
            RepositoriesServiceClient::new(channel).max_decoding_message_size(LARGEST_ANSWER);
        Self {
            client,
            state: Arc::default(),
        }
    }

    /// Forgets everything: something changed.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.generation += 1;
        state.slots.clear();
    }

    /// Each id's repository, in order; none: not known.
    pub(crate) async fn resolve(&self, ids: &[u64]) -> Vec<Found> {
        let mut found: Vec<Option<Found>> = vec![None; ids.len()];
        let mut waits = Vec::new();
        {
            let mut state = self.lock();
            let (mut missing, mut aging) = (Vec::new(), Vec::new());
            for (nr, id) in ids.iter().enumerate() {
                match state.slots.get_mut(id) {
                    Some(Slot::Loading(load)) => waits.push((nr, load.clone())),
                    Some(Slot::Ready {
                        known,
                        at,
                        refreshing,
                    }) if counts(known.as_ref(), *at) => {
                        if known.is_some() && !*refreshing && at.elapsed() > REFRESHED {
                            *refreshing = true;
                            aging.push(*id);
                        }
                        found[nr] = Some(Ok(known.clone()));
                    }
                    _ => missing.push((nr, *id)),
                }
            }
            if !aging.is_empty() {
                drop(self.load(aging, state.generation));
            }
            if !missing.is_empty() {
                make_room(&mut state.slots);
                let load = self.load(missing.iter().map(|m| m.1).collect(), state.generation);
                for (nr, id) in missing {
                    state.slots.insert(id, Slot::Loading(load.clone()));
                    waits.push((nr, load.clone()));
                }
            }
        }
        for (nr, load) in waits {
            found[nr] = Some(load.await.map(|answer| answer.get(&ids[nr]).cloned()));
        }
        found
            .into_iter()
            .map(|found| found.unwrap_or(Ok(None)))
            .collect()
    }

    /// One call for many ids, in a task of its own: it ends, and is kept, whoever still waits.
    fn load(&self, mut ids: Vec<u64>, generation: u64) -> Load {
        ids.sort_unstable();
        ids.dedup();
        let this = self.clone();
        let call = tokio::spawn(async move {
            let answer = this.ask(&ids).await;
            this.keep(&ids, &answer, generation);
            answer
        });
        let load = async move {
            call.await.unwrap_or_else(|error| {
                Err(Away {
                    service: "repositories",
                    cause: error.to_string(),
                })
            })
        };
        load.boxed().shared()
    }

    async fn ask(&self, ids: &[u64]) -> Answer {
        let mut request = Request::new(ResolveRepositoriesRequest {
            provider: Provider::Github.into(),
            external_ids: ids.iter().map(u64::to_string).collect(),
        });
        request.set_timeout(DEADLINE);
        let mut client = self.client.clone();
        let call = tokio::time::timeout(DEADLINE, client.resolve_repositories(request));
        let away = |cause: String| Away {
            service: "repositories",
            cause,
        };
        let answer = match call.await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => return Err(away(format!("{:?}", status.code()))),
            Err(_) => return Err(away("no answer in time".to_owned())),
        };
        let known = answer.repositories.into_iter().filter_map(|resolved| {
            convert::known(resolved)
                .inspect_err(
                    |fault| tracing::error!(%fault, "a resolved repository cannot be read"),
                )
                .ok()
        });
        Ok(Arc::new(
            known.map(|(id, known)| (id, Arc::new(known))).collect(),
        ))
    }

    fn keep(&self, ids: &[u64], answer: &Answer, generation: u64) {
        let mut state = self.lock();
        if state.generation != generation {
            return;
        }
        for id in ids {
            match answer {
                Ok(known) => {
                    let known = known.get(id).cloned();
                    let slot = Slot::Ready {
                        known,
                        at: Instant::now(),
                        refreshing: false,
                    };
                    state.slots.insert(*id, slot);
                }
                // What is there and still counts, stays; it is asked for again when it is used.
                Err(_) => match state.slots.get_mut(id) {
                    Some(Slot::Ready { refreshing, .. }) => *refreshing = false,
                    _ => drop(state.slots.remove(id)),
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counts(known: Option<&Arc<Known>>, at: Instant) -> bool {
    at.elapsed() < if known.is_some() { KEPT } else { KEPT_UNKNOWN }
}

/// Keeps the cache within its bound: first what does not count any more goes, then what is unknown, then all that is not under way.
fn make_room(slots: &mut HashMap<u64, Slot>) {
    if slots.len() < MOST {
        return;
    }
    slots.retain(|_, slot| match slot {
        Slot::Ready { known, at, .. } => counts(known.as_ref(), *at),
        Slot::Loading(_) => true,
    });
    if slots.len() >= MOST {
        slots.retain(|_, slot| !matches!(slot, Slot::Ready { known: None, .. }));
    }
    if slots.len() >= MOST {
        slots.retain(|_, slot| matches!(slot, Slot::Loading(_)));
    }
}
