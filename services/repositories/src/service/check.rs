//! How a repository stands, in words: credential, permissions, hook, deliveries, services.yaml, the provider's limits.
use std::time::Instant;

use ck8s_proto::repositories::v1 as pb;
use ck8s_provider::{HookAttempt, Lacking, ProviderError};
use ck8s_rpc::access::Access;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{Call, Repositories, detached, outside::Far, reached};
use crate::{
    domain::services_yaml,
    error::{Error, words},
    store::{
        remote,
        repositories::{self, Repository},
        webhook_secrets,
    },
};

/// How far back the last delivery is looked for.
const BACK: Duration = Duration::days(1);

impl Repositories {
    /// Says how a repository stands; not more often than the provider's limits allow.
    pub(crate) async fn check(
        &self,
        access: &Access,
        name: &str,
    ) -> Result<Vec<pb::Finding>, Error> {
        let repository = {
            let mut conn = self.pool.acquire().await?;
            let id = repositories::find(&mut conn, name).await?;
            repositories::get(&mut conn, id).await?
        };
        reached(access, &repository, name)?;
        if repository.credential.is_none() {
            return Ok(by_hand(&repository));
        }
        let checks = &self.outside()?.checks;
        checks
            .take(repository.id, Instant::now())
            .map_err(Error::TooOften)?;
        self.findings(repository.id).await
    }

    /// Asks the provider, looks at services.yaml, and says how it all stands.
    async fn findings(&self, id: Uuid) -> Result<Vec<pb::Finding>, Error> {
        self.look_now(id).await?;
        let (repository, far) = {
            let mut conn = self.pool.acquire().await?;
            let repository = repositories::get(&mut conn, id).await?;
            let far = self.far(&mut conn, &repository).await?;
            (repository, far)
        };
        let mut findings = Vec::new();
        let looked = far
            .api()
            .look_up(&far.credential, &repository.full_name)
            .await;
        if let Err(error) = &looked {
            self.note_error(&repository, error).await;
        }
        let usable = looked.is_ok();
        if let Ok((found, _)) = &looked
            && found.external_id != repository.external_id
        {
            let message = format!(
                "{} is another repository by now: {} instead of {}",
                repository.full_name, found.external_id, repository.external_id
            );
            findings.push(wrong("name", &message, "ck8s repo update R --full-name"));
        }
        findings.extend(credential(&repository, looked.map(|(_, lacking)| lacking)));
        if usable {
            findings.push(self.hook(&far, &repository).await?);
            findings.push(delivery(&far, &repository).await);
        }
        findings.push(services(&repository));
        findings.extend(unheard(&far, &repository));
        findings.push(rate(&far, &repository));
        Ok(findings)
    }

    /// Makes the hook what it should be, looks at services.yaml, and says how it all stands then.
    pub(crate) async fn mend(&self, call: Call, name: &str) -> Result<Vec<pb::Finding>, Error> {
        let repository = {
            self.reaches(&call, name).await?;
            let mut conn = self.pool.acquire().await?;
            let id = repositories::find(&mut conn, name).await?;
            let repository = repositories::get(&mut conn, id).await?;
            reached(&call.access, &repository, name)?;
            if repository.credential.is_none() {
                return Err(Error::NoCredential(repository.full_name));
            }
            repository
        };
        let (this, id) = (self.clone(), repository.id);
        detached(async move { this.mend_now(&repository).await }).await?;
        self.findings(id).await
    }

    async fn mend_now(&self, repository: &Repository) -> Result<(), Error> {
        let (held, repository) = self.hold(repository).await?;
        let mended = self.mend_held(&repository).await;
        held.release().await;
        mended
    }

    async fn mend_held(&self, repository: &Repository) -> Result<(), Error> {
        let (far, secret) = {
            let mut conn = self.pool.acquire().await?;
            let far = self.far(&mut conn, repository).await?;
            (far, self.current_secret(&mut conn, repository).await?)
        };
        let hook_id = far.put_hook(repository.hook_id.as_deref(), &secret).await?;
        {
            let mut tx = self.pool.begin().await?;
            if remote::set_hook(&mut tx, repository.id, &hook_id).await? {
                repositories::touch(&mut tx, repository.id).await?;
            }
            tx.commit().await?;
        }
        match self.ping_until_heard(&far, repository.id, &hook_id).await {
            // What is wrong with deliveries, the findings say.
            Ok(()) | Err(Error::Unheard { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn hook(&self, far: &Far, repository: &Repository) -> Result<pb::Finding, Error> {
        const MEND: &str = "ck8s repo mend makes it what it should be";
        let found = match self.look_at_hook(far, repository).await {
            Ok(found) => found,
            Err(Error::Provider { error, .. }) => return Ok(unknown("hook", &error)),
            Err(error) => return Err(error),
        };
        let mut conn = self.pool.acquire().await?;
        let old = webhook_secrets::valid(&mut conn, &[repository.id])
            .await?
            .into_iter()
            .find_map(|secret| secret.expires_at);
        Ok(match found {
            Err(problem) => wrong("hook", &problem, MEND),
            Ok(id) => {
                let old = old.map_or_else(String::new, |until| {
                    format!("; the old secret counts until {}", moment(until))
                });
                ok("hook", &format!("hook {id} is on and complete{old}"))
            }
        })
    }
}

fn by_hand(repository: &Repository) -> Vec<pb::Finding> {
    let remedy =
        "ck8s repo rotate-token gives ck8s a credential; then ck8s repo mend makes the hook";
    let mut hand = ok(
        "token",
        "none: hook and services.yaml are looked after by hand",
    );
    remedy.clone_into(&mut hand.remedy);
    vec![hand, services(repository)]
}

fn credential(
    repository: &Repository,
    looked: Result<Vec<Lacking>, ProviderError>,
) -> Vec<pb::Finding> {
    const TOKEN: &str = "ck8s repo rotate-token gives ck8s another one";
    let actor = repository.actor_login.as_deref().unwrap_or("nobody known");
    match looked {
        Ok(lacking) => {
            let token = ok("token", &format!("it is known, and acts as {actor}"));
            let permissions = if lacking.is_empty() {
                ok("permissions", "all that ck8s needs")
            } else {
                let lacks = format!("it lacks {}", words(&lacking));
                wrong(
                    "permissions",
                    &lacks,
                    "give it the permissions at the provider",
                )
            };
            vec![token, permissions]
        }
        Err(error) if error.passes() => vec![unknown("token", &error)],
        Err(error) => vec![wrong("token", &error.to_string(), TOKEN)],
    }
}

async fn delivery(far: &Far, repository: &Repository) -> pb::Finding {
    let Some(hook_id) = repository.hook_id.as_deref() else {
        return finding("delivery", pb::Standing::Unknown, "ck8s made no hook");
    };
    let since = OffsetDateTime::now_utc() - BACK;
    let tried = far
        .api()
        .hook_attempts(&far.credential, &far.remote, hook_id, since)
        .await;
    match tried.map(|tried| tried.into_iter().max_by_key(|attempt| attempt.at)) {
        Ok(Some(last)) => last_delivery(&last),
        Ok(None) => match repository.hook_seen_at {
            Some(at) => ok(
                "delivery",
                &format!("the last one that was noted came {}", moment(at)),
            ),
            None => finding("delivery", pb::Standing::Unknown, "none was made yet"),
        },
        Err(ProviderError::NotFound(_)) => wrong(
            "delivery",
            "the hook that ck8s made is gone",
            "ck8s repo mend makes another one",
        ),
        Err(error) => unknown("delivery", &error),
    }
}

fn last_delivery(last: &HookAttempt) -> pb::Finding {
    let what = format!("the last one, {} of {}", last.event, moment(last.at));
    if last.succeeded {
        ok("delivery", &format!("{what}, came through"))
    } else {
        let remedy = "is ck8s reached at its public address? What did not come through is asked for again every five minutes";
        let message = format!("{what}, did not come through: {}", last.answer);
        wrong("delivery", &message, remedy)
    }
}

fn services(repository: &Repository) -> pb::Finding {
    let path = &repository.services_path;
    if let Some(problem) = &repository.services_problem {
        let stays = match repository.services_text.as_str() {
            "" => "",
            _ => "; the last good one stays in force",
        };
        return wrong(
            "services_yaml",
            &format!("{problem}{stays}"),
            &format!("push a good {path} to {}", repository.default_branch),
        );
    }
    if repository.services_text.is_empty() {
        return finding(
            "services_yaml",
            pb::Standing::Unknown,
            "there is none: nothing triggers",
        );
    }
    let commit = repository.services_commit.as_deref().unwrap_or_default();
    let at = commit
        .get(..12)
        .map(|c| format!(" of {c}"))
        .unwrap_or_default();
    ok("services_yaml", &format!("{path}{at} is in force"))
}

/// A trigger that waits for what no hook tells.
fn unheard(far: &Far, repository: &Repository) -> Option<pb::Finding> {
    let services = services_yaml::parse(&repository.services_text).ok()?;
    let mut triggers = services.triggers.iter();
    let waits = triggers.find(|trigger| !far.api().hears(&trigger.event))?;
    let message = format!(
        "trigger {:?} waits for the event {:?}, of which the hook does not hear",
        waits.name, waits.event
    );
    Some(wrong("services_yaml", &message, "name another event"))
}

fn rate(far: &Far, repository: &Repository) -> pb::Finding {
    if let Some(until) = repository.waits() {
        let words = format!("waits for {} until {}", far.api().name(), moment(until));
        return finding("rate_limit", pb::Standing::Unknown, &words);
    }
    match far.api().quota(&far.credential) {
        Some(quota) => ok(
            "rate_limit",
            &format!(
                "{} of {} requests left, all of them back {}",
                quota.remaining,
                quota.limit,
                moment(quota.resets_at)
            ),
        ),
        None => finding(
            "rate_limit",
            pb::Standing::Unknown,
            "the provider has not said",
        ),
    }
}

/// A time, in UTC, in seconds, as people read it.
fn moment(at: OffsetDateTime) -> String {
    let seconds = at.replace_nanosecond(0).unwrap_or(at);
    let text = seconds.format(&Rfc3339).unwrap_or_default();
    text.replace('T', " ")
}

fn finding(subject: &str, standing: pb::Standing, message: &str) -> pb::Finding {
    pb::Finding {
        subject: subject.to_owned(),
        standing: standing.into(),
        message: message.to_owned(),
        remedy: String::new(),
    }
}

fn ok(subject: &str, message: &str) -> pb::Finding {
    finding(subject, pb::Standing::Ok, message)
}

fn wrong(subject: &str, message: &str, remedy: &str) -> pb::Finding {
    pb::Finding {
        remedy: remedy.to_owned(),
        ..finding(subject, pb::Standing::Wrong, message)
    }
}

fn unknown(subject: &str, error: &ProviderError) -> pb::Finding {
    let standing = if error.passes() {
        pb::Standing::Unknown
    } else {
        pb::Standing::Wrong
    };
    finding(subject, standing, &error.to_string())
}
