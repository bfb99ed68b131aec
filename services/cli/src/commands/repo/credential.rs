//! The credential that ck8s uses at GitHub: read from files, so that no argument list holds it.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::{
    App, Repository, RotateCredentialRequest, add_repository_request, rotate_credential_request,
};
use clap::Args;

use crate::{
    args::read_secret,
    client::request_id,
    connection::Connection,
    error::{CliError, ResponseExt as _},
};

/// A personal access token, or an app's installation.
#[derive(Args, Clone, Debug)]
pub struct CredentialArgs {
    /// Reads a personal access token from a file (-: standard input).
    #[arg(long, value_name = "FILE")]
    pub access_token_file: Option<PathBuf>,
    /// A GitHub App's id, in place of a token.
    #[arg(long, value_name = "N", conflicts_with = "access_token_file", requires_all = ["installation_id", "private_key_file"])]
    pub app_id: Option<String>,
    /// The id of its installation.
    #[arg(long, value_name = "N", requires = "app_id")]
    pub installation_id: Option<String>,
    /// Reads its private key from a PEM file.
    #[arg(long, value_name = "FILE", requires = "app_id")]
    pub private_key_file: Option<PathBuf>,
}

/// A credential that was read from its files.
enum ProviderCredential {
    Token(String),
    App(App),
}

impl CredentialArgs {
    fn read(&self) -> Result<Option<ProviderCredential>, CliError> {
        if let Some(path) = &self.access_token_file {
            return Ok(Some(ProviderCredential::Token(read_secret(Some(path))?)));
        }
        let Some(app_id) = self.app_id.clone() else {
            return Ok(None);
        };
        Ok(Some(ProviderCredential::App(App {
            app_id,
            installation_id: self.installation_id.clone().unwrap_or_default(),
            private_key: read_secret(self.private_key_file.as_ref())?,
        })))
    }

    /// Returns the credential of a repository to add; without one, people maintain its webhook and its services.yaml.
    pub(super) fn to_add(&self) -> Result<Option<add_repository_request::Credential>, CliError> {
        Ok(self.read()?.map(|credential| match credential {
            ProviderCredential::Token(token) => add_repository_request::Credential::Token(token),
            ProviderCredential::App(app) => add_repository_request::Credential::App(app),
        }))
    }
}

/// Replaces the credential of a repository.
pub(super) async fn rotate(
    connection: &Connection,
    repository: String,
    credential: &CredentialArgs,
) -> Result<Repository, CliError> {
    let what = format!("cannot replace the credential of {repository}");
    let credential = credential.read()?.ok_or_else(|| {
        CliError::usage(
            &what,
            "there is none",
            "name a file with --access-token-file, or an app with --app-id",
        )
    })?;
    let credential = match credential {
        ProviderCredential::Token(token) => rotate_credential_request::Credential::Token(token),
        ProviderCredential::App(app) => rotate_credential_request::Credential::App(app),
    };
    let request = RotateCredentialRequest {
        request_id: request_id(),
        repository,
        credential: Some(credential),
    };
    let response = connection
        .client
        .repositories()
        .rotate_credential(connection.client.request(request))
        .await
        .context(what)?;
    Ok(response.repository.unwrap_or_default())
}
