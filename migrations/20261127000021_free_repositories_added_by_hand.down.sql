SET LOCAL lock_timeout = '5s';
ALTER TABLE repositories.credentials DROP COLUMN provider, DROP COLUMN external_id;
DROP INDEX repositories.repositories_external_id;
DROP INDEX repositories.repositories_full_name;
-- These fail while several projects have one repository: remove all but one of them first.
CREATE UNIQUE INDEX repositories_external_id ON repositories.repositories (provider, external_id) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX repositories_full_name ON repositories.repositories (provider, lower(full_name)) WHERE removed_at IS NULL;
