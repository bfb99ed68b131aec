//! Logs, metrics and the private listener.
