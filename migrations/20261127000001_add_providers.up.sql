-- Repositories that ck8s looks after at their provider: credential, hook, services.yaml as it stands there, what was reported.
SET LOCAL lock_timeout = '5s';

ALTER TABLE repositories.repositories
    ADD COLUMN services_path text NOT NULL DEFAULT '.ck8s/services.yaml' CHECK (length(services_path) BETWEEN 1 AND 500),
    ADD COLUMN follows_default_branch boolean NOT NULL DEFAULT true,
    ADD COLUMN services_etag text,
    ADD COLUMN services_commit text,
    ADD COLUMN services_problem text,
    ADD COLUMN services_checked_at timestamptz,
    ADD COLUMN hook_id text,
    ADD COLUMN hook_seen_at timestamptz,
    ADD COLUMN hook_problem text,
    ADD COLUMN actor_id text,
    ADD COLUMN actor_login text,
    ADD COLUMN waits_until timestamptz,
    ADD COLUMN recovered_until timestamptz;
COMMENT ON COLUMN repositories.repositories.follows_default_branch IS 'default_branch is the provider''s; false: somebody chose it.';
COMMENT ON COLUMN repositories.repositories.services_problem IS 'Why the file at the provider is not in force; the last good one stays. Unset: it is.';
COMMENT ON COLUMN repositories.repositories.hook_problem IS 'What is wrong with the hook. Unset: nothing that is known.';
COMMENT ON COLUMN repositories.repositories.actor_id IS 'As whom the credential acts at the provider: its own doings trigger nothing.';
COMMENT ON COLUMN repositories.repositories.waits_until IS 'The provider wants no questions until then.';
COMMENT ON COLUMN repositories.repositories.recovered_until IS 'Every delivery of the hook up to then was looked for.';

CREATE TABLE repositories.credentials (
    repository_id uuid PRIMARY KEY REFERENCES repositories.repositories (id),
    kind text NOT NULL CHECK (kind IN ('token', 'app')),
    app_id text,
    installation_id text,
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'app') = (app_id IS NOT NULL AND installation_id IS NOT NULL))
);
COMMENT ON COLUMN repositories.credentials.sealed IS 'The token, or the app''s private key.';

CREATE TABLE repositories.works (
    repository_id uuid PRIMARY KEY REFERENCES repositories.repositories (id),
    kind text NOT NULL CHECK (kind IN ('add', 'remove', 'rotate')),
    hook_url text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE repositories.works IS 'Changes at the provider that are under way: written before the first step, removed with the last. What is left is undone or ended at start.';

CREATE TABLE repositories.reports (
    run_id uuid PRIMARY KEY,
    repository_id uuid NOT NULL REFERENCES repositories.repositories (id),
    trigger_name text NOT NULL,
    commit_sha text,
    thread bigint,
    state text NOT NULL,
    said text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reports_thread ON repositories.reports (repository_id, thread, run_id) WHERE thread IS NOT NULL;
CREATE INDEX reports_commit ON repositories.reports (repository_id, commit_sha, trigger_name, run_id) WHERE commit_sha IS NOT NULL;
CREATE INDEX reports_due ON repositories.reports (repository_id, updated_at) WHERE said <> state;
CREATE INDEX reports_told ON repositories.reports (updated_at) WHERE said = state;
COMMENT ON COLUMN repositories.reports.state IS 'What the provider is to be told.';
COMMENT ON COLUMN repositories.reports.said IS 'The last state that the provider was told.';

CREATE TABLE repositories.comments (
    repository_id uuid NOT NULL REFERENCES repositories.repositories (id),
    thread bigint NOT NULL,
    comment_id text NOT NULL,
    PRIMARY KEY (repository_id, thread)
);
COMMENT ON TABLE repositories.comments IS 'Our one comment in an issue or pull request.';

CREATE TABLE repositories.cursors (
    name text PRIMARY KEY,
    xact bigint NOT NULL,
    seq bigint NOT NULL
);
COMMENT ON TABLE repositories.cursors IS 'Up to which flow event a reader has read.';

GRANT SELECT, INSERT, UPDATE, DELETE ON repositories.credentials, repositories.works, repositories.reports, repositories.comments,
    repositories.cursors TO ck8s_repositories;

ALTER TABLE ingress.waiting ADD COLUMN reason text NOT NULL DEFAULT '', ADD COLUMN not_before timestamptz;
COMMENT ON COLUMN ingress.waiting.not_before IS 'Whoever could say is not asked before.';
COMMENT ON COLUMN ingress.waiting.reason IS 'What it waits for, in words; empty: its turn.';
CREATE OR REPLACE VIEW ingress.inbox AS
SELECT
    d.id, d.provider, d.delivery_key, d.event, d.action, d.sender, d.project_id, d.repository_id,
    CASE WHEN w.delivery_id IS NULL THEN d.state ELSE 'received' END AS state,
    CASE WHEN w.delivery_id IS NULL THEN d.reason ELSE w.reason END AS reason,
    CASE WHEN w.delivery_id IS NULL THEN d.run_id END AS run_id,
    d.received_at,
    CASE WHEN w.delivery_id IS NULL THEN d.handled_at END AS handled_at,
    d.size_bytes, d.payload
FROM ingress.deliveries AS d
LEFT JOIN ingress.waiting AS w ON w.delivery_id = d.id;
