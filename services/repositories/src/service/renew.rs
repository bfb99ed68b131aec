//! Another credential, and another webhook secret, for a repository that ck8s looks after.
use ck8s_proto::repositories::v1 as pb;
use ck8s_provider::Credential;
use ck8s_types::Invalid;
use secrecy::SecretString;
use serde_json::json;

use super::{
    Call, Repositories,
    adopt::seen,
    change::{changed, locked, record},
    detached,
};
use crate::{
    domain::repository as field,
    error::Error,
    store::{
        remote,
        repositories::{self, Repository},
        requests, webhook_secrets,
        works::{self, Held, Kind},
    },
};

impl Repositories {
    /// Takes another credential, once the provider said that it suffices for this very repository.
    pub(crate) async fn rotate_credential(
        &self,
        call: Call,
        name: &str,
        credential: Credential,
    ) -> Result<pb::RotateCredentialResponse, Error> {
        const METHOD: &str = "RotateCredential";
        self.reaches(&call, name).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let id = repositories::find(&mut tx, name).await?;
        let repository = repositories::get(&mut tx, id).await?;
        tx.rollback().await?;
        let api = self.outside()?.api.clone();
        let (found, actor) = seen(api.as_ref(), &credential, &repository.full_name).await?;
        if found.external_id != repository.external_id {
            return Err(Error::Invalid(Invalid {
                field: "credential",
                problem: format!(
                    "it sees another repository of that name: {} instead of {}",
                    found.external_id, repository.external_id
                ),
            }));
        }
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let before = locked(&mut tx, &call, name).await?;
        self.put_credential(&mut tx, before.id.into(), &credential)
            .await?;
        remote::set_actor(&mut tx, before.id, &actor.external_id, &actor.login).await?;
        let repository = changed(&mut tx, before.id).await?;
        let message = format!("credential of {} replaced", repository.full_name);
        let data = json!({ "acts_as": actor.login });
        record(
            &mut tx,
            &call.actor,
            "repository.credential_rotated",
            &repository,
            message,
            data,
        )
        .await?;
        let answer = pb::RotateCredentialResponse {
            repository: Some(self.repository(repository)),
        };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }

    /// Another webhook secret, here and at the provider. It stays with ck8s: nobody has to enter it anywhere.
    pub(super) async fn renew_secret(
        &self,
        call: Call,
        repository: Repository,
        secret: SecretString,
    ) -> Result<pb::RotateWebhookSecretResponse, Error> {
        let this = self.clone();
        detached(async move { this.renew_secret_now(&call, &repository, &secret).await }).await
    }

    async fn renew_secret_now(
        &self,
        call: &Call,
        repository: &Repository,
        secret: &SecretString,
    ) -> Result<pb::RotateWebhookSecretResponse, Error> {
        let (held, repository) = self.hold(repository).await?;
        let renewed = self.renew_held(call, &repository, secret, &held).await;
        held.release().await;
        renewed
    }

    async fn renew_held(
        &self,
        call: &Call,
        repository: &Repository,
        secret: &SecretString,
        held: &Held,
    ) -> Result<pb::RotateWebhookSecretResponse, Error> {
        const METHOD: &str = "RotateWebhookSecret";
        let mut tx = self.pool.begin().await?;
        // The same call may have come twice at once.
        if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
            return Ok(answer);
        }
        let url = self.outside()?.hook_url.clone();
        works::begin(&mut tx, held, Kind::Rotate, &url).await?;
        webhook_secrets::supersede(&mut tx, repository.id, field::overlap_seconds(0)?).await?;
        self.put_webhook_secret(&mut tx, repository.id.into(), secret)
            .await?;
        repositories::touch(&mut tx, repository.id).await?;
        tx.commit().await?;
        // A provider that is away is told later; meanwhile both secrets count.
        self.end_rotation(held, repository).await?;
        let mut tx = self.pool.begin().await?;
        let repository = changed(&mut tx, repository.id).await?;
        let message = format!("webhook secret of {} replaced", repository.full_name);
        record(
            &mut tx,
            &call.actor,
            "repository.secret_rotated",
            &repository,
            message,
            json!({}),
        )
        .await?;
        let answer = pb::RotateWebhookSecretResponse {
            repository: Some(self.repository(repository)),
            webhook_secret: String::new(),
        };
        requests::remember(&mut tx, call.request, METHOD, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
