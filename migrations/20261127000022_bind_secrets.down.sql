SET LOCAL lock_timeout = '5s';
DROP TABLE repositories.project_secrets;
-- What was bound would be given to every run: it goes.
DELETE FROM repositories.secrets WHERE triggers IS NOT NULL;
ALTER TABLE repositories.secrets DROP COLUMN triggers;
