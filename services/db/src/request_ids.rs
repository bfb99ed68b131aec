//! Request ids of mutating calls: a call that is repeated gets the response of the first one and changes nothing again.
//!
//! Each service keeps them in the table `requests` of its own schema. Claim the id in the transaction of the change,
//! and keep the response in the same transaction: then both are stored, or neither.
use std::borrow::Cow;

use ck8s_types::RequestId;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use thiserror::Error;

use crate::ServiceRole;

/// What tells one request from another: its method and its content, as a hash of 32 bytes.
///
/// Where the content holds a secret that can be guessed, use [`Fingerprint::keyed`]: a plain hash could be tried out
/// offline by somebody who reads the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    /// What is stored with a new request.
    current: [u8; 32],
    /// What a stored request may have too: the same content under keys that are no longer active.
    former: Vec<[u8; 32]>,
}

impl Fingerprint {
    /// The SHA-256 of a method and the encoded request message. The encoding must be the same each time.
    #[must_use]
    pub fn new(method: &str, content: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((method.len() as u64).to_be_bytes());
        hash.update(method.as_bytes());
        hash.update(content);
        Self {
            current: hash.finalize().into(),
            former: Vec::new(),
        }
    }

    /// Authentication codes of the content under secret keys: `current` under the active key, `former` under the others
    /// of the ring, so that a call that is repeated after a rotation of the keys is recognised.
    #[must_use]
    pub fn keyed(current: [u8; 32], former: Vec<[u8; 32]>) -> Self {
        Self { current, former }
    }

    /// Whether a stored fingerprint is of the same request.
    fn matches(&self, stored: &[u8]) -> bool {
        std::iter::once(&self.current)
            .chain(&self.former)
            .any(|own| own == stored)
    }
}

/// A request id, and the call that it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestKey {
    /// The caller's choice.
    pub id: RequestId,
    /// The method's name; where the id is one user's own, with the user.
    pub method: Cow<'static, str>,
    /// What tells the request from another one.
    pub fingerprint: Fingerprint,
}

impl RequestKey {
    /// The key of a request that holds no secret. `content` is the encoded request message.
    #[must_use]
    pub fn new(id: RequestId, method: impl Into<Cow<'static, str>>, content: &[u8]) -> Self {
        let method = method.into();
        let fingerprint = Fingerprint::new(&method, content);
        Self {
            id,
            method,
            fingerprint,
        }
    }

    /// The key of a request that holds a secret: with a keyed fingerprint.
    #[must_use]
    pub fn with_fingerprint(
        id: RequestId,
        method: impl Into<Cow<'static, str>>,
        fingerprint: Fingerprint,
    ) -> Self {
        Self {
            id,
            method: method.into(),
            fingerprint,
        }
    }
}

/// Whether a call is the first one with its request id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// It is the first; its transaction now holds the id. A call without a request id is always the first.
    First,
    /// The same call was made before and got this response.
    Answered(Vec<u8>),
}

/// Why a request id was not claimed.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The id was used for another method, or for another content.
    #[error("request id {0} was used for another request")]
    Reused(RequestId),
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The request ids of one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Requests(ServiceRole);

impl Requests {
    /// Returns the request ids of the service that acts under this role.
    #[must_use]
    pub const fn of(role: ServiceRole) -> Self {
        Self(role)
    }

    /// Claims the request id for this transaction. While another transaction holds the same id, waits for its end.
    ///
    /// # Errors
    /// [`RequestError::Reused`]: the id was used for another request.
    pub async fn claim(
        self,
        conn: &mut PgConnection,
        key: impl Into<Option<&RequestKey>>,
    ) -> Result<Claim, RequestError> {
        let Some(key) = key.into() else {
            return Ok(Claim::First);
        };
        loop {
            let inserted = match self.0 {
                ServiceRole::Auth => auth::insert(conn, key).await,
                ServiceRole::Repositories => repositories::insert(conn, key).await,
                ServiceRole::Ingress => ingress::insert(conn, key).await,
                ServiceRole::Runs => runs::insert(conn, key).await,
            }?;
            if inserted {
                return Ok(Claim::First);
            }
            // None: the row was swept between the two statements.
            if let Some(response) = self.find_response(conn, key).await? {
                return Ok(Claim::Answered(response));
            }
        }
    }

    /// Returns the response that the same call got before, and claims nothing.
    ///
    /// # Errors
    /// [`RequestError::Reused`]: the id was used for another request.
    pub async fn find_response(
        self,
        conn: &mut PgConnection,
        key: impl Into<Option<&RequestKey>>,
    ) -> Result<Option<Vec<u8>>, RequestError> {
        let Some(key) = key.into() else {
            return Ok(None);
        };
        let stored = match self.0 {
            ServiceRole::Auth => auth::select(conn, key.id).await,
            ServiceRole::Repositories => repositories::select(conn, key.id).await,
            ServiceRole::Ingress => ingress::select(conn, key.id).await,
            ServiceRole::Runs => runs::select(conn, key.id).await,
        }?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        // A row that an older program wrote has no fingerprint: it is compared by its method alone.
        let is_same = stored.method == key.method
            && stored
                .fingerprint
                .is_none_or(|stored| key.fingerprint.matches(&stored));
        if is_same {
            Ok(Some(stored.response))
        } else {
            Err(RequestError::Reused(key.id))
        }
    }

    /// Keeps the response of a claimed request, in the transaction of the claim. It must not hold a secret.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn answer(
        self,
        conn: &mut PgConnection,
        key: impl Into<Option<&RequestKey>>,
        response: &[u8],
    ) -> sqlx::Result<()> {
        let Some(key) = key.into() else {
            return Ok(());
        };
        match self.0 {
            ServiceRole::Auth => auth::update(conn, key.id, response).await,
            ServiceRole::Repositories => repositories::update(conn, key.id, response).await,
            ServiceRole::Ingress => ingress::update(conn, key.id, response).await,
            ServiceRole::Runs => runs::update(conn, key.id, response).await,
        }
    }

    /// Forgets requests of more than a week ago: nobody repeats them any more. Returns how many.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn sweep(self, conn: &mut PgConnection) -> sqlx::Result<u64> {
        match self.0 {
            ServiceRole::Auth => auth::delete_old(conn).await,
            ServiceRole::Repositories => repositories::delete_old(conn).await,
            ServiceRole::Ingress => ingress::delete_old(conn).await,
            ServiceRole::Runs => runs::delete_old(conn).await,
        }
    }
}

/// A request as it is stored.
struct StoredRequest {
    method: String,
    fingerprint: Option<Vec<u8>>,
    response: Vec<u8>,
}

/// The statements on the table of one schema: checked at compile time, so the schema's name is a literal.
macro_rules! statements {
    ($module:ident, $schema:literal, $response:literal) => {
        mod $module {
            use ck8s_types::RequestId;
            use sqlx::PgConnection;

            use super::{RequestKey, StoredRequest};

            pub(super) async fn insert(
                conn: &mut PgConnection,
                key: &RequestKey,
            ) -> sqlx::Result<bool> {
                let inserted = sqlx::query!(
                    "INSERT INTO " + $schema + ".requests (request_id, method, fingerprint, response) VALUES ($1, $2, $3, '') ON CONFLICT DO NOTHING",
                    key.id.uuid(),
                    &key.method,
                    &key.fingerprint.current,
                )
                .execute(conn)
                .await?;
                Ok(inserted.rows_affected() == 1)
            }

            pub(super) async fn select(
                conn: &mut PgConnection,
                id: RequestId,
            ) -> sqlx::Result<Option<StoredRequest>> {
                sqlx::query_as!(
                    StoredRequest,
                    "SELECT method, fingerprint, " + $response + " FROM " + $schema + ".requests WHERE request_id = $1",
                    id.uuid(),
                )
                .fetch_optional(conn)
                .await
            }

            pub(super) async fn update(
                conn: &mut PgConnection,
                id: RequestId,
                response: &[u8],
            ) -> sqlx::Result<()> {
                sqlx::query!(
                    "UPDATE " + $schema + ".requests SET response = $2 WHERE request_id = $1",
                    id.uuid(),
                    response,
                )
                .execute(conn)
                .await?;
                Ok(())
            }

            pub(super) async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<u64> {
                let deleted = sqlx::query!(
                    "DELETE FROM " + $schema + ".requests WHERE created_at < now() - interval '7 days'"
                )
                .execute(conn)
                .await?;
                Ok(deleted.rows_affected())
            }
        }
    };
}

statements!(auth, "auth", "response");
statements!(repositories, "repositories", "response");
statements!(ingress, "ingress", "response");
// A row that an older program wrote holds the run in a column of its own: its id, as 16 bytes, is the response.
statements!(
    runs,
    "runs",
    r#"coalesce(response, uuid_send(run_id), '') AS "response!""#
);
