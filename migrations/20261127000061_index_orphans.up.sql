-- Orphaned leases are read for each domain: those of a cluster that is no more hold up nobody.
CREATE INDEX leases_orphaned_domain ON runs.leases (executor_domain, orphaned_at) WHERE worker_id IS NULL;
