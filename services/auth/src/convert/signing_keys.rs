//! Signing keys and the key ring.
use ck8s_proto::auth::v1 as pb;

use crate::service::ResealOutcome;

impl From<ResealOutcome> for pb::ResealResponse {
    fn from(outcome: ResealOutcome) -> Self {
        Self {
            key_id: outcome.key_id,
            resealed: outcome.resealed,
            idle_key_ids: outcome.idle_key_ids,
        }
    }
}
