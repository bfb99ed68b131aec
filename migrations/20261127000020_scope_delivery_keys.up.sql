-- Deliveries are told apart within their repository: an id that one repository's webhook used is free for every
-- other's.
SET LOCAL lock_timeout = '5s';
ALTER TABLE ingress.delivery_keys ADD COLUMN repository_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
COMMENT ON COLUMN ingress.delivery_keys.repository_id IS
    'The repository whose secret signed the delivery; all zeros: it has none, or an older program stored it.';
UPDATE ingress.delivery_keys AS k SET repository_id = d.repository_id
FROM ingress.deliveries AS d WHERE d.id = k.delivery_id AND d.repository_id IS NOT NULL;
ALTER TABLE ingress.delivery_keys
    DROP CONSTRAINT delivery_keys_pkey,
    ADD PRIMARY KEY (provider, delivery_key, repository_id);
