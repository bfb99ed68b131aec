-- Partitions that are made although rows came early: each table in a transaction of its own, which gives up soon when
-- somebody holds a lock that it needs. Older programs call `ensure_partitions` and `drop_old_partitions` without a table.

CREATE FUNCTION ck8s.uuid_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;

-- Makes the partition of a table for a month, and moves the rows into it that came before it was there. Returns whether
-- it was missing.
CREATE FUNCTION ck8s.make_partition(of_table text, month timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    p ck8s.partitioned;
    part text := of_table || to_char(month AT TIME ZONE 'UTC', '"_"YYYYMM');
    rest text := of_table || '_default';
    next_month timestamptz := (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    low text := month;
    high text := next_month;
    column_name text;
    columns text;
    early boolean;
BEGIN
    SELECT * INTO STRICT p FROM ck8s.partitioned t WHERE t.parent = of_table;
    PERFORM pg_advisory_xact_lock(hashtext('ck8s.ensure_partitions'));
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF p.key = 'uuid' THEN
        low := ck8s.uuid_floor(month);
        high := ck8s.uuid_floor(next_month);
    END IF;
    -- Like the parent, indexes and checks included, so that attaching it finds everything there. An identity belongs to
    -- the parent alone.
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY) WITH (fillfactor = %s)', part, of_table, p.fillfactor);
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), min(quote_ident(a.attname)) FILTER (WHERE a.attnum = k.partattrs[0])
    INTO columns, column_name
    FROM pg_attribute a JOIN pg_partitioned_table k ON k.partrelid = a.attrelid
    WHERE a.attrelid = to_regclass(of_table) AND a.attnum > 0 AND NOT a.attisdropped;
    -- In this order: who writes through the parent holds its lock when it asks for the partition's.
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', of_table);
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', rest);
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %s >= %L AND %2$s < %4$L)', rest, column_name, low, high) INTO early;
    IF early THEN
        EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %3$s WHERE %4$s >= %5$L AND %4$s < %6$L', part, columns, rest, column_name, low, high);
        -- what is append-only for everybody else is moved here, not changed
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', rest);
        EXECUTE format('DELETE FROM %s WHERE %s >= %L AND %2$s < %4$L', rest, column_name, low, high);
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', rest);
    END IF;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', of_table, part, low, high);
    RETURN true;
END
$$;

-- Returns the partitions that are missing: of this month, of the months ahead, and of the months before them for which
-- rows came when there was none. Their number is bounded, since such rows may bear any time.
CREATE FUNCTION ck8s.missing_partitions(months_ahead integer) RETURNS TABLE (of_table text, month timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
    this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    column_name text;
    at_time text;
    early timestamp[];
BEGIN
    FOR p IN SELECT * FROM ck8s.partitioned ORDER BY parent LOOP
        SELECT quote_ident(a.attname) INTO STRICT column_name
        FROM pg_attribute a JOIN pg_partitioned_table k ON k.partrelid = a.attrelid
        WHERE a.attrelid = to_regclass(p.parent) AND a.attnum = k.partattrs[0];
        at_time := CASE p.key WHEN 'uuid' THEN format('ck8s.uuid_time(%s)', column_name) ELSE column_name END;
        EXECUTE format(
            'SELECT array_agg(m) FROM (SELECT DISTINCT date_trunc(''month'', %s AT TIME ZONE ''UTC'') AS m FROM %s_default ORDER BY m LIMIT 24) d WHERE m < %L',
            at_time, p.parent, this_month
        ) INTO early;
        RETURN QUERY
            SELECT p.parent, m.m AT TIME ZONE 'UTC'
            FROM (
                SELECT this_month + make_interval(months => i) AS m FROM generate_series(0, months_ahead) i
                UNION SELECT unnest(early)
            ) m
            WHERE to_regclass(p.parent || to_char(m.m, '"_"YYYYMM')) IS NULL ORDER BY 2;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION ck8s.ensure_partitions(months_ahead integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ck8s.make_partition(m.of_table, m.month) FROM ck8s.missing_partitions(months_ahead) m;
END
$$;

-- Returns the partitions whose month ended longer ago than their table keeps.
CREATE FUNCTION ck8s.old_partitions() RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid::regclass::text
    FROM ck8s.partitioned t
    JOIN pg_inherits i ON i.inhparent = to_regclass(t.parent)
    JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relname ~ '_[0-9]{6}$'
      AND to_timestamp(right(c.relname, 6) || '01+00', 'YYYYMMDDTZH') + interval '1 month' + t.keep < now()
    ORDER BY 1
$$;

-- Drops one of them. Returns whether it did.
CREATE FUNCTION ck8s.drop_old_partition(part text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    IF part NOT IN (SELECT ck8s.old_partitions()) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %s', part);
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION ck8s.make_partition(text, timestamptz), ck8s.missing_partitions(integer), ck8s.old_partitions(),
    ck8s.drop_old_partition(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ck8s.make_partition(text, timestamptz), ck8s.missing_partitions(integer), ck8s.old_partitions(),
    ck8s.drop_old_partition(text) TO ck8s_runs;
