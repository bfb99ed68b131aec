ALTER TABLE audit.flow_events ALTER COLUMN xact SET DEFAULT (pg_current_xact_id()::text::bigint);
DROP FUNCTION ck8s.adopt_cluster();
DROP TABLE audit.clusters;
