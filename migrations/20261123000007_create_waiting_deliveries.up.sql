-- A delivery is written once, with the outcome that its handling is going to have, and waits here until it has had it: a narrow row
-- comes and goes instead of the wide one (with its payload) being written again.
CREATE TABLE ingress.waiting (
    delivery_id uuid PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE ingress.waiting IS 'Deliveries that are not handled yet, or are to be handled again. While one is here, it is received, whatever its own row says.';
INSERT INTO ingress.waiting SELECT id FROM ingress.deliveries WHERE state = 'received';
DROP INDEX ingress.deliveries_received;
COMMENT ON COLUMN ingress.deliveries.state IS 'What became of it, once it is not in ingress.waiting. Read ingress.inbox.';

CREATE VIEW ingress.inbox AS
SELECT
    d.id, d.provider, d.delivery_key, d.event, d.action, d.sender, d.project_id, d.repository_id,
    CASE WHEN w.delivery_id IS NULL THEN d.state ELSE 'received' END AS state,
    CASE WHEN w.delivery_id IS NULL THEN d.reason ELSE '' END AS reason,
    CASE WHEN w.delivery_id IS NULL THEN d.run_id END AS run_id,
    d.received_at,
    CASE WHEN w.delivery_id IS NULL THEN d.handled_at END AS handled_at,
    d.size_bytes, d.payload
FROM ingress.deliveries AS d
LEFT JOIN ingress.waiting AS w ON w.delivery_id = d.id;
COMMENT ON VIEW ingress.inbox IS 'Deliveries as they stand.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ingress.waiting TO ck8s_ingress;
GRANT SELECT ON ingress.inbox TO ck8s_ingress;

-- Ids, not words: compared byte by byte, which is several times cheaper than by the rules of a language.
ALTER TABLE ingress.delivery_keys
    ALTER COLUMN provider TYPE text COLLATE "C",
    ALTER COLUMN delivery_key TYPE text COLLATE "C";
