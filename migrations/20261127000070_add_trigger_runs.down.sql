SET LOCAL lock_timeout = '5s';
DROP VIEW ingress.inbox;
CREATE VIEW ingress.inbox AS
SELECT
    d.id, d.provider, d.delivery_key, d.event, d.action, d.sender, d.project_id, d.repository_id,
    CASE WHEN w.delivery_id IS NULL THEN d.state ELSE 'received' END AS state,
    CASE WHEN w.delivery_id IS NULL THEN d.reason ELSE w.reason END AS reason,
    CASE WHEN w.delivery_id IS NULL THEN d.run_id END AS run_id,
    d.received_at,
    CASE WHEN w.delivery_id IS NULL THEN d.handled_at END AS handled_at,
    d.size_bytes, d.payload
FROM ingress.deliveries AS d
LEFT JOIN ingress.waiting AS w ON w.delivery_id = d.id;
COMMENT ON VIEW ingress.inbox IS 'Deliveries as they stand.';
GRANT SELECT ON ingress.inbox TO ck8s_ingress;
ALTER TABLE ingress.waiting DROP COLUMN run_ids;
COMMENT ON COLUMN ingress.deliveries.run_id IS NULL;
ALTER TABLE ingress.deliveries DROP COLUMN more_run_ids, DROP COLUMN first_trigger;
