DROP INDEX runs.leases_orphaned_domain;
