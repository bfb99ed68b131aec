//! Whose objects are touched: the installation that this process works for marks what it makes with its id, and leaves
//! alone what carries another one's.
use ck8s_types::InstallationId;
use kube::ResourceExt;
use serde_json::Value;

use crate::labels::{INSTALLATION, managed_selector};

/// The installation that a process works for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Installation {
    /// No server has said it yet.
    Unknown,
    /// The server is older than the ids of installations: what is made carries none.
    Unnamed,
    /// This one.
    Named(InstallationId),
}

impl From<Option<InstallationId>> for Installation {
    fn from(id: Option<InstallationId>) -> Self {
        id.map_or(Self::Unnamed, Self::Named)
    }
}

impl Installation {
    /// Whether an object may be touched: it is this installation's, or an older program made it, which marked nothing.
    /// The caller knows the latter for its own by the run that it is about.
    pub(crate) fn may_touch(self, object: &impl ResourceExt) -> bool {
        match (self, object.labels().get(INSTALLATION)) {
            (_, None) => true,
            (Self::Named(id), Some(label)) => *label == id.to_string(),
            (Self::Unknown | Self::Unnamed, Some(_)) => false,
        }
    }

    /// Returns the selector of what this installation made; none if that cannot be told.
    pub(crate) fn selector(self) -> Option<String> {
        match self {
            Self::Named(id) => Some(format!("{},{INSTALLATION}={id}", managed_selector())),
            Self::Unknown | Self::Unnamed => None,
        }
    }

    /// Adds the installation to the labels of an object that is about to be made.
    pub(crate) fn mark(self, labels: &mut Value) {
        if let Self::Named(id) = self {
            labels[INSTALLATION] = id.to_string().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_another_installation_made_is_left_alone() {
        let (ours, theirs) = (InstallationId::new(), InstallationId::new());
        let pod = |labels: Value| -> Pod {
            serde_json::from_value(json!({"metadata": {"labels": labels}})).expect("is a pod")
        };
        let marked = |id: InstallationId| {
            let mut labels = json!({});
            Installation::Named(id).mark(&mut labels);
            pod(labels)
        };
        let installation = Installation::Named(ours);
        assert!(installation.may_touch(&marked(ours)));
        assert!(!installation.may_touch(&marked(theirs)));
        assert!(
            installation.may_touch(&pod(json!({}))),
            "an older program's"
        );
        assert!(!Installation::Unnamed.may_touch(&marked(theirs)));
        assert_eq!(Installation::Unknown.selector(), None);
        assert_eq!(Installation::Unnamed.selector(), None);
    }
}
