-- One schema and one role per service. A role writes only its own schema; the process logs in as the owner and takes the
-- service's role on each connection.
DO $$
DECLARE
    service text;
BEGIN
    FOREACH service IN ARRAY ARRAY['ck8s_auth', 'ck8s_repositories', 'ck8s_ingress', 'ck8s_runs'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', service);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- roles belong to the cluster: another database made it
        END;
        IF NOT pg_has_role(current_user, service, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', service);
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA ck8s;
CREATE SCHEMA audit;
CREATE SCHEMA auth;
CREATE SCHEMA repositories;
CREATE SCHEMA ingress;
CREATE SCHEMA runs;

GRANT USAGE ON SCHEMA ck8s, audit TO ck8s_auth, ck8s_repositories, ck8s_ingress, ck8s_runs;
GRANT USAGE ON SCHEMA auth TO ck8s_auth;
GRANT USAGE ON SCHEMA repositories TO ck8s_repositories;
GRANT USAGE ON SCHEMA ingress TO ck8s_ingress;
GRANT USAGE ON SCHEMA runs TO ck8s_runs;

-- What is partitioned by time, and by what: a UUIDv7 key begins with its milliseconds since 1970, so a range of keys is a range of time.
CREATE TABLE ck8s.partitioned (
    parent text PRIMARY KEY,
    key text NOT NULL CHECK (key IN ('uuid', 'time')),
    keep interval NOT NULL
);
COMMENT ON TABLE ck8s.partitioned IS 'Tables partitioned by month, and how long their partitions are kept.';

CREATE FUNCTION ck8s.uuid_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes the partitions of this month and the months ahead. Safe to call at any time, by several at once.
CREATE FUNCTION ck8s.ensure_partitions(months_ahead integer) RETURNS void
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
            EXECUTE format('CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (%L) TO (%L)', part, p.parent, low, high);
        END LOOP;
    END LOOP;
END
$$;

-- Drops the partitions whose month ended longer ago than their table keeps. Returns their names.
CREATE FUNCTION ck8s.drop_old_partitions() RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
BEGIN
    FOR p IN
        SELECT c.oid::regclass::text AS part
        FROM ck8s.partitioned t
        JOIN pg_inherits i ON i.inhparent = to_regclass(t.parent)
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE c.relname ~ '_[0-9]{6}$'
          AND to_timestamp(right(c.relname, 6) || '01+00', 'YYYYMMDDTZH') + interval '1 month' + t.keep < now()
    LOOP
        EXECUTE format('DROP TABLE %s', p.part);
        RETURN NEXT p.part;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION ck8s.ensure_partitions(integer), ck8s.drop_old_partitions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ck8s.ensure_partitions(integer), ck8s.drop_old_partitions() TO ck8s_runs;
