//! Connections of the hot writers, one each: their few large statements are planned once, and none waits for a
//! connection that somebody else uses.
use ck8s_db::ServiceRole;
use sqlx::PgPool;

use crate::error::RunsError;

/// The connections, each a pool of one that connects again by itself.
pub(crate) struct Connections {
    pub creator: PgPool,
    pub dispatcher: PgPool,
    /// Renews leases: no call that uses up the connections of the others may let workers expire.
    pub renewals: PgPool,
}

impl Connections {
    /// Connects the creator, the dispatcher and the task that renews leases.
    pub(crate) async fn connect(database_url: &str) -> Result<Self, RunsError> {
        Ok(Self {
            creator: connect_batch_writer(database_url).await?,
            dispatcher: connect_batch_writer(database_url).await?,
            renewals: Self::connect_writer(database_url).await?,
        })
    }

    /// Connects a writer of its own: of transitions, logs or renewals.
    pub(crate) async fn connect_writer(database_url: &str) -> Result<PgPool, RunsError> {
        let connected = ck8s_db::connect(database_url, ServiceRole::Runs, 1).await;
        connected.map_err(|error| RunsError::Corrupt(error.to_string()))
    }
}

async fn connect_batch_writer(database_url: &str) -> Result<PgPool, RunsError> {
    let connected = ck8s_db::connect_writer(database_url, ServiceRole::Runs).await;
    connected.map_err(|error| RunsError::Corrupt(error.to_string()))
}
