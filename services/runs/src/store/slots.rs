//! Slots: a project has a number of them; a slot without a live lease is free.
use std::time::Duration;

use ck8s_types::{ProjectId, Slot};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decode::{lease_ref, worker_id};
use crate::domain::{ExecutorDomain, HeldSlot, ProjectSlots, SlotLease, SlotStatus};

/// Returns the slots of these projects in their order, after one of them. A slot above the number that is set is listed
/// while it is leased.
pub(crate) async fn list(
    conn: &mut PgConnection,
    projects: &[ProjectId],
    default_slots: i32,
    after: Option<(ProjectId, Slot)>,
    limit: i64,
) -> sqlx::Result<Vec<SlotStatus>> {
    let (after_project, after_slot) =
        after.map_or((Uuid::nil(), 0), |(p, slot)| (p.uuid(), slot.number()));
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
        &projects.iter().map(|p| p.uuid()).collect::<Vec<_>>(),
        default_slots,
        after_project,
        after_slot,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|r| {
            let lease = match (r.run_id, r.epoch, r.leased_at, r.deadline) {
                (Some(run), Some(epoch), Some(leased_at), Some(deadline)) => Some(SlotLease {
                    lease: lease_ref(run, epoch),
                    worker: r.worker_id.map(worker_id).transpose()?,
                    is_releasing: r.state.as_deref() == Some("releasing"),
                    leased_at,
                    lease_until: r.lease_until,
                    deadline,
                }),
                _ => None,
            };
            Ok(SlotStatus {
                project: ProjectId::from(r.project_id),
                slot: Slot::from(r.number),
                lease,
            })
        })
        .collect()
}

/// Sets how many slots a project has.
pub(crate) async fn set(
    conn: &mut PgConnection,
    project: ProjectId,
    slots: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO runs.project_slots (project_id, slots) VALUES ($1, $2) ON CONFLICT (project_id) DO UPDATE SET slots = excluded.slots",
        project.uuid(),
        slots
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Returns how many slots a project has.
pub(crate) async fn count(
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

/// Returns which of these projects have another number of slots than this.
pub(crate) async fn differing(
    conn: &mut PgConnection,
    counts: &[(ProjectId, i32)],
    default_slots: i32,
) -> sqlx::Result<Vec<ProjectId>> {
    let (projects, counts): (Vec<Uuid>, Vec<i32>) = counts
        .iter()
        .map(|(project, count)| (project.uuid(), *count))
        .unzip();
    sqlx::query_scalar!(
        r#"SELECT i.project_id AS "project_id!" FROM unnest($1::uuid[], $2::int[]) AS i(project_id, count)
           WHERE i.count <> coalesce((SELECT s.slots FROM runs.project_slots s WHERE s.project_id = i.project_id), $3)"#,
        &projects,
        &counts,
        default_slots
    )
    .fetch_all(conn)
    .await
    .map(|rows| rows.into_iter().map(ProjectId::from).collect())
}

/// Returns how many slots projects have, and which of them are free.
pub(crate) async fn free(
    conn: &mut PgConnection,
    projects: &[ProjectId],
    default_slots: i32,
) -> sqlx::Result<Vec<ProjectSlots>> {
    let rows = sqlx::query!(
        r#"SELECT p.id AS "project_id!", coalesce(ps.slots, $2) AS "count!", ARRAY(
               SELECT generate_series(1, coalesce(ps.slots, $2)) EXCEPT SELECT l.slot FROM runs.leases l WHERE l.project_id = p.id
           ) AS "free!"
           FROM unnest($1::uuid[]) AS p(id) LEFT JOIN runs.project_slots ps ON ps.project_id = p.id"#,
        &projects.iter().map(|p| p.uuid()).collect::<Vec<_>>(),
        default_slots
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| ProjectSlots {
            project: ProjectId::from(r.project_id),
            count: r.count,
            free: r.free.into_iter().map(Slot::from).collect(),
        })
        .collect())
}

/// Returns the lease on a slot, and locks it for the rest of the transaction. None: the slot is free.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    project: ProjectId,
    slot: Slot,
) -> sqlx::Result<Option<HeldSlot>> {
    let row = sqlx::query!(
        r#"SELECT run_id, epoch, worker_id, state = 'releasing' AS "is_releasing!", executor_domain,
               coalesce(extract(epoch FROM now() - orphaned_at), 0)::float8 AS "orphaned_for!"
           FROM runs.leases WHERE project_id = $1 AND slot = $2 FOR UPDATE"#,
        project.uuid(),
        slot.number()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|r| {
        Ok(HeldSlot {
            lease: lease_ref(r.run_id, r.epoch),
            worker: r.worker_id.map(worker_id).transpose()?,
            is_releasing: r.is_releasing,
            domain: ExecutorDomain::from(r.executor_domain),
            orphaned_for: Duration::try_from_secs_f64(r.orphaned_for).unwrap_or_default(),
        })
    })
    .transpose()
}

/// Ends the lease on a slot that was locked: the slot is free. Returns the concurrency group that it held.
pub(crate) async fn free_locked(
    conn: &mut PgConnection,
    held: &HeldSlot,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "DELETE FROM runs.leases WHERE run_id = $1 AND epoch = $2 RETURNING concurrency_group",
        held.lease.run_id.uuid(),
        held.lease.epoch.0
    )
    .fetch_optional(conn)
    .await
    .map(Option::flatten)
}
