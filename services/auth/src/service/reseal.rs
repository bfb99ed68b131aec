//! What was sealed under an older key of the ring, sealed again under its first.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::auth::v1 as pb;
use serde_json::json;

use super::{Auth, By, keys};
use crate::{
    error::AuthError,
    store::{
        sealed::{self, At},
        sign_ins,
    },
};

impl Auth {
    /// Seals again what lies under another key than the ring's first: all of it, or nothing.
    pub(crate) async fn reseal(&self, by: By) -> Result<pb::ResealResponse, AuthError> {
        let ring = &self.sign_in()?.config.key_ring;
        let ids = ring.ids();
        let (first, others) = ids.split_first().ok_or(AuthError::Unmade)?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "Reseal").await? {
            return Ok(answer);
        }
        let mut resealed = 0;
        for (at, before) in sealed::under_others(&mut tx, first).await? {
            let row = match &at {
                At::SigningKey(id) => keys::associated(*id),
                At::SignIn(hash) => sign_ins::associated(hash),
            };
            if let Some(after) = ring.reseal(&row, &before)? {
                sealed::put(&mut tx, &at, &after).await?;
                resealed += 1;
            }
        }
        let event = NewEvent {
            kind: "keys.rotated",
            project_id: None,
            run_id: None,
            actor: by.actor.clone(),
            message: format!("{resealed} of sign-in's values were sealed again, under {first}"),
            data: Some(json!({ "key_id": first, "resealed": resealed })),
        };
        events::record(&mut tx, &[event]).await?;
        let answer = pb::ResealResponse {
            key_id: (*first).to_owned(),
            resealed,
            idle_key_ids: others.iter().map(|&id| id.to_owned()).collect(),
        };
        by.keep(&mut tx, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
