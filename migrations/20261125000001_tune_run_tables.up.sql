-- A run that need not wait is leased without passing through the queue; its place in the order comes from the queue's sequence.
GRANT USAGE ON SEQUENCE runs.queue_seq_seq TO ck8s_runs;

-- A lease is changed two or three times in its short life, and its indexes need not know: with room in its page, they do not.
ALTER TABLE runs.leases SET (fillfactor = 25);

-- Likewise a run, which is changed twice. Storage parameters belong to each partition.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'runs.runs'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = 70)', part);
    END LOOP;
END
$$;

ALTER TABLE ck8s.partitioned ADD COLUMN fillfactor integer NOT NULL DEFAULT 100 CHECK (fillfactor BETWEEN 10 AND 100);
COMMENT ON COLUMN ck8s.partitioned.fillfactor IS 'How full the pages of a new partition are made; rows that are changed want room beside them.';
UPDATE ck8s.partitioned SET fillfactor = 70 WHERE parent = 'runs.runs';

CREATE OR REPLACE FUNCTION ck8s.ensure_partitions(months_ahead integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
    month timestamptz;
    part text;
    low text;
    high text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ck8s.ensure_partitions'));
    FOR p IN SELECT * FROM ck8s.partitioned LOOP
        FOR i IN 0..months_ahead LOOP
            month := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(months => i);
            part := p.parent || to_char(month AT TIME ZONE 'UTC', '"_"YYYYMM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            IF p.key = 'uuid' THEN
                low := ck8s.uuid_floor(month);
                high := ck8s.uuid_floor(month + interval '1 month');
            ELSE
                low := month;
                high := month + interval '1 month';
            END IF;
            EXECUTE format('CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = %s)',
                part, p.parent, low, high, p.fillfactor);
        END LOOP;
    END LOOP;
END
$$;
