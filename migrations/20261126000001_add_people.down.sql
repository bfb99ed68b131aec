SET LOCAL lock_timeout = '5s';
DELETE FROM auth.tokens WHERE kind = 'person';
DROP INDEX auth.tokens_live_name;
DROP INDEX auth.tokens_project;
DROP INDEX auth.tokens_user;
ALTER TABLE auth.tokens
    DROP CONSTRAINT tokens_scope,
    DROP CONSTRAINT tokens_person,
    DROP CONSTRAINT tokens_kind_check,
    ADD CONSTRAINT tokens_kind_check CHECK (kind IN ('admin', 'worker', 'service', 'join')),
    DROP COLUMN project_id,
    DROP COLUMN max_role,
    DROP COLUMN user_id;
CREATE UNIQUE INDEX tokens_live_name ON auth.tokens (name) WHERE revoked_at IS NULL;
DROP TABLE auth.signing_keys;
DROP TABLE auth.sign_ins;
DROP TABLE auth.refresh_tokens;
DROP TABLE auth.sessions;
DROP TABLE auth.members;
DROP TABLE auth.users;
