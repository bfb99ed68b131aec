//! The methods that need the provider.
use ck8s_proto::repositories::v1 as pb;
use ck8s_provider::Credential;
use ck8s_rpc::{access, convert, page, status};
use tonic::{Request, Status};

use super::{call, named};
use crate::service::{Heard, Repositories, Who};

/// As the contract says, for one call.
const MOST_REDELIVERED: usize = 1_000;
/// A private key with its certificate and more.
const LONGEST_CREDENTIAL: usize = 16 * 1024;

pub(super) async fn rotate_credential(
    repositories: &Repositories,
    request: Request<pb::RotateCredentialRequest>,
) -> Result<pb::RotateCredentialResponse, Status> {
    let call = call(&request, &request.get_ref().request_id)?;
    let asked = request.into_inner();
    let given = match asked.credential {
        Some(pb::rotate_credential_request::Credential::Token(token)) => token_of(&token)?,
        Some(pb::rotate_credential_request::Credential::App(app)) => app_of(app)?,
        None => return Err(status::invalid("credential", "must be a token or an app")),
    };
    let name = named(&asked.repository)?;
    Ok(repositories.rotate_credential(call, name, given).await?)
}

pub(super) async fn check_repository(
    repositories: &Repositories,
    request: Request<pb::CheckRepositoryRequest>,
) -> Result<pb::CheckRepositoryResponse, Status> {
    let access = access::of(&request);
    let name = named(&request.get_ref().repository)?;
    let findings = repositories.check(&access, name).await?;
    Ok(pb::CheckRepositoryResponse { findings })
}

pub(super) async fn mend_repository(
    repositories: &Repositories,
    request: Request<pb::MendRepositoryRequest>,
) -> Result<pb::MendRepositoryResponse, Status> {
    let call = call(&request, &request.get_ref().request_id)?;
    let asked = request.into_inner();
    let findings = repositories.mend(call, named(&asked.repository)?).await?;
    Ok(pb::MendRepositoryResponse { findings })
}

pub(super) async fn note_delivery(
    repositories: &Repositories,
    request: Request<pb::NoteDeliveryRequest>,
) -> Result<pb::NoteDeliveryResponse, Status> {
    let asked = request.into_inner();
    let heard = Heard {
        repository: convert::id("repository_id", &asked.repository_id)?,
        event: asked.event,
        branch: asked.branch,
        signed_with_current: asked.signed_with_current,
    };
    repositories.heard(heard).await?;
    Ok(pb::NoteDeliveryResponse {})
}

pub(super) async fn may_write(
    repositories: &Repositories,
    request: Request<pb::MayWriteRequest>,
) -> Result<pb::MayWriteResponse, Status> {
    let asked = request.into_inner();
    let repository = convert::id("repository_id", &asked.repository_id)?;
    if asked.login.is_empty() {
        return Err(status::invalid("login", "must be a name at the provider"));
    }
    let who = Who {
        login: asked.login,
        external_id: asked.external_id,
    };
    Ok(Repositories::may_write(repositories, repository, &who).await?)
}

pub(super) async fn list_hook_deliveries(
    repositories: &Repositories,
    request: Request<pb::ListHookDeliveriesRequest>,
) -> Result<pb::ListHookDeliveriesResponse, Status> {
    let after = page::decode("page_token", &request.into_inner().page_token)?;
    let after = after.unwrap_or_else(uuid::Uuid::nil);
    Ok(repositories.hook_deliveries(after).await?)
}

pub(super) async fn redeliver_hook_deliveries(
    repositories: &Repositories,
    request: Request<pb::RedeliverHookDeliveriesRequest>,
) -> Result<pb::RedeliverHookDeliveriesResponse, Status> {
    let asked = request.into_inner();
    let repository = convert::id("repository_id", &asked.repository_id)?;
    if asked.attempt_ids.len() > MOST_REDELIVERED {
        return Err(status::invalid("attempt_ids", "more than 1,000"));
    }
    let until = asked.until.as_ref();
    let until = until.map(|until| convert::moment("until", until));
    let later_attempt_ids = repositories
        .redeliver(repository, &asked.attempt_ids, until.transpose()?)
        .await?;
    Ok(pb::RedeliverHookDeliveriesResponse { later_attempt_ids })
}

/// What a request to add shows, if anything.
pub(super) fn shown(
    credential: Option<pb::add_repository_request::Credential>,
) -> Result<Option<Credential>, Status> {
    credential
        .map(|credential| match credential {
            pb::add_repository_request::Credential::Token(token) => token_of(&token),
            pb::add_repository_request::Credential::App(app) => app_of(app),
        })
        .transpose()
}

fn token_of(token: &str) -> Result<Credential, Status> {
    let token = token.trim();
    let odd = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii();
    if token.is_empty() || token.len() > LONGEST_CREDENTIAL || token.contains(odd) {
        return Err(status::invalid("token", "must be a token: one word"));
    }
    Ok(Credential::Token(token.into()))
}

fn app_of(app: pb::App) -> Result<Credential, Status> {
    let number = |field, text: &str| {
        let fits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.to_owned())
            .ok_or_else(|| status::invalid(field, "must be the provider's number"))
    };
    let key = app.private_key.trim();
    if !key.starts_with("-----BEGIN ") || key.len() > LONGEST_CREDENTIAL {
        return Err(status::invalid("app.private_key", "must be a key in PEM"));
    }
    Ok(Credential::App {
        app_id: number("app.app_id", &app.app_id)?,
        installation_id: number("app.installation_id", &app.installation_id)?,
        private_key: app.private_key.into(),
    })
}
