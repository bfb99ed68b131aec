//! The ready file: what scripts need to begin. Its names are stable.
use std::path::Path;

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    data_dir::{DataDir, write_private},
    demo::DemoRepository,
};

/// What is said once everything answers.
pub(crate) struct Ready {
    /// The public listener.
    pub(crate) url: String,
    /// The same for gRPC clients: host and port.
    pub(crate) grpc: String,
    /// The console, signed in: good once.
    pub(crate) admin_url: String,
    /// A platform admin's token.
    pub(crate) admin_token: SecretString,
    /// The demo project's slug.
    pub(crate) demo_project: String,
    /// The demo repository.
    pub(crate) demo_repository: DemoRepository,
    /// Its webhook secret.
    pub(crate) webhook_secret: SecretString,
    /// The database, for its superuser.
    pub(crate) database_url: SecretString,
}

impl Ready {
    /// Writes it into the directory, and to where else it is wanted.
    pub(crate) fn write(&self, dir: &DataDir, also: Option<&Path>) -> Result<()> {
        let repository = &self.demo_repository;
        let content = json!({
            "url": self.url,
            "grpc": self.grpc,
            "admin_url": self.admin_url,
            "admin_token": self.admin_token.expose_secret(),
            "demo_project": self.demo_project,
            "demo_repository": {
                "id": repository.id,
                "full_name": repository.full_name,
                "external_id": repository.external_id,
            },
            "webhook_secret": self.webhook_secret.expose_secret(),
            "database_url": self.database_url.expose_secret(),
        });
        let content = format!("{content:#}\n");
        write_private(&dir.ready_file(), content.as_bytes())?;
        match also {
            Some(path) => write_private(path, content.as_bytes()),
            None => Ok(()),
        }
    }
}
