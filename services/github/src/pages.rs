//! Lists that come in pages. A list that changes while it is read can hide an entry: what is removed from a page that was read moves an
//! entry of the next one to where nobody looks. So lists of several pages are read until two readings agree; GitHub does not count
//! what has not changed.
use std::collections::{BTreeMap, HashMap};

use ck8s_provider::{Credential, ProviderError};
use http::header::LINK;
use serde::de::DeserializeOwned;

use crate::{
    GitHub,
    answer::Answer,
    ask::{Ask, Scope},
    needs::Need,
    transport::unavailable,
};

/// No list has more pages, of a hundred entries each.
const MOST: usize = 100;
/// So often a list that changes all the time is read.
const READINGS: usize = 4;

/// An entry of a list.
pub(crate) trait Entry: DeserializeOwned {
    /// GitHub's id.
    fn id(&self) -> i64;
}

/// The pages that came before, by their paths.
type Seen = HashMap<String, Answer>;

impl GitHub {
    /// Every entry of a list, each once, in the order of their ids.
    pub(crate) async fn all<T: Entry>(
        &self,
        credential: &Credential,
        scope: Scope<'_>,
        path: &str,
        need: Need,
    ) -> Result<Vec<T>, ProviderError> {
        let (mut seen, mut before) = (Seen::new(), None);
        for _ in 0..READINGS {
            let (entries, pages) = self
                .reading::<T>(credential, scope, path, need, &mut seen)
                .await?;
            let ids: Vec<i64> = entries.keys().copied().collect();
            if pages <= 1 || before.as_ref() == Some(&ids) {
                return Ok(entries.into_values().collect());
            }
            before = Some(ids);
        }
        Err(unavailable("its list changes while it is read"))
    }

    async fn reading<T: Entry>(
        &self,
        credential: &Credential,
        scope: Scope<'_>,
        path: &str,
        need: Need,
        seen: &mut Seen,
    ) -> Result<(BTreeMap<i64, T>, usize), ProviderError> {
        let (mut entries, mut pages, mut next) = (BTreeMap::new(), 0, Some(path.to_owned()));
        while let Some(path) = next {
            pages += 1;
            if pages > MOST {
                return Err(unavailable("its list does not end"));
            }
            let page = self.page(credential, scope, path, need, seen).await?;
            entries.extend(
                page.read::<Vec<T>>()?
                    .into_iter()
                    .map(|entry| (entry.id(), entry)),
            );
            next = self.next(&page);
        }
        Ok((entries, pages))
    }

    async fn page(
        &self,
        credential: &Credential,
        scope: Scope<'_>,
        path: String,
        need: Need,
        seen: &mut Seen,
    ) -> Result<Answer, ProviderError> {
        let etag = seen
            .get(&path)
            .map(Answer::etag)
            .filter(|etag| !etag.is_empty());
        let ask = Ask::get(path.clone(), need).unless(etag.as_deref());
        let answer = self.ask(credential, scope, ask).await?.good(need)?;
        if answer.unchanged() {
            let before = seen.get(&path).cloned();
            return before.ok_or_else(|| unavailable("it answered 304 to what was not asked"));
        }
        seen.insert(path, answer.clone());
        Ok(answer)
    }

    /// The path of the page after this one.
    pub(crate) fn next(&self, page: &Answer) -> Option<String> {
        let link = page.header(LINK.as_str());
        let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
        let (_, address) = next.split_once('<')?;
        let (address, _) = address.split_once('>')?;
        self.transport.below(address)
    }
}
