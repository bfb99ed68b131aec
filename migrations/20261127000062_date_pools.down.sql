ALTER TABLE runs.pools DROP COLUMN used_at;
