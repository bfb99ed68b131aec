//! Flow events in their order: by (xact, seq), and only below the oldest transaction that still writes, so that no
//! event becomes visible before a place that a reader has passed.
use ck8s_types::{EventKind, ProjectId, RunId};
use sqlx::PgConnection;

use crate::domain::{Cluster, Clusters, EventCursor, EventRecord};

/// Returns the place up to which every event is visible now.
pub(crate) async fn horizon(conn: &mut PgConnection) -> sqlx::Result<EventCursor> {
    sqlx::query_scalar!(
        r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1
               + (SELECT xact_offset FROM audit.clusters ORDER BY number DESC LIMIT 1) AS "xact!""#
    )
    .fetch_one(conn)
    .await
    .map(|xact| EventCursor(xact, i64::MAX))
}

/// Returns the clusters in which this database has lived.
pub(crate) async fn clusters(conn: &mut PgConnection) -> sqlx::Result<Clusters> {
    let rows = sqlx::query!("SELECT id, first_xact FROM audit.clusters ORDER BY number")
        .fetch_all(conn)
        .await?;
    let clusters = rows.into_iter().map(|r| Cluster {
        id: r.id,
        first_xact: r.first_xact,
    });
    Ok(Clusters::new(clusters.collect()))
}

macro_rules! events {
    ($conn:expr, $rest:literal $(, $arg:expr)*) => {
        sqlx::query!(
            r#"SELECT xact, seq, kind, project_id, run_id, actor, message, coalesce(data::text, '') AS "data!", recorded_at
               FROM audit.flow_events WHERE "# + $rest $(, $arg)*
        )
        .fetch_all($conn)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|r| EventRecord {
                    cursor: EventCursor(r.xact, r.seq),
                    kind: r.kind,
                    project: r.project_id.map(ProjectId::from),
                    run: r.run_id.map(RunId::from),
                    actor: r.actor,
                    message: r.message,
                    data: r.data,
                    recorded_at: r.recorded_at,
                })
                .collect::<Vec<EventRecord>>()
        })
    };
}

/// Returns the events after one place, up to another, oldest first.
pub(crate) async fn between(
    conn: &mut PgConnection,
    after: EventCursor,
    to: EventCursor,
    limit: i64,
) -> sqlx::Result<Vec<EventRecord>> {
    events!(
        conn,
        "(xact, seq) > ($1, $2) AND (xact, seq) <= ($3, $4) ORDER BY xact, seq LIMIT $5",
        after.0,
        after.1,
        to.0,
        to.1,
        limit
    )
}

/// Returns the events of one run after a place, oldest first.
pub(crate) async fn of_run(
    conn: &mut PgConnection,
    run: RunId,
    after: EventCursor,
    limit: i64,
) -> sqlx::Result<Vec<EventRecord>> {
    events!(
        conn,
        "run_id = $1 AND (xact, seq) > ($2, $3) ORDER BY xact, seq LIMIT $4",
        run.uuid(),
        after.0,
        after.1,
        limit
    )
}

/// Returns the message of the last event of a kind about an attempt of a run.
pub(crate) async fn last_of_run(
    conn: &mut PgConnection,
    run: RunId,
    kind: EventKind,
    attempt: i32,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "SELECT message FROM audit.flow_events WHERE run_id = $1 AND kind = $2 AND (data->>'attempt')::int = $3
         ORDER BY xact DESC, seq DESC LIMIT 1",
        run.uuid(),
        kind.as_str(),
        attempt
    )
    .fetch_optional(conn)
    .await
}

/// Whether events after this place are all still kept: it lies no further back than the oldest event, or that one is so
/// young that nothing was ever dropped (events are kept for 13 months). A place may lie before the first event of all:
/// a horizon waits for every transaction of the whole server.
pub(crate) async fn is_kept(conn: &mut PgConnection, cursor: EventCursor) -> sqlx::Result<bool> {
    let oldest = sqlx::query!(
        r#"SELECT xact, recorded_at > now() - interval '12 months' AS "young!" FROM audit.flow_events ORDER BY xact, seq LIMIT 1"#
    )
    .fetch_optional(conn)
    .await?;
    Ok(oldest.is_none_or(|oldest| oldest.young || cursor.0 + 1 >= oldest.xact))
}
