//! Connections of the hot writers, one each: their few large statements are planned once, and none waits for a connection that
//! somebody else uses.
use ck8s_db::ServiceRole;
use sqlx::PgPool;

use crate::RunsError;

/// The connections, each a pool of one that connects again by itself.
pub struct Writers {
    pub creator: PgPool,
    pub dispatcher: PgPool,
}

impl Writers {
    /// Connects.
    pub async fn connect(database_url: &str) -> Result<Self, RunsError> {
        Ok(Self {
            creator: connect_writer(database_url).await?,
            dispatcher: connect_writer(database_url).await?,
        })
    }
}

/// One writer's connection.
pub async fn connect(database_url: &str) -> Result<PgPool, RunsError> {
    let connected = ck8s_db::connect(database_url, ServiceRole::Runs, 1).await;
    connected.map_err(|error| RunsError::Corrupt(error.to_string()))
}

async fn connect_writer(database_url: &str) -> Result<PgPool, RunsError> {
    let connected = ck8s_db::connect_writer(database_url, ServiceRole::Runs).await;
    connected.map_err(|error| RunsError::Corrupt(error.to_string()))
}
