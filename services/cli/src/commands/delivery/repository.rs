//! The repository that a delivery is sent for: the payload's own, the given one, or the demo repository.
use ck8s_proto::repositories::v1::{GetRepositoryRequest, ListRepositoriesRequest};
use tonic::Code;

use super::payload::Payload;
use crate::{
    client::{Client, collect_pages},
    connection::Connection,
    error::{CliError, ResponseExt as _},
    output,
    ready_file::RepositoryName,
    target::Target,
};

/// Makes the payload name the given repository, if there is one; else the demo repository, if the server does not know
/// the payload's own.
pub(super) async fn choose_repository(
    payload: &mut Payload,
    given: Option<&str>,
    target: &Target,
    connection: Option<&Connection>,
) -> Result<(), CliError> {
    let demo = target
        .ready
        .as_ref()
        .and_then(|ready| ready.demo_repository.as_ref());
    if let Some(name) = given {
        let repository = match (connection, demo) {
            (_, Some(demo)) if demo.full_name == name => demo.clone(),
            (Some(connection), _) => find(&connection.client, name).await?,
            (None, _) => {
                let hint = "set CK8S_TOKEN, or leave --repository out";
                return Err(CliError::usage(
                    format!("cannot look up {name}"),
                    "no token is known",
                    hint,
                ));
            }
        };
        return payload.set_repository(&repository);
    }
    let (Some(connection), Some(demo), Some(named)) = (connection, demo, payload.repository())
    else {
        return Ok(());
    };
    if named.external_id == demo.external_id || is_registered(&connection.client, &named).await? {
        return Ok(());
    }
    payload.set_repository(demo)?;
    output::note(&format!(
        "the payload's repository {} is not registered here; sent as {}",
        named.full_name, demo.full_name
    ));
    Ok(())
}

/// Reads a repository's name and external id from the server.
async fn find(client: &Client, name: &str) -> Result<RepositoryName, CliError> {
    let request = client.request(GetRepositoryRequest {
        repository: name.to_owned(),
        project_ids: Vec::new(),
    });
    let response = client.repositories().get_repository(request).await;
    let repository = response
        .context(format!("cannot find repository {name}"))?
        .repository
        .unwrap_or_default();
    Ok(RepositoryName {
        full_name: repository.full_name,
        external_id: repository.external_id,
    })
}

/// Returns whether the server knows the external id. It is looked up by name first, which is quicker.
async fn is_registered(client: &Client, named: &RepositoryName) -> Result<bool, CliError> {
    let request = client.request(GetRepositoryRequest {
        repository: named.full_name.clone(),
        project_ids: Vec::new(),
    });
    match client
        .repositories()
        .get_repository(request)
        .await
        .map(|a| a.into_inner().repository)
    {
        Ok(Some(repository)) if repository.external_id == named.external_id => return Ok(true),
        Ok(_) => {}
        Err(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => {}
        Err(status) => {
            return Err(CliError::status(
                "cannot look up the payload's repository",
                &status,
            ));
        }
    }
    let mut service = client.repositories();
    let all = collect_pages(0, async |page_size, page_token| {
        let request = ListRepositoriesRequest {
            project: String::new(),
            page_size,
            page_token,
        };
        let response = service
            .list_repositories(client.request(request))
            .await
            .context("cannot list repositories")?;
        let ids = response
            .repositories
            .into_iter()
            .map(|r| r.external_id)
            .collect::<Vec<_>>();
        Ok((ids, response.next_page_token))
    });
    Ok(all.await?.contains(&named.external_id))
}
