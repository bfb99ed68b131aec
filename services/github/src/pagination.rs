//! Lists that come in pages. An entry that is removed from a page already read moves an entry of the next page to where
//! nobody looks. So a list of several pages is read until two readings agree; pages that did not change cost no
//! requests of the quota.
use std::collections::{BTreeMap, HashMap};

use ck8s_provider::{Credential, ProviderError, Remote};
use http::header::LINK;
use serde::de::DeserializeOwned;

use crate::{
    client::GitHub, operations::Operation, request::Request, response::Response,
    transport::unavailable,
};

/// The most pages that are read, of a hundred entries each.
const MAX_PAGES: usize = 100;
/// How often a list is read that changes each time.
const MAX_READINGS: usize = 4;

/// An entry of a list.
pub(crate) trait ListEntry: DeserializeOwned {
    /// GitHub's id.
    fn id(&self) -> i64;
}

/// The pages of earlier readings, by their paths.
type PageCache = HashMap<String, Response>;

/// One reading of a list: its entries by their ids, and how many pages they came on.
struct Reading<T> {
    entries: BTreeMap<i64, T>,
    pages: usize,
}

impl GitHub {
    /// Returns every entry of a repository's list, each once, in the order of their ids.
    pub(crate) async fn list_all<T: ListEntry>(
        &self,
        credential: &Credential,
        repository: &Remote,
        path: &str,
        operation: Operation,
    ) -> Result<Vec<T>, ProviderError> {
        let (mut cache, mut previous) = (PageCache::new(), None);
        for _ in 0..MAX_READINGS {
            let first = Request::get(path.to_owned(), operation);
            let reading = self
                .read_list::<T>(credential, repository, first, &mut cache)
                .await?;
            let ids: Vec<i64> = reading.entries.keys().copied().collect();
            if reading.pages <= 1 || previous.as_ref() == Some(&ids) {
                return Ok(reading.entries.into_values().collect());
            }
            previous = Some(ids);
        }
        Err(unavailable("its list changes while it is read"))
    }

    async fn read_list<T: ListEntry>(
        &self,
        credential: &Credential,
        repository: &Remote,
        first: Request<'_>,
        cache: &mut PageCache,
    ) -> Result<Reading<T>, ProviderError> {
        let (operation, mut next) = (first.operation, Some(first.path));
        let mut reading = Reading {
            entries: BTreeMap::new(),
            pages: 0,
        };
        while let Some(path) = next {
            reading.pages += 1;
            if reading.pages > MAX_PAGES {
                return Err(unavailable("its list does not end"));
            }
            let request = Request::get(path, operation);
            let page = self
                .read_page(credential, repository, request, cache)
                .await?;
            let entries = page.json::<Vec<T>>()?.into_iter();
            reading
                .entries
                .extend(entries.map(|entry| (entry.id(), entry)));
            next = self.next_page(&page)?;
        }
        Ok(reading)
    }

    async fn read_page(
        &self,
        credential: &Credential,
        repository: &Remote,
        request: Request<'_>,
        cache: &mut PageCache,
    ) -> Result<Response, ProviderError> {
        let path = request.path.clone();
        let etag = cache.get(&path).map(Response::etag);
        let request = request.if_none_match(etag.as_deref().filter(|etag| !etag.is_empty()));
        let page = self
            .send_to(credential, repository, request)
            .await?
            .success()?;
        if page.is_not_modified() {
            let kept = cache.get(&path).cloned();
            return kept.ok_or_else(|| unavailable("it answered 304 to what was not asked"));
        }
        cache.insert(path, page.clone());
        Ok(page)
    }

    /// Returns the path of the page after this one; none after the last.
    pub(crate) fn next_page(&self, page: &Response) -> Result<Option<String>, ProviderError> {
        let header = page.header(LINK.as_str());
        if header.is_empty() {
            return Ok(None);
        }
        let links = parse_link_header::parse_with_rel(header)
            .map_err(|_| unavailable("its Link header cannot be read"))?;
        let next = links.get("next");
        Ok(next.and_then(|link| self.transport.path_of(&link.raw_uri)))
    }
}
