//! The hook of a repository: made, mended, removed at its provider. Each step may be repeated.
use ck8s_provider::{HookSpec, ProviderError};
use secrecy::SecretString;

use super::outside::{Far, at};
use crate::error::Error;

/// What is named in an error where it stopped.
pub const LOOKING: &str = "looking for hooks";
pub const MAKING: &str = "making the hook";
pub const PINGING: &str = "pinging the hook";

impl Far {
    /// Has exactly one hook post to our address, with this secret, turned on, for everything that ck8s hears of. One that is there is
    /// taken over; any more are removed. Returns its id.
    pub async fn put_hook(&self, secret: &SecretString) -> Result<String, Error> {
        let spec = HookSpec {
            url: self.outside.hook_url.clone(),
            secret: secret.clone(),
        };
        let (credential, remote) = (&self.credential, &self.remote);
        let found = self.api().hooks(credential, remote, &spec.url).await;
        let mut found = found.map_err(at(LOOKING))?.into_iter();
        let hook = match found.next() {
            Some(hook) => {
                self.api()
                    .update_hook(credential, remote, &hook.id, &spec)
                    .await
            }
            None => self.api().create_hook(credential, remote, &spec).await,
        };
        let hook = hook.map_err(at(MAKING))?;
        for other in found {
            self.api()
                .delete_hook(credential, remote, &other.id)
                .await
                .map_err(at("removing a second hook"))?;
        }
        Ok(hook.id)
    }

    /// Has the hook post a ping.
    pub async fn ping(&self, hook_id: &str) -> Result<(), Error> {
        let done = self
            .api()
            .ping_hook(&self.credential, &self.remote, hook_id);
        done.await.map_err(at(PINGING))
    }

    /// Removes every hook that posts to our address, and the one that is known.
    pub async fn drop_hooks(&self, known: Option<&str>) -> Result<(), ProviderError> {
        let (credential, remote) = (&self.credential, &self.remote);
        let url = &self.outside.hook_url;
        let mut ids: Vec<String> = known.map(str::to_owned).into_iter().collect();
        for hook in self.api().hooks(credential, remote, url).await? {
            if !ids.contains(&hook.id) {
                ids.push(hook.id);
            }
        }
        for id in ids {
            self.api().delete_hook(credential, remote, &id).await?;
        }
        Ok(())
    }
}
