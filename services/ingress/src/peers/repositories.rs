//! The repositories that webhooks name, by the provider's id: resolved through the repositories service, cached for
//! seconds.
use std::{collections::HashMap, sync::Arc, time::Duration};

use ck8s_proto::repositories::v1::{
    Provider, ResolveRepositoriesRequest, repositories_service_client::RepositoriesServiceClient,
};
use ck8s_rpc::mesh::Channel;

use super::{
    batch_cache::{BatchCache, Loaded, Policy},
    unavailable::repositories_unavailable,
};
use crate::{
    convert,
    domain::{repository::Claimants, unavailable::ServiceUnavailable},
};

/// How long what was resolved counts. A lost notification of a change is made good within five seconds, a repository
/// that was just added works within one, and a busy repository is refreshed in the background and never waits.
const POLICY: Policy = Policy {
    found_lifetime: Duration::from_secs(5),
    absent_lifetime: Duration::from_secs(1),
    refresh_age: Duration::from_secs(2),
    max_entries: 10_000,
};

/// The claimants of a repository; empty: nobody knows it.
pub(crate) type Resolved = Result<Arc<Claimants>, ServiceUnavailable>;

/// The client of `ResolveRepositories`, with its cache; a clone is the same.
#[derive(Clone)]
pub(crate) struct RepositoryCache {
    cache: BatchCache<Claimants>,
}

impl RepositoryCache {
    pub(crate) fn new(channel: Channel) -> Self {
        let client = RepositoriesServiceClient::new(channel)
            .max_decoding_message_size(ck8s_rpc::mesh::MAX_MESSAGE_BYTES);
        let load = move |ids: Vec<u64>| resolve(client.clone(), ids);
        Self {
            cache: BatchCache::new(POLICY, load),
        }
    }

    /// Forgets everything, because something changed.
    pub(crate) fn clear(&self) {
        self.cache.clear();
    }

    /// Returns the claimants of each id, in order.
    pub(crate) async fn resolve(&self, ids: &[u64]) -> Vec<Resolved> {
        let found = self.cache.get_many(ids).await.into_iter();
        found
            .map(|found| found.map(Option::unwrap_or_default))
            .collect()
    }
}

async fn resolve(
    mut client: RepositoriesServiceClient<Channel>,
    ids: Vec<u64>,
) -> Loaded<Claimants> {
    let request = ResolveRepositoriesRequest {
        provider: Provider::Github.into(),
        external_ids: ids.iter().map(u64::to_string).collect(),
    };
    let answer = client.resolve_repositories(request).await;
    let answer = answer
        .map_err(|s| repositories_unavailable(&s))?
        .into_inner();
    let repositories = answer.repositories.into_iter().filter_map(|resolved| {
        convert::repository(resolved)
            .inspect_err(|fault| tracing::error!(%fault, "a resolved repository cannot be read"))
            .ok()
    });
    let mut claimants: HashMap<u64, Claimants> = HashMap::new();
    for (id, repository) in repositories {
        claimants.entry(id).or_default().push(Arc::new(repository));
    }
    let claimants = claimants.into_iter().map(|(id, all)| (id, Arc::new(all)));
    Ok(Arc::new(claimants.collect()))
}
