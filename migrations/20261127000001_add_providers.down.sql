SET LOCAL lock_timeout = '5s';
CREATE OR REPLACE VIEW ingress.inbox AS
SELECT
    d.id, d.provider, d.delivery_key, d.event, d.action, d.sender, d.project_id, d.repository_id,
    CASE WHEN w.delivery_id IS NULL THEN d.state ELSE 'received' END AS state,
    CASE WHEN w.delivery_id IS NULL THEN d.reason ELSE '' END AS reason,
    CASE WHEN w.delivery_id IS NULL THEN d.run_id END AS run_id,
    d.received_at,
    CASE WHEN w.delivery_id IS NULL THEN d.handled_at END AS handled_at,
    d.size_bytes, d.payload
FROM ingress.deliveries AS d
LEFT JOIN ingress.waiting AS w ON w.delivery_id = d.id;
ALTER TABLE ingress.waiting DROP COLUMN reason, DROP COLUMN not_before;
DROP TABLE repositories.cursors;
DROP TABLE repositories.comments;
DROP TABLE repositories.reports;
DROP TABLE repositories.works;
DROP TABLE repositories.credentials;
ALTER TABLE repositories.repositories
    DROP COLUMN services_path,
    DROP COLUMN follows_default_branch,
    DROP COLUMN services_etag,
    DROP COLUMN services_commit,
    DROP COLUMN services_problem,
    DROP COLUMN services_checked_at,
    DROP COLUMN hook_id,
    DROP COLUMN hook_seen_at,
    DROP COLUMN hook_problem,
    DROP COLUMN actor_id,
    DROP COLUMN actor_login,
    DROP COLUMN waits_until,
    DROP COLUMN recovered_until;
