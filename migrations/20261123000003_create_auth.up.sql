CREATE TABLE auth.projects (
    id uuid PRIMARY KEY,
    slug text NOT NULL CONSTRAINT projects_slug_key UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE auth.tokens (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind text NOT NULL CHECK (kind IN ('admin', 'worker', 'service')),
    service text CHECK ((kind = 'service') = (service IS NOT NULL)),
    hash bytea NOT NULL CONSTRAINT tokens_hash_key UNIQUE CHECK (length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX tokens_live_name ON auth.tokens (name) WHERE revoked_at IS NULL;
COMMENT ON COLUMN auth.tokens.hash IS 'SHA-256 of the token: it is random enough that nothing slower is needed.';

CREATE TABLE auth.links (
    code_hash bytea PRIMARY KEY CHECK (length(code_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    redeemed_at timestamptz
);
COMMENT ON TABLE auth.links IS 'One-time sign-in links.';

CREATE TABLE auth.requests (
    request_id uuid PRIMARY KEY,
    method text NOT NULL,
    response bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE auth.requests IS 'Mutating calls that were answered, so that a repeated one gets the same answer. Never a secret.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth TO ck8s_auth;
