SET LOCAL lock_timeout = '5s';
DELETE FROM auth.tokens WHERE kind = 'join';
ALTER TABLE auth.tokens
    DROP CONSTRAINT tokens_join_ends,
    DROP CONSTRAINT tokens_kind_check,
    ADD CONSTRAINT tokens_kind_check CHECK (kind IN ('admin', 'worker', 'service'));
