//! Slots: as many as a project may have; one without a live lease is free.
use ck8s_types::ProjectId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A slot and who holds it.
#[derive(Clone, Debug)]
pub struct SlotRow {
    pub project: ProjectId,
    pub number: i32,
    pub lease: Option<SlotLease>,
}

/// The lease on a slot.
#[derive(Clone, Debug)]
pub struct SlotLease {
    pub run: Uuid,
    pub worker: Option<String>,
    pub epoch: i64,
    pub releasing: bool,
    pub leased_at: OffsetDateTime,
    pub lease_until: Option<OffsetDateTime>,
    /// When its run must have started or ended.
    pub deadline: OffsetDateTime,
}

/// The slots of these projects, after (project, number). A slot above the number that is set is listed while it is leased.
pub async fn list(
    conn: &mut PgConnection,
    projects: &[Uuid],
    default_slots: i32,
    after: (Uuid, i32),
    limit: i64,
) -> sqlx::Result<Vec<SlotRow>> {
    let rows = sqlx::query!(
        r#"
        WITH slot AS (
            SELECT p.id AS project_id, n AS number
            FROM unnest($1::uuid[]) AS p(id) LEFT JOIN runs.project_slots s ON s.project_id = p.id
            CROSS JOIN LATERAL generate_series(1, coalesce(s.slots, $2)) AS n
            UNION
            SELECT project_id, slot FROM runs.leases WHERE project_id = ANY($1)
        )
        SELECT s.project_id AS "project_id!", s.number AS "number!", l.run_id AS "run_id?", l.worker_id AS "worker_id?",
            l.epoch AS "epoch?", l.state AS "state?", l.leased_at AS "leased_at?", l.deadline AS "deadline?", w.lease_until AS "lease_until?"
        FROM slot s LEFT JOIN runs.leases l ON l.project_id = s.project_id AND l.slot = s.number
        LEFT JOIN runs.workers w ON w.id = l.worker_id
        WHERE (s.project_id, s.number) > ($3, $4) ORDER BY 1, 2 LIMIT $5
        "#,
        projects,
        default_slots,
        after.0,
        after.1,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| SlotRow {
            project: ProjectId::from(r.project_id),
            number: r.number,
            lease: match (r.run_id, r.epoch, r.leased_at, r.deadline) {
                (Some(run), Some(epoch), Some(leased_at), Some(deadline)) => Some(SlotLease {
                    run,
                    worker: r.worker_id,
                    epoch,
                    releasing: r.state.as_deref() == Some("releasing"),
                    leased_at,
                    lease_until: r.lease_until,
                    deadline,
                }),
                _ => None,
            },
        })
        .collect())
}

/// Sets how many slots a project has.
pub async fn set(conn: &mut PgConnection, project: ProjectId, slots: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO runs.project_slots (project_id, slots) VALUES ($1, $2) ON CONFLICT (project_id) DO UPDATE SET slots = excluded.slots",
        project.uuid(),
        slots
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many slots a project has.
pub async fn count(
    conn: &mut PgConnection,
    project: ProjectId,
    default_slots: i32,
) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "SELECT slots FROM runs.project_slots WHERE project_id = $1",
        project.uuid()
    )
    .fetch_optional(conn)
    .await
    .map(|s| s.unwrap_or(default_slots))
}

/// How many slots projects have, and which are free.
pub async fn free(
    conn: &mut PgConnection,
    projects: &[Uuid],
    default_slots: i32,
) -> sqlx::Result<Vec<(ProjectId, i32, Vec<i32>)>> {
    let rows = sqlx::query!(
        r#"SELECT p.id AS "project_id!", coalesce(ps.slots, $2) AS "count!", ARRAY(
               SELECT generate_series(1, coalesce(ps.slots, $2)) EXCEPT SELECT l.slot FROM runs.leases l WHERE l.project_id = p.id
           ) AS "free!"
           FROM unnest($1::uuid[]) AS p(id) LEFT JOIN runs.project_slots ps ON ps.project_id = p.id"#,
        projects,
        default_slots
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| (ProjectId::from(r.project_id), r.count, r.free))
        .collect())
}
