-- Triggers that are due at times. Older programs know nothing of them and fire none.
SET LOCAL lock_timeout = '5s';
CREATE TABLE ingress.schedules (
    repository_id uuid NOT NULL REFERENCES repositories.repositories (id),
    trigger_name text NOT NULL,
    cron text NOT NULL,
    timezone text NOT NULL,
    last_due timestamptz NOT NULL,
    PRIMARY KEY (repository_id, trigger_name)
);
COMMENT ON TABLE ingress.schedules IS 'The schedules that were seen in services.yaml. One that is new or was changed is not due for what lies before.';
COMMENT ON COLUMN ingress.schedules.last_due IS 'Up to which due time deliveries were made.';
GRANT SELECT, INSERT, UPDATE, DELETE ON ingress.schedules TO ck8s_ingress;

CREATE INDEX repositories_scheduled ON repositories.repositories (id)
WHERE removed_at IS NULL AND services_text LIKE '%schedule%';
