//! A repository, read from the server and described for people.
use ck8s_proto::repositories::v1::{CredentialKind, GetRepositoryRequest, Repository};

use crate::{
    connection::Connection,
    error::{CliError, ResponseExt as _},
    output,
    table::{key_values, timestamp},
};

/// Reads a repository from the server.
pub(super) async fn get(
    connection: &Connection,
    repository: String,
) -> Result<Repository, CliError> {
    let what = format!("cannot get repository {repository}");
    let request = connection.client.request(GetRepositoryRequest {
        repository,
        project_ids: Vec::new(),
    });
    let response = connection
        .client
        .repositories()
        .get_repository(request)
        .await
        .context(what)?;
    Ok(response.repository.unwrap_or_default())
}

/// Prints a repository.
pub(super) fn print(connection: &Connection, repository: &Repository) -> Result<(), CliError> {
    connection
        .format
        .print_one(repository, || describe(repository, ""))
}

/// Returns what its services.yaml says that can never match, or not as it was meant.
fn warnings(repository: &Repository) -> &[String] {
    let services = repository.services.as_ref();
    services.map_or(&[], |services| &services.warnings)
}

/// Says beside an answer in JSON, too, what is to be doubted.
pub(super) fn warn(repository: &Repository) {
    for warning in warnings(repository) {
        output::note(&format!("services.yaml, {warning}"));
    }
}

/// Describes a repository, one field a line; the secret is empty unless the server has just shown it.
pub(super) fn describe(repository: &Repository, secret: &str) -> String {
    let r = repository;
    let triggers = r.services.iter().flat_map(|s| &s.triggers);
    let triggers = triggers
        .map(|t| format!("{} ({})", t.name, t.event))
        .collect::<Vec<_>>();
    key_values(&[
        ("Name", r.full_name.clone()),
        ("Id", r.id.clone()),
        ("Project", r.project_id.clone()),
        ("External id", r.external_id.clone()),
        ("Default branch", r.default_branch.clone()),
        (
            "Credential",
            match r.credential() {
                CredentialKind::Token => "token".to_owned(),
                CredentialKind::App => "app".to_owned(),
                CredentialKind::Unspecified => String::new(),
            },
        ),
        ("Webhook", r.hook_id.clone()),
        ("Webhook problem", r.hook_problem.clone()),
        ("services.yaml", r.services_path.clone()),
        ("services.yaml problem", r.services_problem.clone()),
        ("Waits for GitHub until", timestamp(r.wait_until.as_ref())),
        ("Triggers", triggers.join(", ")),
        ("Warnings", warnings(r).join("; ")),
        ("Secrets", r.secret_names.join(", ")),
        ("Created", timestamp(r.create_time.as_ref())),
        ("Updated", timestamp(r.update_time.as_ref())),
        (
            "Old secret until",
            timestamp(r.previous_secret_expire_time.as_ref()),
        ),
        ("Etag", r.etag.clone()),
        ("Webhook secret", secret.to_owned()),
    ])
}
