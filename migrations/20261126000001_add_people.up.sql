-- People: who may sign in, what they may where, their sessions and what signs their access tokens.
SET LOCAL lock_timeout = '5s';

CREATE TABLE auth.users (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 320 AND email LIKE '%_@_%'),
    login text CHECK (length(login) BETWEEN 1 AND 200),
    external_id text CONSTRAINT users_external_id_key UNIQUE CHECK (length(external_id) BETWEEN 1 AND 100),
    platform_admin boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz
);
CREATE UNIQUE INDEX users_email_key ON auth.users (lower(email));
COMMENT ON TABLE auth.users IS 'The allow-list: who is not in it cannot sign in.';
COMMENT ON COLUMN auth.users.external_id IS 'The identity provider''s id, pinned at the first sign-in.';

CREATE TABLE auth.members (
    project_id uuid NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('read', 'read_write', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT members_pkey PRIMARY KEY (project_id, user_id)
);
CREATE INDEX members_user ON auth.members (user_id);

CREATE TABLE auth.sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    via text NOT NULL CHECK (via IN ('web', 'device', 'link')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text CHECK (ended_because IN ('signed_out', 'reused')),
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
CREATE INDEX sessions_user ON auth.sessions (user_id);
CREATE INDEX sessions_end ON auth.sessions (expires_at);
COMMENT ON TABLE auth.sessions IS 'A sign-in and everything that was refreshed from it. What is gone or has ended verifies no access token.';

CREATE TABLE auth.refresh_tokens (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    session_id uuid NOT NULL REFERENCES auth.sessions ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    spent_at timestamptz
);
CREATE INDEX refresh_tokens_session ON auth.refresh_tokens (session_id);
COMMENT ON TABLE auth.refresh_tokens IS 'SHA-256 of each. One that is spent and comes again ends its session.';

CREATE TABLE auth.sign_ins (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    browser_hash bytea CHECK (length(browser_hash) = 32),
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    return_to text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    next_poll_at timestamptz,
    poll_interval_s integer CHECK (poll_interval_s > 0),
    CHECK ((browser_hash IS NULL) = (poll_interval_s IS NOT NULL))
);
CREATE INDEX sign_ins_end ON auth.sign_ins (expires_at);
COMMENT ON TABLE auth.sign_ins IS 'Sign-ins that have begun, by the hash of their state, or of their device code. The row goes when it is used.';
COMMENT ON COLUMN auth.sign_ins.sealed IS 'The PKCE verifier, or the provider''s device code.';

CREATE TABLE auth.signing_keys (
    id uuid PRIMARY KEY,
    public bytea NOT NULL CHECK (length(public) = 32),
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retires_at timestamptz
);
COMMENT ON TABLE auth.signing_keys IS 'Ed25519 keys of access tokens; id is the kid. The newest signs; one with a successor verifies until it retires.';
COMMENT ON COLUMN auth.signing_keys.sealed IS 'The private key (PKCS #8), sealed under the key ring''s key key_id.';

ALTER TABLE auth.tokens
    ADD COLUMN user_id uuid REFERENCES auth.users ON DELETE CASCADE,
    ADD COLUMN max_role text CHECK (max_role IN ('read', 'read_write', 'admin')),
    ADD COLUMN project_id uuid REFERENCES auth.projects ON DELETE CASCADE,
    DROP CONSTRAINT tokens_kind_check,
    ADD CONSTRAINT tokens_kind_check CHECK (kind IN ('admin', 'worker', 'service', 'join', 'person')),
    ADD CONSTRAINT tokens_person CHECK ((kind = 'person') = (user_id IS NOT NULL)),
    ADD CONSTRAINT tokens_scope CHECK (kind = 'person' OR (max_role IS NULL AND project_id IS NULL));
CREATE INDEX tokens_user ON auth.tokens (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX tokens_project ON auth.tokens (project_id) WHERE project_id IS NOT NULL;
-- A person's tokens have names of their own; all other names are the platform's.
DROP INDEX auth.tokens_live_name;
CREATE UNIQUE INDEX tokens_live_name ON auth.tokens (name, user_id) NULLS NOT DISTINCT WHERE revoked_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON auth.users, auth.members, auth.sessions, auth.refresh_tokens, auth.sign_ins, auth.signing_keys TO ck8s_auth;
