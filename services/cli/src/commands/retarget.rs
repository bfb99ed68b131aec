//! Which repository a delivery is sent as: the payload's own, the one that was asked for, or the demo.
use ck8s_proto::repositories::v1::{GetRepositoryRequest, ListRepositoriesRequest};
use tonic::Code;

use super::payload::Payload;
use crate::{
    client::{Client, pages},
    fault::{Answer, Fault},
    global::Target,
    output,
    ready::Demo,
    session::Session,
};

/// Sends it as another repository's where that was asked for, or where the server does not know the payload's and there is a demo.
pub(super) async fn retarget(
    payload: &mut Payload,
    asked: Option<&str>,
    target: &Target,
    session: Option<&Session>,
) -> Result<(), Fault> {
    let demo = target
        .ready
        .as_ref()
        .and_then(|ready| ready.demo_repository.as_ref());
    if let Some(name) = asked {
        let to = match (session, demo) {
            (_, Some(demo)) if demo.full_name == name => demo.clone(),
            (Some(session), _) => find(&session.client, name).await?,
            (None, _) => {
                let todo = "set CK8S_TOKEN, or leave --repository out";
                return Err(Fault::usage(
                    format!("cannot look up {name}"),
                    "no token is known",
                    todo,
                ));
            }
        };
        return payload.retarget(&to);
    }
    let (Some(session), Some(demo), Some(named)) = (session, demo, payload.repository()) else {
        return Ok(());
    };
    if named.external_id == demo.external_id || registered(&session.client, &named).await? {
        return Ok(());
    }
    payload.retarget(demo)?;
    output::note(&format!(
        "the payload's repository {} is not registered here; sent as {}",
        named.full_name, demo.full_name
    ));
    Ok(())
}

async fn find(client: &Client, name: &str) -> Result<Demo, Fault> {
    let request = client.ask(GetRepositoryRequest {
        repository: name.to_owned(),
    });
    let answer = client.repositories().get_repository(request).await;
    let repository = answer
        .or_say(format!("cannot find repository {name}"))?
        .repository
        .unwrap_or_default();
    Ok(Demo {
        full_name: repository.full_name,
        external_id: repository.external_id,
    })
}

/// Whether the server knows the provider's id; the name is only a short way to find it.
async fn registered(client: &Client, named: &Demo) -> Result<bool, Fault> {
    let request = client.ask(GetRepositoryRequest {
        repository: named.full_name.clone(),
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
            return Err(Fault::status(
                "cannot look up the payload's repository",
                &status,
            ));
        }
    }
    let mut service = client.repositories();
    let all = pages(0, async |page_size, page_token| {
        let request = ListRepositoriesRequest {
            project: String::new(),
            page_size,
            page_token,
        };
        let answer = service
            .list_repositories(client.ask(request))
            .await
            .or_say("cannot list repositories")?;
        let ids = answer
            .repositories
            .into_iter()
            .map(|r| r.external_id)
            .collect::<Vec<_>>();
        Ok((ids, answer.next_page_token))
    });
    Ok(all.await?.contains(&named.external_id))
}
