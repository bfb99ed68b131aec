//! Who may write to which repository, as the provider said within the last minute, so that it is asked once about a
//! busy person.
use std::{future::Future, time::Duration};

use ck8s_provider::ProviderError;
use ck8s_types::RepositoryId;
use moka::future::Cache;

/// How long an answer of the provider counts: somebody whose access was taken away may trigger that much longer.
const ANSWER_TTL: Duration = Duration::from_secs(60);
/// Bounds the answers that are kept, a hundred bytes or so each.
const MAX_ANSWERS: u64 = 10_000;

/// The provider's answers, by repository and login.
pub(super) struct WriteAccessCache(Cache<(RepositoryId, String), bool>);

impl Default for WriteAccessCache {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_ANSWERS)
            .time_to_live(ANSWER_TTL);
        Self(cache.build())
    }
}

impl WriteAccessCache {
    /// Returns whether somebody may write. Of those who ask for the same person at once, one asks the provider; an
    /// error is not kept.
    pub(super) async fn get_or_ask(
        &self,
        repository: RepositoryId,
        login: &str,
        ask: impl Future<Output = Result<bool, ProviderError>>,
    ) -> Result<bool, ProviderError> {
        let key = (repository, login.to_lowercase());
        let answer = self.0.try_get_with(key, ask).await;
        answer.map_err(|error| ProviderError::clone(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_kept_for_one_repository_and_any_case_of_a_login() {
        let cache = WriteAccessCache::default();
        let (one, other) = (RepositoryId::new(), RepositoryId::new());
        let away = || ProviderError::Unavailable("away".to_owned());
        let get = async |repository, login, says| {
            cache.get_or_ask(repository, login, async { says }).await
        };
        assert_eq!(get(one, "Ada", Err(away())).await, Err(away()));
        assert_eq!(get(one, "Ada", Ok(true)).await, Ok(true));
        assert_eq!(get(one, "ada", Err(away())).await, Ok(true));
        assert_eq!(get(other, "ada", Ok(false)).await, Ok(false));
        assert_eq!(get(one, "bob", Err(away())).await, Err(away()));
    }
}
