-- A quick lock on a small table: the new constraint is checked against few rows.
SET LOCAL lock_timeout = '5s';
ALTER TABLE auth.tokens
    DROP CONSTRAINT tokens_kind_check,
    ADD CONSTRAINT tokens_kind_check CHECK (kind IN ('admin', 'worker', 'service', 'join')),
    ADD CONSTRAINT tokens_join_ends CHECK (kind <> 'join' OR expires_at IS NOT NULL);
COMMENT ON CONSTRAINT tokens_join_ends ON auth.tokens IS 'A join token works once: using it revokes it. What is not used ends by itself.';
