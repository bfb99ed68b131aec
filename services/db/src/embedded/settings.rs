//! The settings of the server. They are given on its command line, so that no file of the cluster needs to be kept up
//! to date.
use std::path::Path;

/// How the server runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether what was committed survives a crash. Only tests switch it off.
    pub durable: bool,
}

/// Settings as `name=value`, for `-c`.
pub(super) fn settings(socket_dir: &Path, port: u16, options: Options) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", socket_dir.display()),
        "unix_socket_permissions=0700".to_owned(),
        "shared_buffers=128MB".to_owned(),
        // Full-page images of the ingest path compress well: less to write for each commit.
        "wal_compression=on".to_owned(),
        "max_wal_size=4GB".to_owned(),
        "checkpoint_completion_target=0.9".to_owned(),
        // The planner needs the exact timing of nothing; short statements do not gain from compiling.
        "jit=off".to_owned(),
        // A session whose client died in the middle of a statement ends soon.
        "client_connection_check_interval=5s".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "log_line_prefix=%m [%p] ".to_owned(),
        // Statements hold what people sent: they are not for a log file.
        "log_min_error_statement=panic".to_owned(),
    ];
    if options.durable {
        settings.push("password_encryption=scram-sha-256".to_owned());
        settings.push("max_connections=200".to_owned());
    } else {
        settings.extend(
            [
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "password_encryption=md5",
                "max_connections=500",
                "autovacuum=off",
            ]
            .map(str::to_owned),
        );
    }
    settings
}
