-- When a run was last made for a set of labels, to within an hour, so that sets nobody asks for any more can go.
ALTER TABLE runs.pools ADD COLUMN used_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN runs.pools.used_at IS 'When a replica last looked it up; each does at least once an hour while it makes runs for it.';
