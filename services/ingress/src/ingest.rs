//! The way of a webhook: headers, body, repository, signature, trigger, store. Many at once; none hinders another.
use std::{collections::HashMap, sync::Arc};

use ck8s_proto::ingress::v1::Webhook;
use ck8s_types::{ProjectId, RepositoryId};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        headers,
        matching::{Decision, Happening, decide},
        payload::Payload,
        refusal::Refusal,
        run::{Wanted, clean},
        verify::{self, Secret, Signature},
    },
    metrics,
    peers::{
        provider::Note,
        repositories::{Known, Repositories},
    },
    store::{deliveries::State, inbox::NewDelivery},
    writer::Item,
};

/// After so many webhooks others get their turn on this thread: a few hundred microseconds.
const TURN: usize = 8;
/// Bodies above this are worked on where they hold up nobody: some milliseconds and more.
const LARGE: usize = 512 * 1024;
/// What fits the row without bloating it; GitHub's own are far shorter.
const LONGEST_WORD: usize = 200;
/// The only provider so far.
const GITHUB: &str = "github";

/// What became of a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Stored now.
    Accepted,
    /// Stored before.
    Duplicate,
    /// Not taken.
    Refused(Refusal),
}

/// Takes webhooks in; a clone is the same.
#[derive(Clone)]
pub(crate) struct Ingest {
    repositories: Repositories,
    writer: mpsc::Sender<Item>,
    platform: Option<Secret>,
    nobody: Secret,
    notes: mpsc::Sender<Note>,
}

/// A webhook whose form is right.
struct Sketch<'a> {
    payload: Payload<'a>,
    /// None: there is a header, but it is no signature.
    signature: Option<Signature>,
}

/// After the first look.
enum Stage<'a> {
    Refused(Refusal),
    Small(Box<Sketch<'a>>),
    /// Read again where it is worked on: what was read borrows from the body.
    Large {
        repository_id: Option<u64>,
    },
}

impl Stage<'_> {
    fn repository_id(&self) -> Option<u64> {
        match self {
            Stage::Small(sketch) => sketch.payload.repository_id(),
            Stage::Large { repository_id } => *repository_id,
            Stage::Refused(_) => None,
        }
    }
}

/// The answer to a webhook: there, or told after the commit.
enum Answer {
    Now(Outcome),
    Later(oneshot::Receiver<Outcome>),
}

impl Answer {
    async fn outcome(self) -> Outcome {
        match self {
            Answer::Now(outcome) => outcome,
            Answer::Later(told) => told.await.unwrap_or(Outcome::Refused(Refusal::Unavailable)),
        }
    }
}

/// What is to be stored, the run that it asks for, and what the repositories service wants to hear of it.
type Prepared = Result<(NewDelivery, Option<Found>, Option<Note>), Refusal>;

/// A repository, none that is known, or an answer that cannot be had now.
type Resolved = Result<Option<Arc<Known>>, Refusal>;

impl Ingest {
    pub(crate) fn new(
        repositories: Repositories,
        writer: mpsc::Sender<Item>,
        platform: Option<SecretString>,
        notes: mpsc::Sender<Note>,
    ) -> Self {
        Self {
            repositories,
            writer,
            platform: platform.map(|secret| Secret::new(secret.expose_secret().as_bytes())),
            // Nobody's: checked where there is nothing to check against, so that this takes as long.
            nobody: Secret::new(uuid::Uuid::new_v4().as_bytes()),
            notes,
        }
    }

    /// What became of each, in order, after the commit.
    pub(crate) async fn ingest(&self, webhooks: Vec<Webhook>) -> Vec<Outcome> {
        let mut stages = Vec::with_capacity(webhooks.len());
        for (nr, webhook) in webhooks.iter().enumerate() {
            stages.push(look(webhook).await);
            breathe(nr).await;
        }
        let known = self.resolve(&stages).await;
        let mut answers = Vec::with_capacity(webhooks.len());
        for (nr, (webhook, stage)) in webhooks.iter().zip(stages).enumerate() {
            let repository = stage
                .repository_id()
                .map_or(Ok(None), |id| known.get(&id).cloned().unwrap_or(Ok(None)));
            let prepared = match (stage, repository) {
                (Stage::Refused(refusal), _) | (_, Err(refusal)) => Err(refusal),
                (Stage::Small(sketch), Ok(repository)) => {
                    self.prepare(webhook, &sketch, repository.as_deref())
                }
                (Stage::Large { .. }, Ok(repository)) => {
                    self.prepare_large(webhook.clone(), repository).await
                }
            };
            answers.push(self.store(prepared).await);
            breathe(nr).await;
        }
        let mut outcomes = Vec::with_capacity(webhooks.len());
        for (answer, note) in answers {
            let outcome = answer.outcome().await;
            if let Some(note) = note.filter(|_| outcome == Outcome::Accepted) {
                // Where too many wait, it is found out without.
                let _ = self.notes.try_send(note);
            }
            outcomes.push(outcome);
        }
        metrics::ingested(&outcomes);
        outcomes
    }

    /// The repositories that these speak of.
    async fn resolve(&self, stages: &[Stage<'_>]) -> HashMap<u64, Resolved> {
        let mut ids: Vec<u64> = stages.iter().filter_map(Stage::repository_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = self.repositories.resolve(&ids).await;
        let told = found.into_iter().map(|found| {
            found.map_err(|away| {
                tracing::warn!(%away, "webhooks cannot be verified now");
                Refusal::Unavailable
            })
        });
        ids.into_iter().zip(told).collect()
    }

    /// Verifies, matches and compresses.
    fn prepare(
        &self,
        webhook: &Webhook,
        sketch: &Sketch<'_>,
        repository: Option<&Known>,
    ) -> Prepared {
        let payload = &sketch.payload;
        let signature = sketch.signature.unwrap_or_default();
        let genuine = match (repository, &self.platform, payload.repository_id()) {
            (Some(known), _, _) => known.signed(&webhook.body, &signature),
            (None, Some(platform), None) => platform.signed(&webhook.body, &signature),
            _ => {
                std::hint::black_box(self.nobody.signed(&webhook.body, &signature));
                false
            }
        };
        if !genuine || sketch.signature.is_none() {
            return Err(Refusal::SignatureInvalid);
        }
        let decision = matched(&webhook.event, payload, repository);
        let (state, reason, found) = match (decision, repository) {
            (Decision::Run(wanted), Some(known)) => {
                let found = Found::new(known, *wanted);
                (State::RunCreated, String::new(), Some(found))
            }
            (Decision::Run(_), None) => (State::Ignored, NO_REPOSITORY.to_owned(), None),
            (Decision::Ignored(reason), _) => (State::Ignored, reason, None),
        };
        let delivery = NewDelivery {
            key: webhook.delivery_id.clone(),
            event: webhook.event.clone(),
            action: clean(payload.action.as_str(), LONGEST_WORD),
            sender: clean(payload.sender_login(), LONGEST_WORD),
            project_id: repository.map(|known| known.project_id.uuid()),
            repository_id: repository.map(|known| known.id.uuid()),
            state,
            reason,
            size_bytes: i32::try_from(webhook.body.len()).unwrap_or(i32::MAX),
            payload: lz4_flex::compress_prepend_size(&webhook.body),
        };
        let note = repository.and_then(|known| noted(webhook, payload, known, &signature));
        Ok((delivery, found, note))
    }

    async fn prepare_large(&self, webhook: Webhook, repository: Option<Arc<Known>>) -> Prepared {
        let this = self.clone();
        let work = move || {
            let sketch = sketch(&webhook)?;
            this.prepare(&webhook, &sketch, repository.as_deref())
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or(Err(Refusal::Unavailable))
    }

    async fn store(&self, prepared: Prepared) -> (Answer, Option<Note>) {
        let (delivery, found, note) = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => return (Answer::Now(Outcome::Refused(refusal)), None),
        };
        let (answer, told) = oneshot::channel();
        match self
            .writer
            .send(Item {
                delivery,
                found,
                answer,
            })
            .await
        {
            Ok(()) => (Answer::Later(told), note),
            Err(_) => (Answer::Now(Outcome::Refused(Refusal::Unavailable)), None),
        }
    }
}

/// A run that a delivery asks for, and of whom.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) project_id: ProjectId,
    pub(crate) repository_id: RepositoryId,
    pub(crate) repository_name: String,
    pub(crate) wanted: Wanted,
    /// Who wants it, where the provider is asked whether they may.
    pub(crate) asks: Option<Asks>,
}

/// Somebody who wants to trigger something.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Asks {
    /// The provider's id of them, which stays when they are renamed.
    pub(crate) id: Option<u64>,
    /// Their name at the provider.
    pub(crate) login: String,
    /// A bot, and the trigger allows bots.
    pub(crate) allowed_bot: bool,
}

impl Found {
    pub(crate) fn new(known: &Known, wanted: Wanted) -> Self {
        let asks = known.looked_after.then(|| Asks {
            id: wanted.by_id,
            login: wanted.trigger.actor.clone(),
            allowed_bot: wanted.by_bot,
        });
        Self {
            project_id: known.project_id,
            repository_id: known.id,
            repository_name: known.full_name.clone(),
            wanted,
            asks,
        }
    }
}

/// Why an event without a repository makes no run.
const NO_REPOSITORY: &str = "an event without a repository: nothing can trigger";

/// What the repositories service wants to hear of a delivery, if anything.
fn noted(
    webhook: &Webhook,
    payload: &Payload<'_>,
    known: &Known,
    signature: &Signature,
) -> Option<Note> {
    let signed_with_current = known.proves_current(&webhook.body, signature);
    let told = matches!(webhook.event.as_str(), "ping" | "push" | "repository");
    let branch = payload.git_ref.as_str().strip_prefix("refs/heads/");
    (known.looked_after && (told || signed_with_current)).then(|| Note {
        repository_id: known.id,
        event: webhook.event.clone(),
        branch: branch.unwrap_or_default().to_owned(),
        signed_with_current,
    })
}

/// What a payload leads to.
pub(crate) fn matched(event: &str, payload: &Payload<'_>, repository: Option<&Known>) -> Decision {
    match repository {
        Some(known) => decide(
            &known.triggers,
            Happening {
                event,
                payload,
                repository: &known.full_name,
                asked_later: known.looked_after,
            },
        ),
        None => Decision::Ignored(NO_REPOSITORY.to_owned()),
    }
}

fn sketch(webhook: &Webhook) -> Result<Sketch<'_>, Refusal> {
    if webhook.provider != GITHUB {
        return Err(Refusal::ProviderUnknown);
    }
    headers::check(&webhook.event, &webhook.delivery_id)?;
    let payload = Payload::read(&webhook.body).map_err(Refusal::BodyNotJson)?;
    if webhook.signature.is_empty() {
        return Err(Refusal::SignatureMissing);
    }
    Ok(Sketch {
        payload,
        signature: verify::parse(&webhook.signature),
    })
}

async fn look(webhook: &Webhook) -> Stage<'_> {
    if webhook.body.len() <= LARGE {
        return sketch(webhook)
            .map_or_else(Stage::Refused, |sketch| Stage::Small(Box::new(sketch)));
    }
    let copy = webhook.clone();
    let work = move || sketch(&copy).map(|sketch| sketch.payload.repository_id());
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(repository_id)) => Stage::Large { repository_id },
        Ok(Err(refusal)) => Stage::Refused(refusal),
        Err(_) => Stage::Refused(Refusal::Unavailable),
    }
}

async fn breathe(nr: usize) {
    if nr % TURN == TURN - 1 {
        tokio::task::yield_now().await;
    }
}
