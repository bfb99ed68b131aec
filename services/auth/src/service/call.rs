//! A mutating call: who makes it, and the request id that makes it safe to repeat.
use ck8s_db::{
    ServiceRole,
    request_ids::{Claim, RequestKey, Requests},
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;

use crate::error::AuthError;

/// The request ids of this service.
const REQUESTS: Requests = Requests::of(ServiceRole::Auth);

/// A mutating call.
pub(crate) struct Call {
    /// Who makes it, for flow events.
    pub actor: String,
    /// Its request id and content; none if the caller gave no id.
    pub request: Option<RequestKey>,
}

impl Call {
    /// Returns the result that the same call had before. Otherwise its request id is claimed for this transaction.
    pub(crate) async fn repeated<T: DeserializeOwned>(
        &self,
        conn: &mut PgConnection,
    ) -> Result<Option<T>, AuthError> {
        match REQUESTS.claim(conn, self.request.as_ref()).await? {
            Claim::First => Ok(None),
            // A result that an older program kept has another form: the id counts as used, and the caller looks.
            Claim::Answered(result) => serde_json::from_slice(&result).map(Some).map_err(|_| {
                self.request
                    .as_ref()
                    .map_or(AuthError::Corrupt("a call's kept result"), |request| {
                        AuthError::RequestIdReused(request.id)
                    })
            }),
        }
    }

    /// Keeps the result for a repeated call. It must not contain a secret.
    pub(crate) async fn keep<T: Serialize>(
        &self,
        conn: &mut PgConnection,
        result: &T,
    ) -> Result<(), AuthError> {
        let result = serde_json::to_vec(result)
            .map_err(|_| AuthError::Corrupt("a call's result cannot be encoded"))?;
        Ok(REQUESTS
            .answer(conn, self.request.as_ref(), &result)
            .await?)
    }
}
