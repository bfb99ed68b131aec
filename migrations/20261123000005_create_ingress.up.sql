-- Deduplication: one narrow row per delivery. Not partitioned, since uniqueness must hold over all time; it goes with its delivery.
CREATE TABLE ingress.delivery_keys (
    provider text NOT NULL,
    delivery_key text NOT NULL CHECK (length(delivery_key) BETWEEN 1 AND 100),
    delivery_id uuid NOT NULL,
    PRIMARY KEY (provider, delivery_key)
);
COMMENT ON COLUMN ingress.delivery_keys.delivery_key IS 'The provider''s id of the delivery; GitHub: X-GitHub-Delivery.';

CREATE TABLE ingress.deliveries (
    id uuid NOT NULL,
    provider text NOT NULL,
    delivery_key text NOT NULL,
    event text NOT NULL,
    action text NOT NULL DEFAULT '',
    sender text NOT NULL DEFAULT '',
    project_id uuid REFERENCES auth.projects (id),
    repository_id uuid REFERENCES repositories.repositories (id),
    state text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'run_created', 'ignored', 'failed')),
    reason text NOT NULL DEFAULT '',
    run_id uuid,
    received_at timestamptz NOT NULL DEFAULT now(),
    handled_at timestamptz,
    size_bytes integer NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
ALTER TABLE ingress.deliveries ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE ingress.deliveries_default PARTITION OF ingress.deliveries DEFAULT;
CREATE INDEX deliveries_project ON ingress.deliveries (project_id, id);
CREATE INDEX deliveries_received ON ingress.deliveries (id) WHERE state = 'received';
COMMENT ON COLUMN ingress.deliveries.payload IS 'The raw body, LZ4 with its length in front, compressed by the service.';

CREATE TABLE ingress.requests (
    request_id uuid PRIMARY KEY,
    method text NOT NULL,
    response bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ingress TO ck8s_ingress;
INSERT INTO ck8s.partitioned VALUES ('ingress.deliveries', 'uuid', interval '3 months');
SELECT ck8s.ensure_partitions(2);
