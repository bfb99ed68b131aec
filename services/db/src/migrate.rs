//! Migrations of the schema: up, down, status, verify. An advisory lock keeps two programs from migrating one database
//! at once.
use std::collections::BTreeMap;

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::{Migrate, MigrateError, Migrator},
};
use thiserror::Error;
use time::OffsetDateTime;

use crate::{DbError, pool::parse};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");
/// sqlx's own table of what was applied.
const TABLE: &str = "_sqlx_migrations";

/// The state of a migration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MigrationState {
    /// Not applied yet.
    Pending,
    /// Applied, with the text that this program has.
    Applied,
    /// Applied, with another text than this program has.
    Changed,
    /// Applied, and unknown to this program: a newer one migrated the database.
    Unknown,
    /// Began and never finished.
    Unfinished,
}

impl MigrationState {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Changed => "changed",
            Self::Unknown => "unknown",
            Self::Unfinished => "unfinished",
        }
    }
}

/// A migration that this program or the database knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigrationStatus {
    /// Its time, which orders it.
    pub version: i64,
    /// What it does.
    pub description: String,
    /// Its state.
    pub state: MigrationState,
    /// When it was applied.
    pub applied_at: Option<OffsetDateTime>,
}

/// Why the schema is not usable.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The database cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
    /// These migrations differ.
    #[error("the schema is not this program's: {}", list(.0))]
    Differs(Vec<MigrationStatus>),
}

fn list(differing: &[MigrationStatus]) -> String {
    let words: Vec<String> = differing
        .iter()
        .map(|m| format!("{} {} is {}", m.version, m.description, m.state.as_str()))
        .collect();
    words.join(", ")
}

/// Applies what is pending. Returns the versions that it applied.
///
/// # Errors
/// The database is away, a migration failed (nothing of it stays), or the database has migrations that this program
/// does not know.
pub async fn up(url: &str) -> Result<Vec<i64>, DbError> {
    let mut conn = open(url).await?;
    // Read under the lock, so that of several callers exactly one reports a migration as its own. The lock is counted
    // per session: the migrator takes it again, inside.
    Migrate::lock(&mut conn).await?;
    Migrate::ensure_migrations_table(&mut conn, TABLE).await?;
    let before = applied(&mut conn).await?;
    MIGRATOR.run_direct(None, &mut conn, false).await?;
    let after = applied(&mut conn).await?;
    // Closing the session frees the lock, whatever happened.
    conn.close().await.map_err(DbError::Connect)?;
    Ok(after
        .into_iter()
        .filter(|version| !before.contains(version))
        .collect())
}

/// Reverts the last `steps` migrations. Returns the versions that it reverted, newest first.
///
/// # Errors
/// The database is away, or a migration cannot be reverted (nothing of it is then).
pub async fn down(url: &str, steps: usize) -> Result<Vec<i64>, DbError> {
    let mut conn = open(url).await?;
    Migrate::lock(&mut conn).await?;
    Migrate::ensure_migrations_table(&mut conn, TABLE).await?;
    let mut reverted = applied(&mut conn).await?;
    reverted.reverse();
    let target = reverted.get(steps).copied().unwrap_or(0);
    reverted.truncate(steps);
    if steps > 0 {
        MIGRATOR.undo(&mut conn, target).await?;
    }
    conn.close().await.map_err(DbError::Connect)?;
    Ok(reverted)
}

/// Returns every migration that this program or the database knows, in order.
///
/// # Errors
/// The database is away.
pub async fn status(url: &str) -> Result<Vec<MigrationStatus>, DbError> {
    let mut conn = open(url).await?;
    let mut all: BTreeMap<i64, MigrationStatus> = MIGRATOR
        .iter()
        .filter(|m| m.migration_type.is_up_migration())
        .map(|m| (m.version, pending(m.version, &m.description)))
        .collect();
    for row in recorded(&mut conn).await? {
        let ours = MIGRATOR
            .iter()
            .find(|m| m.version == row.version && m.migration_type.is_up_migration());
        let status = all
            .entry(row.version)
            .or_insert_with(|| pending(row.version, &row.description));
        status.applied_at = Some(row.installed_on);
        status.state = match ours {
            _ if !row.success => MigrationState::Unfinished,
            None => MigrationState::Unknown,
            Some(ours) if *ours.checksum != *row.checksum => MigrationState::Changed,
            Some(_) => MigrationState::Applied,
        };
    }
    conn.close().await.map_err(DbError::Connect)?;
    Ok(all.into_values().collect())
}

/// Checks that the schema is exactly the one that this program was built for.
///
/// # Errors
/// It is not, with what differs; or the database is away.
pub async fn verify(url: &str) -> Result<(), VerifyError> {
    let mut all = status(url).await?;
    all.retain(|m| m.state != MigrationState::Applied);
    if all.is_empty() {
        Ok(())
    } else {
        Err(VerifyError::Differs(all))
    }
}

/// Checks that this program can run on the schema: everything that it knows is applied, unchanged. Migrations of a
/// newer program do not matter: they keep what the former program needs until no process of it runs any more.
///
/// # Errors
/// Something is pending, changed or unfinished; or the database is away.
pub async fn usable(url: &str) -> Result<(), VerifyError> {
    let mut all = status(url).await?;
    all.retain(|m| !matches!(m.state, MigrationState::Applied | MigrationState::Unknown));
    if all.is_empty() {
        Ok(())
    } else {
        Err(VerifyError::Differs(all))
    }
}

/// Names the set of migrations that is compiled in: the same text, the same name.
#[cfg(feature = "test")]
pub(crate) fn fingerprint() -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for migration in MIGRATOR.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&*migration.checksum);
    }
    hex::encode(&hash.finalize()[..6])
}

fn pending(version: i64, description: &str) -> MigrationStatus {
    MigrationStatus {
        version,
        description: description.to_owned(),
        state: MigrationState::Pending,
        applied_at: None,
    }
}

async fn open(url: &str) -> Result<PgConnection, DbError> {
    // Pinned: for a user named `ck8s` the default path changes with the schema `ck8s`, and with it where sqlx's own
    // table is.
    let options = parse(url)?.application_name("ck8s_migrate").options([
        ("search_path", "public"),
        ("client_min_messages", "warning"),
    ]);
    options.connect().await.map_err(DbError::Connect)
}

async fn applied(conn: &mut PgConnection) -> Result<Vec<i64>, MigrateError> {
    let applied = conn.list_applied_migrations(TABLE).await?;
    Ok(applied.into_iter().map(|m| m.version).collect())
}

struct MigrationRow {
    version: i64,
    description: String,
    installed_on: OffsetDateTime,
    success: bool,
    checksum: Vec<u8>,
}

/// Returns what was applied to the database; nothing if it was never migrated.
async fn recorded(conn: &mut PgConnection) -> Result<Vec<MigrationRow>, DbError> {
    let known = sqlx::query_scalar!("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if known != Some(true) {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as!(
        MigrationRow,
        "SELECT version, description, installed_on, success, checksum FROM _sqlx_migrations ORDER BY version"
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
