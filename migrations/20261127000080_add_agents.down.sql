SET LOCAL lock_timeout = '5s';
DELETE FROM ck8s.partitioned WHERE parent IN ('runs.activities', 'runs.agent_reports');
ALTER TABLE runs.leases DROP COLUMN no_change;
DROP TABLE runs.agent_reports;
DROP TABLE runs.activities;
