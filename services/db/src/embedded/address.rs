//! The address of a running server, as URLs.
use std::path::PathBuf;

/// The address of a running server.
#[derive(Clone)]
pub(super) struct ServerAddress {
    pub(super) socket_dir: PathBuf,
    pub(super) port: u16,
    pub(super) password: String,
}

impl ServerAddress {
    pub(super) fn socket_url(&self, database: &str) -> String {
        let Self {
            socket_dir,
            port,
            password,
        } = self;
        let host = encode(&socket_dir.display().to_string());
        format!(
            "postgres://ck8s:{password}@localhost:{port}/{database}?host={host}&sslmode=disable"
        )
    }

    pub(super) fn tcp_url(&self, database: &str) -> String {
        let Self { port, password, .. } = self;
        format!("postgres://ck8s:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

/// Percent-encodes what would end a value in a url's query.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
