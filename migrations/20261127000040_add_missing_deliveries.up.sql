-- Deliveries that a hook made and that did not arrive, each until it arrives or its provider forgets it.
CREATE TABLE ingress.missing_deliveries (
    repository_id uuid NOT NULL REFERENCES repositories.repositories (id),
    delivery_key text COLLATE "C" NOT NULL CHECK (length(delivery_key) BETWEEN 1 AND 100),
    attempt_id text NOT NULL,
    event text NOT NULL,
    state text NOT NULL DEFAULT 'missing' CHECK (state IN ('missing', 'asked_again', 'arrived', 'given_up')),
    reason text NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    attempted_at timestamptz NOT NULL,
    asked_at timestamptz,
    next_try_at timestamptz,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (repository_id, delivery_key),
    CONSTRAINT missing_deliveries_open CHECK ((next_try_at IS NOT NULL) = (state IN ('missing', 'asked_again')))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
COMMENT ON COLUMN ingress.missing_deliveries.attempt_id IS 'The provider''s id of the latest attempt that is known.';
COMMENT ON COLUMN ingress.missing_deliveries.reason IS 'Why it is missing, or why it was given up, in words.';
COMMENT ON COLUMN ingress.missing_deliveries.tries IS 'How often the provider was asked to deliver it again, whether it did or refused.';
COMMENT ON COLUMN ingress.missing_deliveries.attempted_at IS 'When the provider attempted it, as far as is known the first time.';
CREATE INDEX missing_deliveries_due ON ingress.missing_deliveries (repository_id, next_try_at) WHERE next_try_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON ingress.missing_deliveries TO ck8s_ingress;
