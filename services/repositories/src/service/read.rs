//! Use cases that change nothing.
use std::collections::HashMap;

use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{access::Access, convert::timestamp, page};
use ck8s_types::{ProjectId, RepositoryId};
use prost::Message;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{Repositories, reached};
use crate::{
    domain::row::Row,
    error::Error,
    store::{
        repositories::{self, PageKey},
        secrets,
        webhook_secrets::{self, WebhookSecret},
    },
};

/// A page ends early where it would be larger: half of what a gRPC client takes without being told otherwise.
const LARGEST_PAGE: usize = 2 * 1024 * 1024;
/// Well under what a message of the mesh may hold.
const LARGEST_RESOLVED: usize = 24 * 1024 * 1024;

impl Repositories {
    /// One repository by its id or owner/name.
    pub(crate) async fn get(&self, access: &Access, name: &str) -> Result<pb::Repository, Error> {
        let mut conn = self.pool.acquire().await?;
        let id = repositories::find(&mut conn, name).await?;
        let repository = repositories::get(&mut conn, id).await?;
        reached(access, &repository, name)?;
        Ok(self.repository(repository))
    }

    /// The projects of a list: the one that is named, or all that the caller may see; none: every one.
    pub(crate) async fn projects(
        &self,
        access: &Access,
        named: String,
    ) -> Result<Option<Vec<ProjectId>>, Error> {
        if !named.is_empty() {
            let project = self.reached_project(access, named).await?;
            return Ok(Some(vec![project]));
        }
        Ok(access.scope().projects())
    }

    /// A page by name, of these projects; none: of all.
    pub(crate) async fn list(
        &self,
        projects: Option<Vec<ProjectId>>,
        size: i64,
        after: Option<PageKey>,
    ) -> Result<pb::ListRepositoriesResponse, Error> {
        let mut conn = self.pool.acquire().await?;
        let rows = repositories::list(&mut conn, projects, after.as_ref(), size + 1).await?;
        let more = i64::try_from(rows.len()).is_ok_and(|n| n > size);
        let total = rows.len() - usize::from(more);
        let mut answer = pb::ListRepositoriesResponse::default();
        let (mut bytes, mut last) = (0, None);
        for row in rows.into_iter().take(total) {
            let key: PageKey = (row.full_name.to_lowercase(), row.id);
            let repository = self.repository(row);
            bytes += repository.encoded_len();
            if bytes > LARGEST_PAGE && last.is_some() {
                break;
            }
            answer.repositories.push(repository);
            last = Some(key);
        }
        if more || answer.repositories.len() < total {
            answer.next_page_token = last.map(|key| page::encode(&key)).unwrap_or_default();
        }
        Ok(answer)
    }

    /// What ingress needs to verify and match, for those of the ids that are known.
    pub(crate) async fn resolve(
        &self,
        external_ids: &[String],
    ) -> Result<pb::ResolveRepositoriesResponse, Error> {
        // One snapshot: a secret that is rotated in between is neither doubled nor missed.
        let mut tx = self.pool.begin_with(SNAPSHOT).await?;
        let ids = repositories::by_external_ids(&mut tx, external_ids).await?;
        let rows = repositories::load(&mut tx, &ids).await?;
        let secrets = webhook_secrets::valid(&mut tx, &ids).await?;
        tx.commit().await?;
        let mut secrets_of: HashMap<Uuid, Vec<WebhookSecret>> = HashMap::new();
        for secret in secrets {
            let of = secrets_of.entry(secret.repository_id).or_default();
            of.push(secret);
        }
        let mut answer = pb::ResolveRepositoriesResponse::default();
        let mut bytes = 0;
        for row in rows {
            let secrets = secrets_of.remove(&row.id).unwrap_or_default();
            let mut repository = self.repository(row);
            repository.services_text.clear();
            let resolved = self.resolved(repository, &secrets);
            bytes += resolved.encoded_len();
            if bytes > LARGEST_RESOLVED {
                return Err(Error::TooLarge);
            }
            answer.repositories.push(resolved);
        }
        Ok(answer)
    }

    fn resolved(
        &self,
        repository: pb::Repository,
        secrets: &[WebhookSecret],
    ) -> pb::ResolvedRepository {
        let opened = secrets.iter().filter_map(|secret| {
            // One that does not open must not hold up the other repositories; its deliveries are refused.
            self.key_ring
                .open_text(&secret.row().associated_data(), &secret.sealed)
                .inspect_err(|error| {
                    tracing::error!(repository.id = repository.id, %error, "a webhook secret");
                })
                .ok()
        });
        let webhook_secrets = opened.map(|s| s.expose_secret().to_owned()).collect();
        pb::ResolvedRepository {
            webhook_secrets,
            expire_time: secrets.iter().find_map(|s| s.expires_at).map(timestamp),
            repository: Some(repository),
        }
    }

    /// The values of those of the names that are set.
    pub(crate) async fn open_secrets(
        &self,
        repository: RepositoryId,
        names: &[String],
    ) -> Result<HashMap<String, String>, Error> {
        let mut conn = self.pool.acquire().await?;
        let sealed = secrets::by_names(&mut conn, repository.uuid(), names).await?;
        let mut opened = HashMap::with_capacity(sealed.len());
        for (name, sealed) in sealed {
            let row = Row::Secret {
                repository,
                name: &name,
            };
            let value = self.key_ring.open_text(&row.associated_data(), &sealed)?;
            opened.insert(name, value.expose_secret().to_owned());
        }
        Ok(opened)
    }
}

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
