DROP FUNCTION ck8s.drop_old_partitions();
DROP FUNCTION ck8s.ensure_partitions(integer);
DROP FUNCTION ck8s.uuid_floor(timestamptz);
DROP TABLE ck8s.partitioned;
DROP SCHEMA runs;
DROP SCHEMA ingress;
DROP SCHEMA repositories;
DROP SCHEMA auth;
DROP SCHEMA audit;
DROP SCHEMA ck8s;
-- The roles stay: they belong to the cluster, and another database may use them.
