//! What services.yaml texts say, so that each text is parsed once.
use std::sync::Arc;

use ck8s_types::Invalid;
use moka::sync::Cache;

use crate::domain::{
    repository::Repository,
    services_yaml::{self, Services},
};

/// Bounds the texts that are kept, in bytes; what is parsed of a text is a few times larger.
const MAX_TEXT_BYTES: u64 = 16 * 1024 * 1024;

/// Parsed services.yaml, by text. A clone is the same cache.
#[derive(Clone)]
pub(in crate::service) struct ServicesCache(Cache<String, Arc<Services>>);

impl Default for ServicesCache {
    fn default() -> Self {
        let cache = Cache::builder()
            .weigher(|text: &String, _| u32::try_from(text.len()).unwrap_or(u32::MAX).max(1))
            .max_capacity(MAX_TEXT_BYTES);
        Self(cache.build())
    }
}

impl ServicesCache {
    /// Returns what a text says. Of those who ask for the same text at once, one parses it; an error is not kept.
    pub(in crate::service) fn parse(&self, text: &str) -> Result<Arc<Services>, Invalid> {
        let parse = || services_yaml::parse(text).map(Arc::new);
        let parsed = self.0.try_get_with_by_ref(text, parse);
        parsed.map_err(|error| Invalid::clone(&error))
    }

    /// Returns what the text of a repository says. It was checked when it was stored; one that a later version of ck8s
    /// refuses triggers nothing, and the log says so.
    pub(in crate::service) fn of(&self, repository: &Repository) -> Arc<Services> {
        let parsed = self.parse(&repository.services_file.text);
        parsed.unwrap_or_else(|invalid| {
            tracing::error!(repository.id = %repository.id, %invalid, "a stored services.yaml cannot be parsed");
            Arc::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_and_an_error_each_time() {
        let cache = ServicesCache::default();
        let text = "version: 1\ntriggers: [{name: a, on: {event: push}, run: {command: x}}]\n";
        let first = cache.parse(text).expect("it is valid");
        let second = cache.parse(text).expect("it is valid");
        assert!(Arc::ptr_eq(&first, &second));
        let other = cache.parse("version: 1\n").expect("it is valid");
        assert!(other.triggers.is_empty());
        for _ in 0..2 {
            let error = cache.parse("triggers: []\n").expect_err("it is not valid");
            assert_eq!(error.problem, "line 1: version is missing");
        }
    }
}
