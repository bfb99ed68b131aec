-- What tells one request from another, so that a request id used again for another content is refused. Older rows have none.
SET LOCAL lock_timeout = '5s';
ALTER TABLE auth.requests ADD COLUMN fingerprint bytea;
ALTER TABLE repositories.requests ADD COLUMN fingerprint bytea;
ALTER TABLE ingress.requests ADD COLUMN fingerprint bytea;
ALTER TABLE runs.requests ADD COLUMN fingerprint bytea, ADD COLUMN response bytea;
-- Only older programs write run_id; where it is set and response is not, the run is the response.
ALTER TABLE runs.requests ALTER COLUMN run_id DROP NOT NULL;
