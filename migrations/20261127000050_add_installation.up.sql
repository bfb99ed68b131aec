-- Who this installation is: what it makes outside the database carries this id, and it touches nothing else there.
CREATE TABLE runs.installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id uuid NOT NULL
);
COMMENT ON TABLE runs.installation IS 'One row, made by the first server that starts. A copy of a database that is to live beside the original needs another one: delete it there.';

GRANT SELECT, INSERT ON runs.installation TO ck8s_runs;
