-- Secrets that only runs of some triggers are given, and secrets that the repositories of a project share.
SET LOCAL lock_timeout = '5s';
ALTER TABLE repositories.secrets
    ADD COLUMN triggers text[] CHECK (cardinality(triggers) BETWEEN 1 AND 100);
COMMENT ON COLUMN repositories.secrets.triggers IS 'Only runs of these triggers are given it. Unset: runs of every trigger.';

CREATE TABLE repositories.project_secrets (
    project_id uuid NOT NULL REFERENCES auth.projects (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (name ~ '^[A-Z][A-Z0-9_]{0,99}$' AND name !~ '^CK8S_'),
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, name)
);
COMMENT ON TABLE repositories.project_secrets IS 'Secrets of runs of all repositories of a project. A repository''s own secret of the same name wins.';
GRANT SELECT, INSERT, UPDATE, DELETE ON repositories.project_secrets TO ck8s_repositories;
