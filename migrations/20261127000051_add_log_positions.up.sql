-- Where the source of a log stood when a piece of it was stored: the worker that goes on with the log reads on from there.
SET LOCAL lock_timeout = '5s';
ALTER TABLE runs.log_chunks ADD COLUMN position text;
COMMENT ON COLUMN runs.log_chunks.position IS 'In the words of the worker that stored the piece; null: an older one did.';
