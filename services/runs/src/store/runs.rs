//! `runs.runs`: reading runs.
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RequestId, RunId, RunState};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{RunsError, domain::Run};

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
            slot: r.slot,
            worker: r.worker_id,
            exit_code: r.exit_code,
            workload: r.workload,
            retry_of: r.retry_of.map(RunId::from),
            created_at: r.created_at,
            started_at: r.started_at,
            finished_at: r.finished_at,
        })
    }
}

/// These runs, in no order; one that does not exist is missing.
pub async fn get_many(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Run>, RunsError> {
    sqlx::query_as!(
        Row,
        r#"SELECT r.id AS "id!", r.project_id AS "project_id!", r.repository_id, r.repository_name AS "repository_name!", r.delivery_id,
               r.state AS "state!", r.reason, r.message AS "message!", r.trigger::text AS "trigger!", r.spec::text AS "spec!",
               r.attempt AS "attempt!", coalesce(l.slot, r.slot) AS slot,
               coalesce(l.worker_id, r.worker_id) AS worker_id, r.exit_code, r.workload AS "workload!", r.retry_of, r.created_at AS "created_at!", r.started_at,
               r.finished_at
           FROM runs.runs r LEFT JOIN runs.leases l ON l.run_id = ANY(ARRAY[r.id]) WHERE r.id = ANY($1)"#,
        ids
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Run::try_from)
    .collect()
}

/// One run.
pub async fn get(conn: &mut PgConnection, id: RunId) -> Result<Run, RunsError> {
    get_many(conn, &[id.uuid()])
        .await?
        .pop()
        .ok_or(RunsError::NoRun(id))
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// None: of all projects.
    pub projects: Option<Vec<ProjectId>>,
    pub repository: Option<RepositoryId>,
    /// None: all.
    pub states: Vec<RunState>,
}

/// Runs, newest first, older than `before`.
pub async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>, RunsError> {
    let states: Vec<String> = filter
        .states
        .iter()
        .map(|s| s.as_str().to_owned())
        .collect();
    let before = before.map_or(Uuid::max(), RunId::uuid);
    // A statement each, so that each has one index to follow: with an optional project in one, the plan must serve neither well.
    let ids = match filter.projects.as_deref() {
        Some([project]) => {
            sqlx::query_scalar!(
                "SELECT id FROM runs.runs WHERE project_id = $1 AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3)
                 AND (cardinality($4::text[]) = 0 OR state = ANY($4)) ORDER BY id DESC LIMIT $5",
                project.uuid(),
                before,
                filter.repository.map(|r| r.uuid()),
                &states,
                limit
            )
            .fetch_all(&mut *conn)
            .await?
        }
        Some(projects) => {
            let projects: Vec<Uuid> = projects.iter().map(|p| p.uuid()).collect();
            // The newest of each project, and of these the newest: as many rows at most as there are projects, times the page.
            sqlx::query_scalar!(
                r#"SELECT r.id AS "id!" FROM unnest($1::uuid[]) AS p (id) CROSS JOIN LATERAL (
                       SELECT id FROM runs.runs WHERE project_id = p.id AND id < $2 AND ($3::uuid IS NULL OR repository_id = $3)
                       AND (cardinality($4::text[]) = 0 OR state = ANY($4)) ORDER BY id DESC LIMIT $5
                   ) AS r ORDER BY r.id DESC LIMIT $5"#,
                &projects,
                before,
                filter.repository.map(|r| r.uuid()),
                &states,
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
                filter.repository.map(|r| r.uuid()),
                &states,
                limit
            )
            .fetch_all(&mut *conn)
            .await?
        }
    };
    let mut runs = get_many(conn, &ids).await?;
    runs.sort_by_key(|r| std::cmp::Reverse(r.id));
    Ok(runs)
}

/// Takes a request id for a run that is about to be made or changed. Some: the request was answered before, with this run.
pub async fn take_request(
    conn: &mut PgConnection,
    request: RequestId,
    method: &str,
    run: RunId,
) -> sqlx::Result<Option<RunId>> {
    let taken = sqlx::query!(
        "INSERT INTO runs.requests (request_id, method, run_id) VALUES ($1, $2, $3) ON CONFLICT (request_id) DO NOTHING",
        request.uuid(),
        method,
        run.uuid()
    )
    .execute(&mut *conn)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    sqlx::query_scalar!(
        "SELECT run_id FROM runs.requests WHERE request_id = $1",
        request.uuid()
    )
    .fetch_one(conn)
    .await
    .map(|id| Some(RunId::from(id)))
}

/// Whether a run lives, and in which project; none: it has ended, or there is none.
pub async fn alive(conn: &mut PgConnection, id: RunId) -> sqlx::Result<Option<ProjectId>> {
    sqlx::query_scalar!(
        "SELECT project_id FROM runs.runs WHERE id = $1 AND state IN ('pending', 'running')",
        id.uuid()
    )
    .fetch_optional(conn)
    .await
    .map(|p| p.map(ProjectId::from))
}

/// Of these, the runs that have ended and hold no lease; also those that were never made or are long gone.
pub async fn sweepable(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"SELECT i.id AS "id!" FROM unnest($1::uuid[]) AS i(id)
           WHERE NOT EXISTS (SELECT FROM runs.runs r WHERE r.id = i.id AND r.state IN ('pending', 'running'))
           AND NOT EXISTS (SELECT FROM runs.leases l WHERE l.run_id = i.id)"#,
        ids
    )
    .fetch_all(conn)
    .await
}
