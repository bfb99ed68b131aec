-- Lists of runs by state. The class follows from the reason, which is set once, at a run's end: an index on the state
-- itself would make every change of a run write all indexes. Building it holds up new runs for a few seconds per million.
SET LOCAL lock_timeout = '5s';

CREATE FUNCTION runs.list_class(reason text) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN reason IS NULL THEN 0
        WHEN reason IN ('completed', 'no_change') THEN 1
        WHEN reason IN ('canceled_by_user', 'superseded') THEN 3
        ELSE 2
    END::smallint
$$;
COMMENT ON FUNCTION runs.list_class(text) IS '0: it has not ended; 1: succeeded; 2: failed; 3: canceled.';

CREATE INDEX runs_list ON runs.runs (project_id, runs.list_class(reason), id);
