SET LOCAL lock_timeout = '5s';
-- A response of runs is the id of the run, as 16 bytes.
UPDATE runs.requests SET run_id = encode(response, 'hex')::uuid WHERE run_id IS NULL AND length(response) = 16;
DELETE FROM runs.requests WHERE run_id IS NULL;
ALTER TABLE runs.requests ALTER COLUMN run_id SET NOT NULL;
ALTER TABLE runs.requests DROP COLUMN fingerprint, DROP COLUMN response;
ALTER TABLE ingress.requests DROP COLUMN fingerprint;
ALTER TABLE repositories.requests DROP COLUMN fingerprint;
ALTER TABLE auth.requests DROP COLUMN fingerprint;
