SET LOCAL lock_timeout = '5s';
ALTER TABLE runs.log_chunks DROP COLUMN position;
