CREATE TABLE runs.runs (
    id uuid NOT NULL,
    project_id uuid NOT NULL REFERENCES auth.projects (id),
    repository_id uuid REFERENCES repositories.repositories (id),
    repository_name text NOT NULL DEFAULT '',
    delivery_id uuid,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'canceled')),
    reason text CHECK (reason IN (
        'completed', 'no_change', 'agent_error', 'timed_out', 'unscheduled', 'start_timed_out', 'image_pull', 'oom_killed',
        'evicted', 'worker_lost', 'canceled_by_user', 'superseded', 'quota_denied', 'unschedulable', 'config_error', 'workload_lost')),
    message text NOT NULL DEFAULT '',
    trigger json NOT NULL,
    spec json NOT NULL,
    attempt integer NOT NULL DEFAULT 1,
    slot integer,
    worker_id text,
    exit_code integer,
    workload text NOT NULL DEFAULT '',
    retry_of uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (id),
    CHECK ((state IN ('pending', 'running')) = (reason IS NULL)),
    CHECK ((state IN ('pending', 'running')) = (finished_at IS NULL))
) PARTITION BY RANGE (id);
CREATE TABLE runs.runs_default PARTITION OF runs.runs DEFAULT;
CREATE INDEX runs_project ON runs.runs (project_id, id);
COMMENT ON COLUMN runs.runs.id IS 'UUIDv7. A run of a delivery has the id that follows from the delivery''s: so a delivery makes at most one.';

-- A terminal state is final, whoever asks.
CREATE FUNCTION runs.refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'run % has ended: % is final', OLD.id, OLD.state USING ERRCODE = 'check_violation', CONSTRAINT = 'runs_terminal_is_final';
END
$$;
CREATE TRIGGER runs_terminal_is_final BEFORE UPDATE OF state ON runs.runs FOR EACH ROW
    WHEN (OLD.state IN ('succeeded', 'failed', 'canceled')) EXECUTE FUNCTION runs.refuse_revival();

-- Sets of labels that runs ask for. A lane, one project's runs in one pool, is what is claimed from.
CREATE TABLE runs.pools (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    labels text[] NOT NULL CONSTRAINT pools_labels_key UNIQUE
);

-- The runs that wait: narrow, and only they. A row leaves when its run is leased or ends.
CREATE TABLE runs.queue (
    run_id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    pool_id integer NOT NULL,
    rank smallint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    ready boolean NOT NULL DEFAULT true,
    concurrency_group text,
    attempt integer NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 1,
    enqueued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_ready ON runs.queue (project_id, pool_id, rank, seq) WHERE ready;
CREATE INDEX queue_group ON runs.queue (project_id, concurrency_group, seq) WHERE concurrency_group IS NOT NULL;
CREATE INDEX queue_expires ON runs.queue (expires_at);
COMMENT ON COLUMN runs.queue.rank IS 'The priority, negated: lower goes first.';
COMMENT ON COLUMN runs.queue.ready IS 'False while another run of its concurrency group goes first.';
COMMENT ON COLUMN runs.queue.epoch IS 'The epoch of its next lease; only grows over the life of a run.';

-- Live leases, and only they: a slot without a row is free. So a slot has at most one live lease, and so has a run.
CREATE TABLE runs.leases (
    run_id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    slot integer NOT NULL CHECK (slot > 0),
    pool_id integer NOT NULL,
    worker_id text NOT NULL,
    epoch bigint NOT NULL,
    state text NOT NULL DEFAULT 'leased' CHECK (state IN ('leased', 'releasing')),
    attempt integer NOT NULL,
    rank smallint NOT NULL,
    concurrency_group text,
    running boolean NOT NULL DEFAULT false,
    deadline timestamptz NOT NULL,
    leased_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT leases_slot_key UNIQUE (project_id, slot)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX leases_group_key ON runs.leases (project_id, concurrency_group) WHERE concurrency_group IS NOT NULL;
CREATE INDEX leases_worker ON runs.leases (worker_id);
COMMENT ON COLUMN runs.leases.deadline IS 'When the workload must have started; once it runs, when it must have ended.';
COMMENT ON COLUMN runs.leases.state IS 'releasing: the run has ended, its workload is not known to be gone.';

CREATE TABLE runs.workers (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,100}$'),
    instance_id uuid NOT NULL,
    executor text NOT NULL CHECK (executor IN ('kubernetes', 'process')),
    labels text[] NOT NULL,
    capacity integer NOT NULL CHECK (capacity BETWEEN 0 AND 100000),
    state text NOT NULL CHECK (state IN ('connected', 'disconnected')),
    draining boolean NOT NULL DEFAULT false,
    replica_id uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    version text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
COMMENT ON COLUMN runs.workers.lease_until IS 'Until when all leases of this worker live: one heartbeat renews them all.';
COMMENT ON COLUMN runs.workers.replica_id IS 'The server process that holds its stream.';

CREATE TABLE runs.project_slots (
    project_id uuid PRIMARY KEY REFERENCES auth.projects (id) ON DELETE CASCADE,
    slots integer NOT NULL CHECK (slots BETWEEN 0 AND 10000)
);
COMMENT ON TABLE runs.project_slots IS 'How many slots a project has; without a row, the default.';

CREATE TABLE runs.log_chunks (
    run_id uuid NOT NULL,
    attempt integer NOT NULL,
    start_offset bigint NOT NULL,
    end_offset bigint NOT NULL CHECK (end_offset > start_offset),
    stream text NOT NULL CHECK (stream IN ('output', 'system')),
    data bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, attempt, start_offset)
) PARTITION BY RANGE (run_id);
ALTER TABLE runs.log_chunks ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TABLE runs.log_chunks_default PARTITION OF runs.log_chunks DEFAULT;
COMMENT ON COLUMN runs.log_chunks.data IS 'LZ4 with its length in front, compressed by the service.';

CREATE TABLE runs.requests (
    request_id uuid PRIMARY KEY,
    method text NOT NULL,
    run_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE runs.requests IS 'Mutating calls that were answered, so that a repeated one gets the same answer.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA runs TO ck8s_runs;
INSERT INTO ck8s.partitioned VALUES
    ('runs.runs', 'uuid', interval '13 months'),
    ('runs.log_chunks', 'uuid', interval '2 months');
SELECT ck8s.ensure_partitions(2);
