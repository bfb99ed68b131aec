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

DROP FUNCTION ck8s.drop_old_partition(text);
DROP FUNCTION ck8s.old_partitions();
DROP FUNCTION ck8s.missing_partitions(integer);
DROP FUNCTION ck8s.make_partition(text, timestamptz);
DROP FUNCTION ck8s.uuid_time(uuid);
