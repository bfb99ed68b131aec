SET LOCAL lock_timeout = '5s';
ALTER TABLE ingress.delivery_keys DROP CONSTRAINT delivery_keys_pkey;
-- Of several deliveries with one id, the first one keeps it.
DELETE FROM ingress.delivery_keys AS k USING ingress.delivery_keys AS first
WHERE first.provider = k.provider AND first.delivery_key = k.delivery_key AND first.delivery_id < k.delivery_id;
ALTER TABLE ingress.delivery_keys
    DROP COLUMN repository_id,
    ADD PRIMARY KEY (provider, delivery_key);
