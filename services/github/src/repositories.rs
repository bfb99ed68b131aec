//! Repositories, people, and what people may.
use ck8s_provider::{Actor, Credential, Lacking, ProviderError, Remote};

use crate::{
    GitHub,
    ask::{Ask, Scope, part},
    caller::locked,
    needs,
    wire::{App, Collaborator, Repository, User},
};

/// A repository's path: its owner and its name.
pub(crate) fn path(full_name: &str) -> Result<String, ProviderError> {
    let wrong = || ProviderError::Invalid(format!("\"{full_name}\" is not owner/name"));
    let (owner, name) = full_name.split_once('/').ok_or_else(wrong)?;
    let fits = |text: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !text.is_empty() && text != "." && text != ".." && text.chars().all(known)
    };
    if !fits(owner) || !fits(name) {
        return Err(wrong());
    }
    Ok(format!("/repos/{owner}/{name}"))
}

impl From<Repository> for Remote {
    fn from(found: Repository) -> Self {
        Self {
            external_id: found.id.to_string(),
            full_name: found.full_name,
            default_branch: found.default_branch,
        }
    }
}

impl GitHub {
    pub(crate) async fn repository(
        &self,
        credential: &Credential,
        full_name: &str,
    ) -> Result<(Remote, Vec<Lacking>), ProviderError> {
        let path = path(full_name)?;
        let ask = Ask::get(path.clone(), needs::REPOSITORY);
        let scope = Scope::Named(full_name);
        let answer = self.ask(credential, scope, ask).await?;
        let answer = answer.good(needs::REPOSITORY)?;
        let found: Repository = answer.read()?;
        let lacking = self
            .lacking(credential, scope, &path, &answer, &found)
            .await?;
        Ok((found.into(), lacking))
    }

    /// GitHub leads from a former name to the one of today, until another repository takes the former one.
    pub(crate) async fn known(
        &self,
        credential: &Credential,
        repository: &Remote,
    ) -> Result<Remote, ProviderError> {
        let ask = Ask::get(path(&repository.full_name)?, needs::REPOSITORY);
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        let found: Repository = answer.good(needs::REPOSITORY)?.read()?;
        let found = Remote::from(found);
        if found.external_id != repository.external_id {
            return Err(ProviderError::NotFound(needs::REPOSITORY.thing));
        }
        Ok(found)
    }

    /// Whose the credential is: of a person's token the person, of an app its bot. It stays, so it is asked once.
    pub(crate) async fn whose(&self, credential: &Credential) -> Result<Actor, ProviderError> {
        let caller = self.callers.of(credential);
        if let Some(actor) = locked(&caller.actor).clone() {
            return Ok(actor);
        }
        let (path, scope) = match credential {
            Credential::Token(_) => ("/user".to_owned(), Scope::Nothing),
            Credential::App { .. } => {
                let ask = Ask::get("/app".to_owned(), needs::ACTOR);
                let answer = self.ask(credential, Scope::App, ask).await?;
                let app: App = answer.good(needs::ACTOR)?.read()?;
                let bot = format!("{}[bot]", app.slug);
                (format!("/users/{}", part(&bot)), Scope::Nothing)
            }
        };
        let ask = Ask::get(path, needs::ACTOR);
        let answer = self.ask(credential, scope, ask).await?;
        let user: User = answer.good(needs::ACTOR)?.read()?;
        let actor = Actor {
            external_id: user.id.to_string(),
            login: user.login,
        };
        *locked(&caller.actor) = Some(actor.clone());
        Ok(actor)
    }

    pub(crate) async fn writes(
        &self,
        credential: &Credential,
        repository: &Remote,
        login: &str,
    ) -> Result<bool, ProviderError> {
        let path = path(&repository.full_name)?;
        let path = format!("{path}/collaborators/{}/permission", part(login));
        let ask = Ask::get(path, needs::COLLABORATOR);
        let scope = Scope::Id(&repository.external_id);
        let answer = self.ask(credential, scope, ask).await?;
        // Bots and people who have gone are no users; a repository that is not there is another matter.
        if answer.missing() && answer.why().ends_with("is not a user") {
            return Ok(false);
        }
        let found: Collaborator = answer.good(needs::COLLABORATOR)?.read()?;
        Ok(matches!(found.permission.as_str(), "admin" | "write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        assert_eq!(path("acme/app.rs").unwrap(), "/repos/acme/app.rs");
        for wrong in [
            "acme",
            "acme/",
            "/app",
            "acme/app/x",
            "acme/..",
            "acme/a?b",
            "a b/c",
            "",
        ] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
