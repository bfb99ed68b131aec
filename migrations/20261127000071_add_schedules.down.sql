SET LOCAL lock_timeout = '5s';
DROP INDEX repositories.repositories_scheduled;
DROP TABLE ingress.schedules;
