//! Runs, as they are read.
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId, RunState, Slot};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::decode::worker_id;
use crate::{
    domain::{Run, RunFilter},
    error::RunsError,
};

struct Row {
    id: Uuid,
    project_id: Uuid,
    repository_id: Option<Uuid>,
    repository_name: String,
    delivery_id: Option<Uuid>,
    state: String,
    reason: Option<String>,
    message: String,
    trigger: String,
    spec: String,
    attempt: i32,
    slot: Option<i32>,
    worker_id: Option<String>,
    exit_code: Option<i32>,
    workload: String,
    retry_of: Option<Uuid>,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Run {
    type Error = RunsError;
    fn try_from(r: Row) -> Result<Self, RunsError> {
        Ok(Self {
            id: RunId::from(r.id),
            project: ProjectId::from(r.project_id),
            repository: r.repository_id.map(RepositoryId::from),
            repository_name: r.repository_name,
            delivery: r.delivery_id.map(DeliveryId::from),
            state: r.state.parse()?,
            reason: r.reason.map(|w| w.parse()).transpose()?,
            message: r.message,
            trigger: serde_json::from_str(&r.trigger)?,
            spec: serde_json::from_str(&r.spec)?,
            attempt: r.attempt,
            slot: r.slot.map(Slot::from),
            worker: r.worker_id.map(worker_id).transpose()?,
            exit_code: r.exit_code,
            workload: r.workload,
            retry_of: r.retry_of.map(RunId::from),
            created_at: r.created_at,
            started_at: r.started_at,
            finished_at: r.finished_at,
        })
    }
}

/// Returns these runs, in no order; one that does not exist is missing.
pub(crate) async fn get_many(
    conn: &mut PgConnection,
    ids: impl IntoIterator<Item = RunId>,
) -> Result<Vec<Run>, RunsError> {
    let ids: Vec<Uuid> = ids.into_iter().map(RunId::uuid).collect();
    sqlx::query_as!(
        Row,
        r#"SELECT r.id AS "id!", r.project_id AS "project_id!", r.repository_id, r.repository_name AS "repository_name!", r.delivery_id,
               r.state AS "state!", r.reason, r.message AS "message!", r.trigger::text AS "trigger!", r.spec::text AS "spec!",
               r.attempt AS "attempt!", coalesce(l.slot, r.slot) AS slot,
               coalesce(l.worker_id, r.worker_id) AS worker_id, r.exit_code, r.workload AS "workload!", r.retry_of, r.created_at AS "created_at!", r.started_at,
               r.finished_at
           FROM runs.runs r LEFT JOIN runs.leases l ON l.run_id = ANY(ARRAY[r.id]) WHERE r.id = ANY($1)"#,
        &ids
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Run::try_from)
    .collect()
}

/// Returns one run.
pub(crate) async fn get(conn: &mut PgConnection, id: RunId) -> Result<Run, RunsError> {
    get_many(conn, [id])
        .await?
        .pop()
        .ok_or(RunsError::NoRun(id))
}

/// Returns runs, newest first, older than `before`. With states, name the projects: the index of states begins
/// with them.
pub(crate) async fn list(
    conn: &mut PgConnection,
    filter: &RunFilter,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>, RunsError> {
    if filter.projects.is_some() && !filter.states.is_empty() {
        return list_by_state(conn, filter, before, limit).await;
    }
    let before = before.map_or(Uuid::max(), RunId::uuid);
    let repository = filter.repository.map(|r| r.uuid());
    let projects = filter.projects.as_deref();
    let projects = projects.map(|all| all.iter().map(|p| p.uuid()).collect::<Vec<Uuid>>());
    // A statement each, so that each has one index to follow: with an optional project in one, the plan must serve
    // neither well. Of several projects, the newest of each are read, and of these the newest.
    let ids = match projects.as_deref() {
        Some([project]) => {
            sqlx::query_scalar!(
                "SELECT id FROM runs.runs WHERE project_id = $1 AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3)
                 ORDER BY id DESC LIMIT $4",
                project,
                before,
                repository,
                limit
            )
            .fetch_all(&mut *conn)
            .await?
        }
        Some(projects) => {
            sqlx::query_scalar!(
                r#"SELECT r.id AS "id!" FROM unnest($1::uuid[]) AS p (id) CROSS JOIN LATERAL (
                       SELECT id FROM runs.runs WHERE project_id = p.id AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3)
                       ORDER BY id DESC LIMIT $4
                   ) AS r ORDER BY r.id DESC LIMIT $4"#,
                projects,
                before,
                repository,
                limit
            )
            .fetch_all(&mut *conn)
            .await?
        }
        None => {
            sqlx::query_scalar!(
                "SELECT id FROM runs.runs WHERE id < $1 AND ($2::uuid IS NULL OR repository_id = $2)
                 AND (cardinality($3::text[]) = 0 OR state = ANY($3)) ORDER BY id DESC LIMIT $4",
                before,
                repository,
                &words(&filter.states) as &[&str],
                limit
            )
            .fetch_all(&mut *conn)
            .await?
        }
    };
    newest_first(conn, ids.into_iter().map(RunId::from)).await
}

/// Returns runs in these states: of each project and class of states the newest, and of these the newest.
async fn list_by_state(
    conn: &mut PgConnection,
    filter: &RunFilter,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>, RunsError> {
    let projects = filter.projects.iter().flatten();
    let projects: Vec<Uuid> = projects.map(|p| p.uuid()).collect();
    let mut classes: Vec<i16> = filter.states.iter().copied().map(list_class).collect();
    classes.sort_unstable();
    classes.dedup();
    let ids = sqlx::query_scalar!(
        r#"SELECT r.id AS "id!" FROM unnest($1::uuid[]) AS p (id) CROSS JOIN unnest($6::smallint[]) AS c (class) CROSS JOIN LATERAL (
               SELECT id FROM runs.runs WHERE project_id = p.id AND runs.list_class(reason) = c.class AND id < $2
               AND ($3::uuid IS NULL OR repository_id = $3) AND state = ANY($4) ORDER BY id DESC LIMIT $5
           ) AS r ORDER BY r.id DESC LIMIT $5"#,
        &projects,
        before.map_or(Uuid::max(), RunId::uuid),
        filter.repository.map(|r| r.uuid()),
        &words(&filter.states) as &[&str],
        limit,
        &classes
    )
    .fetch_all(&mut *conn)
    .await?;
    newest_first(conn, ids.into_iter().map(RunId::from)).await
}

async fn newest_first(
    conn: &mut PgConnection,
    ids: impl IntoIterator<Item = RunId>,
) -> Result<Vec<Run>, RunsError> {
    let mut runs = get_many(conn, ids).await?;
    runs.sort_by_key(|r| std::cmp::Reverse(r.id));
    Ok(runs)
}

fn words(states: &[RunState]) -> Vec<&'static str> {
    states.iter().map(|state| state.as_str()).collect()
}

/// The class of a state in the index of lists, as the function `runs.list_class` has it.
fn list_class(state: RunState) -> i16 {
    match state {
        RunState::Pending | RunState::Running => 0,
        RunState::Succeeded => 1,
        RunState::Failed => 2,
        RunState::Canceled => 3,
    }
}

/// Returns the project of a run that has not ended. None: it has ended, or there is none.
pub(crate) async fn project_if_alive(
    conn: &mut PgConnection,
    id: RunId,
) -> sqlx::Result<Option<ProjectId>> {
    sqlx::query_scalar!(
        "SELECT project_id FROM runs.runs WHERE id = $1 AND state IN ('pending', 'running')",
        id.uuid()
    )
    .fetch_optional(conn)
    .await
    .map(|p| p.map(ProjectId::from))
}

/// Returns which of these runs have ended and hold no lease; also those that were never made or are long gone.
pub(crate) async fn sweepable(conn: &mut PgConnection, ids: &[RunId]) -> sqlx::Result<Vec<RunId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar!(
        r#"SELECT i.id AS "id!" FROM unnest($1::uuid[]) AS i(id)
           WHERE NOT EXISTS (SELECT FROM runs.runs r WHERE r.id = i.id AND r.state IN ('pending', 'running'))
           AND NOT EXISTS (SELECT FROM runs.leases l WHERE l.run_id = i.id)"#,
        &ids
    )
    .fetch_all(conn)
    .await
    .map(|ids| ids.into_iter().map(RunId::from).collect())
}
