-- The database clusters in which this database has lived. A dump that is restored into another cluster meets another
-- counter of transactions there: what is written from then on would sort before what was written until then. So each
-- cluster's transactions count from where the one before it ended.
CREATE TABLE audit.clusters (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    system_identifier bigint NOT NULL,
    xact_offset bigint NOT NULL CHECK (xact_offset >= 0),
    first_xact bigint NOT NULL,
    adopted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN audit.clusters.id IS 'What cursors of this cluster name, but those of the first one.';
COMMENT ON COLUMN audit.clusters.system_identifier IS 'Of pg_control_system(); 0: not looked at yet.';
COMMENT ON COLUMN audit.clusters.xact_offset IS 'Added to the transactions of this cluster.';
COMMENT ON COLUMN audit.clusters.first_xact IS 'Events from here on were written in this cluster.';
GRANT SELECT ON audit.clusters TO ck8s_runs, ck8s_repositories;

-- Notes in which cluster the database is. Returns whether it is another one than before. Every process asks before it
-- serves, as the owner.
CREATE FUNCTION ck8s.adopt_cluster() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    here bigint := (SELECT system_identifier FROM pg_control_system());
    current audit.clusters;
    last bigint;
BEGIN
    SELECT * INTO current FROM audit.clusters ORDER BY number DESC LIMIT 1;
    IF current.system_identifier = here THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ck8s.adopt_cluster'));
    SELECT * INTO STRICT current FROM audit.clusters ORDER BY number DESC LIMIT 1;
    IF current.system_identifier = here THEN
        RETURN false;
    END IF;
    LOCK TABLE audit.flow_events IN SHARE ROW EXCLUSIVE MODE;
    SELECT greatest(
        (SELECT max(xact) FROM audit.flow_events), (SELECT max(xact) FROM repositories.cursors), current.first_xact
    ) INTO last;
    IF current.system_identifier = 0 AND last <= pg_current_xact_id()::text::bigint THEN
        UPDATE audit.clusters SET system_identifier = here WHERE number = current.number;
        RETURN false;
    END IF;
    INSERT INTO audit.clusters (system_identifier, xact_offset, first_xact) VALUES (here, last, last + 1);
    EXECUTE format(
        'ALTER TABLE audit.flow_events ALTER COLUMN xact SET DEFAULT (pg_current_xact_id()::text::bigint + %s)', last
    );
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION ck8s.adopt_cluster() FROM PUBLIC;

INSERT INTO audit.clusters (system_identifier, xact_offset, first_xact) VALUES (0, 0, 0);
SELECT ck8s.adopt_cluster();
