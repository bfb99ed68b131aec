CREATE TABLE repositories.repositories (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES auth.projects (id),
    provider text NOT NULL CHECK (provider IN ('github')),
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 100),
    full_name text NOT NULL CHECK (full_name ~ '^[^/[:space:]]+/[^/[:space:]]+$'),
    default_branch text NOT NULL,
    services_text text NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX repositories_external_id ON repositories.repositories (provider, external_id) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX repositories_full_name ON repositories.repositories (provider, lower(full_name)) WHERE removed_at IS NULL;
CREATE INDEX repositories_project ON repositories.repositories (project_id);
COMMENT ON COLUMN repositories.repositories.removed_at IS 'A removed repository stays as a row: its runs and deliveries refer to it.';

CREATE TABLE repositories.webhook_secrets (
    id uuid PRIMARY KEY,
    repository_id uuid NOT NULL REFERENCES repositories.repositories (id),
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE UNIQUE INDEX webhook_secrets_current ON repositories.webhook_secrets (repository_id) WHERE expires_at IS NULL;
CREATE INDEX webhook_secrets_repository ON repositories.webhook_secrets (repository_id);
COMMENT ON COLUMN repositories.webhook_secrets.expires_at IS 'Unset: the current one. Set: the one before, valid until then.';

CREATE TABLE repositories.secrets (
    repository_id uuid NOT NULL REFERENCES repositories.repositories (id),
    name text NOT NULL CHECK (name ~ '^[A-Z][A-Z0-9_]{0,99}$' AND name !~ '^CK8S_'),
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository_id, name)
);

CREATE TABLE repositories.requests (
    request_id uuid PRIMARY KEY,
    method text NOT NULL,
    response bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE repositories.requests IS 'Mutating calls that were answered, so that a repeated one gets the same answer. Never a secret.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA repositories TO ck8s_repositories;
