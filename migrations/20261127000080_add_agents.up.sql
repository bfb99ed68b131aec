-- What agents do and leave behind: activities beside the log, and a report for each attempt. Nothing of it is in the
-- run's own row.
SET LOCAL lock_timeout = '5s';

CREATE TABLE runs.activities (
    run_id uuid NOT NULL,
    attempt integer NOT NULL CHECK (attempt > 0),
    sequence bigint NOT NULL CHECK (sequence > 0),
    kind text NOT NULL CHECK (kind IN ('message', 'tool', 'file_change', 'plan', 'error', 'note')),
    title text NOT NULL CHECK (octet_length(title) <= 500),
    text text NOT NULL CHECK (octet_length(text) <= 16384),
    happened_at timestamptz NOT NULL,
    duration_ms bigint NOT NULL DEFAULT 0 CHECK (duration_ms >= 0),
    exit_code integer,
    failed boolean NOT NULL DEFAULT false,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, attempt, sequence)
) PARTITION BY RANGE (run_id);
CREATE TABLE runs.activities_default PARTITION OF runs.activities DEFAULT;
COMMENT ON TABLE runs.activities IS 'What the agent of a run did, one thing a row, secrets masked.';
COMMENT ON COLUMN runs.activities.happened_at IS 'By the clock of the workload.';

CREATE TABLE runs.agent_reports (
    run_id uuid NOT NULL,
    attempt integer NOT NULL CHECK (attempt > 0),
    prompt text,
    session_id text NOT NULL DEFAULT '',
    model text NOT NULL DEFAULT '',
    usage json,
    outcome json,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, attempt)
) PARTITION BY RANGE (run_id);
CREATE TABLE runs.agent_reports_default PARTITION OF runs.agent_reports DEFAULT;
COMMENT ON TABLE runs.agent_reports IS 'What is known of the agent of one attempt.';
COMMENT ON COLUMN runs.agent_reports.prompt IS 'Exactly what the agent was given; null: there is no agent, or it has not asked yet.';

ALTER TABLE runs.leases ADD COLUMN no_change boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN runs.leases.no_change IS 'The agent says that it changed nothing: a run that succeeds ends as no_change.';

GRANT SELECT, INSERT, UPDATE, DELETE ON runs.activities, runs.activities_default, runs.agent_reports, runs.agent_reports_default
    TO ck8s_runs;
INSERT INTO ck8s.partitioned (parent, key, keep) VALUES
    ('runs.activities', 'uuid', interval '13 months'),
    ('runs.agent_reports', 'uuid', interval '13 months');
SELECT ck8s.ensure_partitions(2);
