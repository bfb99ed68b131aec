//! `ck8s repo add`.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::AddRepositoryRequest;
use clap::Args;

use super::{credential::CredentialArgs, show, webhook_secret};
use crate::{
    args::read_optional,
    client::request_id,
    connection::Connection,
    error::{CliError, ResponseExt as _},
    output,
};

/// The arguments of `ck8s repo add`.
#[derive(Args, Clone, Debug)]
pub struct Add {
    /// owner/name.
    pub full_name: String,
    /// The project's id or slug.
    #[arg(long)]
    pub project: String,
    /// GitHub's numeric repository id, if there is no credential to look it up with.
    #[arg(long, value_name = "N", required_unless_present_any = ["access_token_file", "app_id"])]
    pub external_id: Option<String>,
    /// The text of services.yaml (-: standard input), if there is no credential to read it with.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["access_token_file", "app_id"])]
    pub services_file: Option<PathBuf>,
    /// Reads the webhook secret from a file; without it, a random one is made and shown.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["access_token_file", "app_id"])]
    pub webhook_secret_file: Option<PathBuf>,
    /// The credential that ck8s uses at GitHub.
    #[command(flatten)]
    pub credential: CredentialArgs,
    /// Where services.yaml is in the repository; without it, .ck8s/services.yaml.
    #[arg(long, value_name = "PATH")]
    pub services_path: Option<String>,
    /// The branch whose services.yaml counts; without it, the repository's default branch, or main.
    #[arg(long, value_name = "BRANCH")]
    pub default_branch: Option<String>,
}

pub(super) async fn run(connection: &Connection, args: Add) -> Result<(), CliError> {
    let what = format!("cannot add repository {}", args.full_name);
    let request = AddRepositoryRequest {
        request_id: request_id(),
        project: args.project,
        full_name: args.full_name,
        external_id: args.external_id.unwrap_or_default(),
        default_branch: args.default_branch.unwrap_or_default(),
        services_text: read_optional(args.services_file.as_ref())?.unwrap_or_default(),
        webhook_secret: webhook_secret::read(args.webhook_secret_file.as_ref())?,
        services_path: args.services_path.unwrap_or_default(),
        credential: args.credential.to_add()?,
    };
    let response = connection
        .client
        .repositories()
        .add_repository(connection.client.request(request))
        .await
        .context(what)?;
    if !response.webhook_secret.is_empty() {
        output::note("the webhook secret is shown here and never again");
    }
    show::warn(&response.repository.clone().unwrap_or_default());
    connection.format.print_one(&response, || {
        let repository = response.repository.clone().unwrap_or_default();
        show::describe(&repository, &response.webhook_secret)
    })
}
