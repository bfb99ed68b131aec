ALTER TABLE ingress.delivery_keys
    ALTER COLUMN provider TYPE text COLLATE "default",
    ALTER COLUMN delivery_key TYPE text COLLATE "default";
DROP VIEW ingress.inbox;
UPDATE ingress.deliveries SET state = 'received', reason = '', run_id = NULL, handled_at = NULL
WHERE id IN (SELECT delivery_id FROM ingress.waiting);
DROP TABLE ingress.waiting;
CREATE INDEX deliveries_received ON ingress.deliveries (id) WHERE state = 'received';
COMMENT ON COLUMN ingress.deliveries.state IS NULL;
