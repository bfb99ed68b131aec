//! What ck8s shows to GitHub: read from files, so that no argument list holds it.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::{
    App, Repository, RotateCredentialRequest, add_repository_request, rotate_credential_request,
};
use clap::Args;

use crate::{
    args::read_secret,
    client::request_id,
    fault::{Answer, Fault},
    session::Session,
};

/// A personal access token, or an app's installation.
#[derive(Args, Clone, Debug)]
pub struct Shown {
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

enum Read {
    Token(String),
    App(App),
}

impl Shown {
    fn read(&self) -> Result<Option<Read>, Fault> {
        if let Some(path) = &self.access_token_file {
            return Ok(Some(Read::Token(read_secret(Some(path))?)));
        }
        let Some(app_id) = self.app_id.clone() else {
            return Ok(None);
        };
        Ok(Some(Read::App(App {
            app_id,
            installation_id: self.installation_id.clone().unwrap_or_default(),
            private_key: read_secret(self.private_key_file.as_ref())?,
        })))
    }

    /// For a repository to add; none: it is looked after by hand.
    pub(super) fn to_add(&self) -> Result<Option<add_repository_request::Credential>, Fault> {
        Ok(self.read()?.map(|read| match read {
            Read::Token(token) => add_repository_request::Credential::Token(token),
            Read::App(app) => add_repository_request::Credential::App(app),
        }))
    }
}

/// Gives ck8s this in place of what it has.
pub(super) async fn rotate(
    session: &Session,
    repository: String,
    shown: &Shown,
) -> Result<Repository, Fault> {
    let what = format!("cannot replace the credential of {repository}");
    let credential = shown.read()?.ok_or_else(|| {
        Fault::usage(
            &what,
            "there is none",
            "name a file with --access-token-file, or an app with --app-id",
        )
    })?;
    let credential = match credential {
        Read::Token(token) => rotate_credential_request::Credential::Token(token),
        Read::App(app) => rotate_credential_request::Credential::App(app),
    };
    let request = RotateCredentialRequest {
        request_id: request_id(),
        repository,
        credential: Some(credential),
    };
    let answer = session
        .client
        .repositories()
        .rotate_credential(session.client.ask(request))
        .await
        .or_say(what)?;
    Ok(answer.repository.unwrap_or_default())
}
