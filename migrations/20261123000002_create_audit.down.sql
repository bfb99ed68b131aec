DELETE FROM ck8s.partitioned WHERE parent = 'audit.flow_events';
DROP TABLE audit.flow_events;
DROP FUNCTION audit.refuse_change();
