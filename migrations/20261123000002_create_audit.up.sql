-- What happened, in order, for good. (xact, seq) is the order for readers: a row is visible to them once every transaction
-- with a lower xact has ended, so a cursor skips nothing that commits later.
CREATE TABLE audit.flow_events (
    xact bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
    project_id uuid,
    run_id uuid,
    actor text NOT NULL,
    message text NOT NULL DEFAULT '',
    data json,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (xact, seq, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE TABLE audit.flow_events_default PARTITION OF audit.flow_events DEFAULT;
CREATE INDEX flow_events_run ON audit.flow_events (run_id, xact, seq) WHERE run_id IS NOT NULL;
COMMENT ON TABLE audit.flow_events IS 'Append-only: services hold INSERT and SELECT, a trigger refuses the rest.';

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit.flow_events is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER flow_events_append_only BEFORE UPDATE OR DELETE ON audit.flow_events
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER flow_events_no_truncate BEFORE TRUNCATE ON audit.flow_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

GRANT INSERT, SELECT ON audit.flow_events TO ck8s_auth, ck8s_repositories, ck8s_ingress, ck8s_runs;
INSERT INTO ck8s.partitioned VALUES ('audit.flow_events', 'time', interval '13 months');
SELECT ck8s.ensure_partitions(2);
