//! Changes at a provider that are under way. A row is written before the first step and removed with the last; whoever takes the
//! steps holds the repository's lock, on a connection of its own that the lock goes with. A row that nobody holds was left by a crash.
use ck8s_db::Lock;
use sqlx::{PgConnection, PgPool};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The repository is added: undone, if it stops.
    Add,
    /// It is removed: ended, if it stops.
    Remove,
    /// Its webhook secret is replaced: ended, if it stops.
    Rotate,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Rotate => "rotate",
        }
    }
}

/// That nobody else changes this repository at its provider. Dropping it lets others.
pub struct Held {
    /// The repository.
    pub repository: Uuid,
    lock: Lock,
    _room: OwnedSemaphorePermit,
}

impl Held {
    /// Keeps others also from adding what has this id at the provider; false: somebody is at it.
    pub async fn also_adding(&mut self, external_id: &str) -> sqlx::Result<bool> {
        self.lock
            .also(&format!("repositories.adding {external_id}"))
            .await
    }

    /// Lets others, at once.
    pub async fn release(self) {
        self.lock.release().await;
    }
}

/// Takes the lock of a repository; none: somebody has it. `room` bounds how many are held at once.
pub async fn hold(
    pool: &PgPool,
    room: OwnedSemaphorePermit,
    repository: Uuid,
) -> sqlx::Result<Option<Held>> {
    let lock = Lock::take(pool, &format!("repositories.works {repository}")).await?;
    Ok(lock.map(|lock| Held {
        repository,
        lock,
        _room: room,
    }))
}

/// Writes down what is about to be done, before the first step.
pub async fn begin(
    conn: &mut PgConnection,
    held: &Held,
    kind: Kind,
    hook_url: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.works (repository_id, kind, hook_url) VALUES ($1, $2, $3)",
        held.repository,
        kind.as_str(),
        hook_url
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It is done, or undone.
pub async fn end(conn: &mut PgConnection, held: &Held) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.works WHERE repository_id = $1",
        held.repository
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is under way with a repository, or was left.
pub struct Work {
    pub kind: Kind,
    /// Where hooks posted to when it was begun.
    pub hook_url: String,
}

/// What is under way with a repository, or was left.
pub async fn of(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<Option<Work>> {
    let row = sqlx::query!(
        "SELECT kind, hook_url FROM repositories.works WHERE repository_id = $1",
        repository
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Work {
        kind: match row.kind.as_str() {
            "add" => Kind::Add,
            "remove" => Kind::Remove,
            _ => Kind::Rotate,
        },
        hook_url: row.hook_url,
    }))
}

/// Repositories with which something is under way, or was left.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT repository_id FROM repositories.works ORDER BY started_at")
        .fetch_all(conn)
        .await
}
