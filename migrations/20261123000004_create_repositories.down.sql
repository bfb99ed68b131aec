DROP TABLE repositories.requests;
DROP TABLE repositories.secrets;
DROP TABLE repositories.webhook_secrets;
DROP TABLE repositories.repositories;
