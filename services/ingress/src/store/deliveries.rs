//! Deliveries one by one and in pages: for people, for repair, for replay.
use std::{fmt, str::FromStr};

use ck8s_rpc::access::Scope;
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId, UnknownWord};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// What became of a delivery; the words of the schema.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum State {
    Received,
    RunCreated,
    Ignored,
    Failed,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [
        Self::Received,
        Self::RunCreated,
        Self::Ignored,
        Self::Failed,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::RunCreated => "run_created",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord {
            set: "delivery state",
            word: word.to_owned(),
        };
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(unknown)
    }
}

/// A delivery without its payload.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: DeliveryId,
    pub(crate) provider: String,
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) action: String,
    pub(crate) sender: String,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) repository_id: Option<RepositoryId>,
    pub(crate) state: State,
    pub(crate) reason: String,
    pub(crate) run_id: Option<RunId>,
    pub(crate) received_at: OffsetDateTime,
    pub(crate) handled_at: Option<OffsetDateTime>,
    pub(crate) size_bytes: i64,
}

/// The columns of a [`Delivery`] as they lie in the table.
struct Row {
    id: Uuid,
    provider: String,
    delivery_key: String,
    event: String,
    action: String,
    sender: String,
    project_id: Option<Uuid>,
    repository_id: Option<Uuid>,
    state: String,
    reason: String,
    run_id: Option<Uuid>,
    received_at: OffsetDateTime,
    handled_at: Option<OffsetDateTime>,
    size_bytes: i32,
}

impl TryFrom<Row> for Delivery {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id.into(),
            provider: row.provider,
            key: row.delivery_key,
            event: row.event,
            action: row.action,
            sender: row.sender,
            project_id: row.project_id.map(ProjectId::from),
            repository_id: row.repository_id.map(RepositoryId::from),
            state: row
                .state
                .parse()
                .map_err(|e: UnknownWord| sqlx::Error::Decode(e.into()))?,
            reason: row.reason,
            run_id: row.run_id.map(RunId::from),
            received_at: row.received_at,
            handled_at: row.handled_at,
            size_bytes: row.size_bytes.into(),
        })
    }
}

/// One delivery.
pub(crate) async fn get(conn: &mut PgConnection, id: DeliveryId) -> sqlx::Result<Option<Delivery>> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
         FROM ingress.inbox WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?
    .map(Delivery::try_from)
    .transpose()
}

/// The raw body of a delivery, still compressed.
pub(crate) async fn payload(
    conn: &mut PgConnection,
    id: DeliveryId,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT payload FROM ingress.deliveries WHERE id = $1",
        id.uuid()
    )
    .fetch_optional(conn)
    .await
}

/// Our id of the delivery with this provider's id.
pub(crate) async fn id_of_key(
    conn: &mut PgConnection,
    key: &str,
) -> sqlx::Result<Option<DeliveryId>> {
    let id = sqlx::query_scalar!(
        "SELECT delivery_id FROM ingress.delivery_keys WHERE provider = 'github' AND delivery_key = $1",
        key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(DeliveryId::from))
}

/// Which deliveries a page shows.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) scope: Scope,
    pub(crate) repository_id: Option<RepositoryId>,
    pub(crate) state: Option<State>,
}

/// A page, newest first, of those before a key; none: from the newest on.
pub(crate) async fn page(
    conn: &mut PgConnection,
    filter: Filter,
    before: Option<DeliveryId>,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let before = before.map_or(Uuid::max(), DeliveryId::uuid);
    let repository = filter.repository_id.map(RepositoryId::uuid);
    let state = filter.state.map(State::as_str);
    // A statement each, so that each has the plan of its index.
    let rows = match &filter.scope {
        Scope::Projects(projects) => match projects.as_slice() {
            [project] => {
                sqlx::query_as!(
                    Row,
                    r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
             FROM ingress.inbox
             WHERE project_id = $1 AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3) AND ($4::text IS NULL OR state = $4)
             ORDER BY id DESC LIMIT $5"#,
                    project.uuid(),
                    before,
                    repository,
                    state,
                    limit,
                )
                .fetch_all(conn)
                .await?
            }
            projects => {
                let projects: Vec<Uuid> = projects.iter().map(|p| p.uuid()).collect();
                // The newest of each project, and of these the newest.
                sqlx::query_as!(
                    Row,
                    r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
             FROM unnest($1::uuid[]) AS p (of) CROSS JOIN LATERAL (
                SELECT * FROM ingress.inbox
                WHERE project_id = p.of AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3) AND ($4::text IS NULL OR state = $4)
                ORDER BY id DESC LIMIT $5
             ) AS d
             ORDER BY id DESC LIMIT $5"#,
                    &projects,
                    before,
                    repository,
                    state,
                    limit,
                )
                .fetch_all(conn)
                .await?
            }
        },
        every => {
            sqlx::query_as!(
                Row,
                r#"SELECT id AS "id!", provider AS "provider!", delivery_key AS "delivery_key!", event AS "event!", action AS "action!",
            sender AS "sender!", project_id, repository_id, state AS "state!", reason AS "reason!", run_id, received_at AS "received_at!",
            handled_at, size_bytes AS "size_bytes!"
             FROM ingress.inbox
             WHERE id < $1 AND ($2::uuid IS NULL OR repository_id = $2) AND ($3::text IS NULL OR state = $3)
               AND ($5 OR project_id IS NOT NULL)
             ORDER BY id DESC LIMIT $4"#,
                before,
                repository,
                state,
                limit,
                *every == Scope::All,
            )
            .fetch_all(conn)
            .await?
        }
    };
    rows.into_iter().map(Delivery::try_from).collect()
}

/// A delivery that waits to be handled, with its compressed body.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) id: DeliveryId,
    pub(crate) event: String,
    pub(crate) repository_id: Option<RepositoryId>,
    pub(crate) payload: Vec<u8>,
}

/// Ids of deliveries that wait and may be tried, in order, after one key and before another.
pub(crate) async fn waiting_ids(
    conn: &mut PgConnection,
    after: DeliveryId,
    before: DeliveryId,
    limit: i64,
) -> sqlx::Result<Vec<DeliveryId>> {
    let ids = sqlx::query_scalar!(
        "SELECT delivery_id FROM ingress.waiting
         WHERE delivery_id > $1 AND delivery_id < $2 AND (not_before IS NULL OR not_before < now())
         ORDER BY delivery_id LIMIT $3",
        after.uuid(),
        before.uuid(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(DeliveryId::from).collect())
}

/// Those of these that wait, with their bodies, in order: as many as `bytes` of bodies allow, at least one.
pub(crate) async fn waiting(
    conn: &mut PgConnection,
    ids: &[DeliveryId],
    bytes: i64,
) -> sqlx::Result<Vec<Waiting>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", event AS "event!", repository_id, payload AS "payload!"
         FROM (
            SELECT id, event, repository_id, payload, size_bytes, sum(size_bytes) OVER (ORDER BY id) AS so_far
            FROM ingress.deliveries JOIN ingress.waiting ON delivery_id = id WHERE id = ANY ($1)
         ) AS w
         WHERE so_far <= $2 OR so_far = size_bytes
         ORDER BY id"#,
        &ids,
        bytes,
    )
    .fetch_all(conn)
    .await?;
    let waiting = rows.into_iter().map(|row| Waiting {
        id: row.id.into(),
        event: row.event,
        repository_id: row.repository_id.map(RepositoryId::from),
        payload: row.payload,
    });
    Ok(waiting.collect())
}

/// A delivery that was ignored or failed waits again. False: it was neither, or it waits.
pub(crate) async fn reopen(conn: &mut PgConnection, id: DeliveryId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO ingress.waiting (delivery_id)
         SELECT id FROM ingress.deliveries WHERE id = $1 AND state IN ('ignored', 'failed') ON CONFLICT DO NOTHING",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
