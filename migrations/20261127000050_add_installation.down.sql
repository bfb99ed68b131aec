DROP TABLE runs.installation;
