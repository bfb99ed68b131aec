//! Users: the account that a credential acts as, and who may write to a repository.
use ck8s_provider::{Actor, Credential, ProviderError, Remote};

use crate::{
    client::GitHub,
    models::{App, Collaborator, User},
    operations, path,
    request::{Request, TokenScope},
};

impl GitHub {
    /// Returns the owner of a personal token, or an app's bot.
    pub(crate) async fn actor(&self, credential: &Credential) -> Result<Actor, ProviderError> {
        let state = self.state(credential);
        let actor = state.actor.get_or_try_init(|| self.read_actor(credential));
        actor.await.cloned()
    }

    async fn read_actor(&self, credential: &Credential) -> Result<Actor, ProviderError> {
        let path = match credential {
            Credential::Token(_) => "/user".to_owned(),
            Credential::App { .. } => {
                let request = Request::get("/app".to_owned(), operations::GET_ACTOR);
                let response = self.send(credential, TokenScope::App, request).await?;
                let app: App = response.success()?.json()?;
                let bot = format!("{}[bot]", app.slug);
                format!("/users/{}", path::segment(&bot))
            }
        };
        let request = Request::get(path, operations::GET_ACTOR);
        let response = self
            .send(credential, TokenScope::NoRepository, request)
            .await?;
        let user: User = response.success()?.json()?;
        Ok(Actor {
            external_id: user.id.to_string(),
            login: user.login,
        })
    }

    pub(crate) async fn may_write(
        &self,
        credential: &Credential,
        repository: &Remote,
        login: &str,
    ) -> Result<bool, ProviderError> {
        let path = path::repository(&repository.full_name)?;
        let path = format!("{path}/collaborators/{}/permission", path::segment(login));
        let request = Request::get(path, operations::GET_COLLABORATOR);
        let response = self.send_to(credential, repository, request).await?;
        // GitHub answers 404 for bots and deleted accounts, and for a repository that does not exist: only the message
        // tells them apart.
        if response.is_not_found() && response.error_message().ends_with("is not a user") {
            return Ok(false);
        }
        let collaborator: Collaborator = response.success()?.json()?;
        Ok(matches!(
            collaborator.permission.as_str(),
            "admin" | "write"
        ))
    }
}
