-- What makes the successor of a spent refresh token again, for a client that lost the answer.
SET LOCAL lock_timeout = '5s';
ALTER TABLE auth.refresh_tokens ADD COLUMN successor_salt bytea CHECK (length(successor_salt) = 32);
COMMENT ON TABLE auth.refresh_tokens IS 'SHA-256 of each. One that is spent and comes again ends its session, unless it was spent last and just now.';
COMMENT ON COLUMN auth.refresh_tokens.successor_salt IS 'With the token itself, which is not stored, it makes the token that followed it.';
