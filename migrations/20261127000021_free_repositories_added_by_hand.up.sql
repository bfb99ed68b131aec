-- A repository that was added by hand proves nothing, so any project may have it; a credential proves it, for one
-- project.
SET LOCAL lock_timeout = '5s';
DROP INDEX repositories.repositories_external_id;
DROP INDEX repositories.repositories_full_name;
CREATE UNIQUE INDEX repositories_external_id ON repositories.repositories (provider, external_id, project_id)
    WHERE removed_at IS NULL;
CREATE UNIQUE INDEX repositories_full_name ON repositories.repositories (provider, lower(full_name), project_id)
    WHERE removed_at IS NULL;

ALTER TABLE repositories.credentials
    ADD COLUMN provider text NOT NULL DEFAULT 'github',
    ADD COLUMN external_id text;
UPDATE repositories.credentials AS c SET provider = r.provider, external_id = r.external_id
FROM repositories.repositories AS r WHERE r.id = c.repository_id;
CREATE UNIQUE INDEX credentials_external_id ON repositories.credentials (provider, external_id);
COMMENT ON COLUMN repositories.credentials.external_id IS
    'The provider''s id of the repository, which this credential proves. Unset: an older program stored it.';
