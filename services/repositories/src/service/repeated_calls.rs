//! Calls that are repeated under their request id: they get the answer of the first one, and change nothing again.
use ck8s_db::{
    ServiceRole,
    request_ids::{Claim, Fingerprint, RequestKey, Requests},
};
use ck8s_types::RequestId;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use super::repositories::Repositories;
use crate::{domain::caller::Caller, error::Error};

/// The request ids of this service.
pub(super) const REQUESTS: Requests = Requests::of(ServiceRole::Repositories);

impl Repositories {
    /// Makes the key of a request. Its fingerprint is keyed: requests of this service hold secrets.
    pub(crate) fn request_key(
        &self,
        id: RequestId,
        method: &'static str,
        content: &[u8],
    ) -> Result<RequestKey, Error> {
        let codes = self
            .key_ring
            .authentication_codes(method.as_bytes(), content)?;
        let fingerprint = Fingerprint::keyed(codes.current, codes.former);
        Ok(RequestKey::with_fingerprint(id, method, fingerprint))
    }
}

/// Claims the caller's request id for this transaction. Returns the answer of an earlier call, if there was one.
pub(super) async fn claim<T: DeserializeOwned>(
    conn: &mut PgConnection,
    caller: &Caller,
) -> Result<Option<T>, Error> {
    match REQUESTS.claim(conn, caller.request.as_ref()).await? {
        Claim::First => Ok(None),
        Claim::Answered(answer) => decode(caller, &answer).map(Some),
    }
}

/// Decodes a kept answer. One that an older program kept has another form: the id counts as used, and the caller looks.
fn decode<T: DeserializeOwned>(caller: &Caller, answer: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(answer).map_err(|error| match &caller.request {
        Some(request) => Error::RequestIdReused(request.id),
        None => error.into(),
    })
}

/// Returns the answer of an earlier call, if there was one, and claims nothing.
pub(super) async fn find_answer<T: DeserializeOwned>(
    conn: &mut PgConnection,
    caller: &Caller,
) -> Result<Option<T>, Error> {
    let answer = REQUESTS
        .find_response(conn, caller.request.as_ref())
        .await?;
    answer.map(|answer| decode(caller, &answer)).transpose()
}

/// Keeps the answer, in the transaction that claimed the request id. It must not hold a secret.
pub(super) async fn keep_answer<T: Serialize>(
    conn: &mut PgConnection,
    caller: &Caller,
    answer: &T,
) -> Result<(), Error> {
    let answer = serde_json::to_vec(answer)?;
    REQUESTS
        .answer(conn, caller.request.as_ref(), &answer)
        .await?;
    Ok(())
}
