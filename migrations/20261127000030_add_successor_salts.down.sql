SET LOCAL lock_timeout = '5s';
ALTER TABLE auth.refresh_tokens DROP COLUMN successor_salt;
COMMENT ON TABLE auth.refresh_tokens IS 'SHA-256 of each. One that is spent and comes again ends its session.';
