//! Who is at the other end of a connection of the mesh.
use std::sync::Arc;

use ck8s_pki::Identity;

/// The other end of a connection of the mesh: a role of this process, over memory, or whom a certificate names.
#[derive(Clone, Debug)]
pub struct MeshPeer(pub(crate) Arc<Identity>);

impl MeshPeer {
    pub(crate) fn role(name: &str) -> Self {
        Self(Arc::new(Identity::role(name)))
    }
}
