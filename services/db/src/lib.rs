//! Pool, migrator, embedded PostgreSQL, transaction retry, change feed and test databases.
