//! What services.yaml texts say, remembered by repository and version, so that a text is parsed once.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ck8s_proto::repositories::v1 as pb;
use uuid::Uuid;

use crate::{
    convert,
    domain::services_yaml::{Services, parse},
    store::repositories::Repository,
};

/// Repositories remembered: a few kilobytes each, and never more than 256.
const MOST: usize = 4_096;

#[derive(Default)]
pub struct Parsed(Mutex<HashMap<Uuid, (i64, Arc<pb::Services>)>>);

impl Parsed {
    /// What the repository's text says. The text was checked when it was stored; one that a later version of ck8s does not take
    /// any more triggers nothing, and the log says so.
    pub fn of(&self, repository: &Repository) -> pb::Services {
        if let Some((version, services)) = self.lock().get(&repository.id)
            && *version == repository.version
        {
            return pb::Services::clone(services);
        }
        let services = parse(&repository.services_text).unwrap_or_else(|invalid| {
            tracing::error!(repository.id = %repository.id, %invalid, "a stored services.yaml cannot be read");
            Services::default()
        });
        let services = convert::services(services);
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(
            repository.id,
            (repository.version, Arc::new(services.clone())),
        );
        services
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (i64, Arc<pb::Services>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
