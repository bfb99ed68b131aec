DROP TABLE auth.requests;
DROP TABLE auth.links;
DROP TABLE auth.tokens;
DROP TABLE auth.projects;
