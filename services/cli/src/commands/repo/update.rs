//! `ck8s repo update`.
use std::path::PathBuf;

use ck8s_proto::repositories::v1::UpdateRepositoryRequest;
use clap::Args;
use prost_types::FieldMask;

use super::show;
use crate::{
    args::read_optional,
    client::request_id,
    connection::Connection,
    error::{CliError, ResponseExt as _},
};

/// The arguments of `ck8s repo update`.
#[derive(Args, Clone, Debug)]
pub struct Update {
    /// Its id or owner/name.
    pub repository: String,
    /// The text of services.yaml (-: standard input).
    #[arg(long, value_name = "FILE", required_unless_present_any = ["default_branch", "full_name", "services_path"])]
    pub services_file: Option<PathBuf>,
    /// The branch whose services.yaml counts.
    #[arg(long, value_name = "BRANCH")]
    pub default_branch: Option<String>,
    /// Where services.yaml is in the repository.
    #[arg(long, value_name = "PATH")]
    pub services_path: Option<String>,
    /// The new owner/name.
    #[arg(long, value_name = "OWNER/NAME")]
    pub full_name: Option<String>,
    /// Refuse the change if the repository has changed since this etag was read.
    #[arg(long)]
    pub etag: Option<String>,
}

pub(super) async fn run(connection: &Connection, args: Update) -> Result<(), CliError> {
    let what = format!("cannot update repository {}", args.repository);
    let services_text = read_optional(args.services_file.as_ref())?;
    let changes = [
        ("full_name", args.full_name.is_some()),
        ("default_branch", args.default_branch.is_some()),
        ("services_text", services_text.is_some()),
        ("services_path", args.services_path.is_some()),
    ];
    let paths = changes
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(path, _)| path.to_owned());
    let request = UpdateRepositoryRequest {
        request_id: request_id(),
        repository: args.repository,
        update_mask: Some(FieldMask {
            paths: paths.collect(),
        }),
        full_name: args.full_name.unwrap_or_default(),
        default_branch: args.default_branch.unwrap_or_default(),
        services_text: services_text.unwrap_or_default(),
        etag: args.etag.unwrap_or_default(),
        services_path: args.services_path.unwrap_or_default(),
    };
    let response = connection
        .client
        .repositories()
        .update_repository(connection.client.request(request))
        .await
        .context(what)?;
    let repository = response.repository.unwrap_or_default();
    show::warn(&repository);
    show::print(connection, &repository)
}
