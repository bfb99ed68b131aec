//! Server-side apply of a manifest.
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use crate::{
    cluster::Cluster,
    error::{KubeError, is_conflict},
    labels::MANAGER,
};

/// What happens to fields that somebody else has set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// They are overwritten.
    Overwrite,
    /// They stay, and the object with them: it is an operator's.
    Keep,
}

impl Cluster {
    /// Applies a manifest, in a namespace or in the whole cluster.
    pub(crate) async fn apply(
        &self,
        namespace: Option<&str>,
        manifest: &Value,
        conflict: Conflict,
    ) -> Result<(), KubeError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&manifest["apiVersion"]), text(&manifest["kind"]));
        let name = text(&manifest["metadata"]["name"]);
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let params = PatchParams::apply(MANAGER);
        let params = match conflict {
            Conflict::Overwrite => params.force(),
            Conflict::Keep => params,
        };
        let patch = Patch::Apply(manifest);
        // Only metadata comes back: a whole Secret would hold its values.
        match api.patch_metadata(&name, &params, &patch).await {
            Err(e) if conflict == Conflict::Keep && is_conflict(&e) => Ok(()),
            Err(e) => Err(KubeError::from_api(&format!("applying {kind} {name}"), &e)),
            Ok(_) => Ok(()),
        }
    }
}
