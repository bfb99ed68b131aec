//! Connection pools: one per service, each with that service's role.
use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::DbError;

/// How long a caller waits for a free connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that was idle for longer may have been cut by something in between: it is checked before use.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);
/// A connection that nobody used for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Bounds every statement of a service: nothing that a caller waits for takes longer.
const STATEMENT_TIMEOUT: &str = "30s";
/// Bounds a transaction that its owner forgot: its locks must not outlive it for long.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "30s";

/// A service's role in the database: it writes its own schema, and reads no other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ServiceRole {
    /// Schema `auth`.
    Auth,
    /// Schema `repositories`.
    Repositories,
    /// Schema `ingress`.
    Ingress,
    /// Schema `runs`.
    Runs,
}

impl ServiceRole {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Auth, Self::Repositories, Self::Ingress, Self::Runs];

    /// The role's name in PostgreSQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "ck8s_auth",
            Self::Repositories => "ck8s_repositories",
            Self::Ingress => "ck8s_ingress",
            Self::Runs => "ck8s_runs",
        }
    }
}

/// A pool of at most `max` connections that all act as `role`. The first connection is made now, so a wrong address
/// fails here.
///
/// The role is set with the connection's start-up options: `RESET ROLE` comes back to it, and it costs no round trip.
///
/// # Errors
/// The address is wrong, the server is away, or the schema was never migrated (then the role does not exist).
pub async fn connect(url: &str, role: ServiceRole, max: u32) -> Result<PgPool, DbError> {
    let options = options(url, role)?;
    pool(max)
        .connect_with(options)
        .await
        .map_err(DbError::Connect)
}

/// One connection like those of [`connect`], for a writer whose statements join the lists that they are given: the
/// planner takes a list for ten rows, and would compare each row of one with each of the other.
///
/// # Errors
/// As [`connect`].
pub async fn connect_writer(url: &str, role: ServiceRole) -> Result<PgPool, DbError> {
    let options = options(url, role)?.options([("enable_nestloop", "off")]);
    pool(1)
        .connect_with(options)
        .await
        .map_err(DbError::Connect)
}

fn options(url: &str, role: ServiceRole) -> Result<PgConnectOptions, DbError> {
    let options = parse(url)?.application_name(role.as_str()).options([
        ("role", role.as_str()),
        ("statement_timeout", STATEMENT_TIMEOUT),
        (
            "idle_in_transaction_session_timeout",
            IDLE_IN_TRANSACTION_TIMEOUT,
        ),
        // Statements are prepared once and run very often; planning one on a partitioned table again each time costs
        // more than running it.
        ("plan_cache_mode", "force_generic_plan"),
        // Such a plan may be made while a table is still empty, and must be good when it is full: through its index.
        ("enable_seqscan", "off"),
        ("jit", "off"),
    ]);
    Ok(options)
}

/// A small pool that acts as the account that logs in: for migrations and for tests. No statement timeout.
///
/// # Errors
/// The address is wrong or the server is away.
pub async fn connect_owner(url: &str) -> Result<PgPool, DbError> {
    let options = parse(url)?.application_name("ck8s_owner").options([
        ("search_path", "public"),
        ("client_min_messages", "warning"),
    ]);
    pool(4)
        .connect_with(options)
        .await
        .map_err(DbError::Connect)
}

/// Checks that the database answers.
///
/// # Errors
/// It did not answer within `timeout`.
pub async fn ping(pool: &PgPool, timeout: Duration) -> Result<(), DbError> {
    let ping = async {
        let mut conn = pool.acquire().await?;
        conn.ping().await
    };
    match tokio::time::timeout(timeout, ping).await {
        Ok(answer) => answer.map_err(DbError::Connect),
        Err(_) => Err(DbError::Connect(sqlx::Error::PoolTimedOut)),
    }
}

pub(crate) fn parse(url: &str) -> Result<PgConnectOptions, DbError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| DbError::Url)?;
    Ok(options.disable_statement_logging())
}

fn pool(max: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        // A round trip for each acquire would cost more than many a statement: only a connection that was idle is
        // checked.
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > CHECK_AFTER_IDLE {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .max_connections(max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
}
