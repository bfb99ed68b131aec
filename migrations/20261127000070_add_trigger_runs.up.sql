-- Every trigger that a delivery matches makes a run. Older programs go on with the first run alone.
SET LOCAL lock_timeout = '5s';
ALTER TABLE ingress.deliveries ADD COLUMN more_run_ids uuid[], ADD COLUMN first_trigger text;
COMMENT ON COLUMN ingress.deliveries.run_id IS 'The first of its runs.';
COMMENT ON COLUMN ingress.deliveries.more_run_ids IS 'Its runs but the first; null: none.';
COMMENT ON COLUMN ingress.deliveries.first_trigger IS 'The name of the trigger whose run has the id that follows from the delivery''s alone. Null: not decided, or stored by an older program; then the first that matches has it.';

ALTER TABLE ingress.waiting ADD COLUMN run_ids uuid[];
COMMENT ON COLUMN ingress.waiting.run_ids IS 'Its runs that exist, although it still waits for others; null: none is known.';

CREATE OR REPLACE VIEW ingress.inbox AS
SELECT
    d.id, d.provider, d.delivery_key, d.event, d.action, d.sender, d.project_id, d.repository_id,
    CASE WHEN w.delivery_id IS NULL THEN d.state ELSE 'received' END AS state,
    CASE WHEN w.delivery_id IS NULL THEN d.reason ELSE w.reason END AS reason,
    CASE WHEN w.delivery_id IS NULL THEN d.run_id ELSE w.run_ids[1] END AS run_id,
    d.received_at,
    CASE WHEN w.delivery_id IS NULL THEN d.handled_at END AS handled_at,
    d.size_bytes, d.payload,
    CASE WHEN w.delivery_id IS NULL THEN d.more_run_ids ELSE w.run_ids[2:] END AS more_run_ids
FROM ingress.deliveries AS d
LEFT JOIN ingress.waiting AS w ON w.delivery_id = d.id;
