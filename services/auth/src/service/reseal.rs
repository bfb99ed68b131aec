//! Sealing again: values that were sealed under an older key of the ring are sealed under its first key.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::EventKind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{auth::Auth, call::Call, signing_keys};
use crate::{
    error::AuthError,
    store::{
        sealed_values::{self, SealedRow},
        sign_ins,
    },
};

/// The result of sealing again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ResealOutcome {
    /// The key under which everything lies now.
    pub key_id: String,
    pub resealed: i64,
    /// The ring's other keys, which nothing needs any more.
    pub idle_key_ids: Vec<String>,
}

impl Auth {
    /// Seals all values again that lie under another key than the ring's first, or none of them.
    pub(crate) async fn reseal(&self, call: Call) -> Result<ResealOutcome, AuthError> {
        let ring = &self.sign_in()?.config.key_ring;
        let ids = ring.ids();
        let (first, others) = ids.split_first().ok_or(AuthError::SecretCreation)?;
        let mut tx = self.pool.begin().await?;
        if let Some(outcome) = call.repeated(&mut tx).await? {
            return Ok(outcome);
        }
        let mut resealed = 0;
        for (row, sealed) in sealed_values::list_under_other_keys(&mut tx, first).await? {
            let associated_data = match &row {
                SealedRow::SigningKey(id) => signing_keys::associated_data(*id),
                SealedRow::SignIn(hash) => sign_ins::associated_data(hash),
            };
            if let Some(sealed) = ring.reseal(&associated_data, &sealed)? {
                sealed_values::update(&mut tx, &row, &sealed).await?;
                resealed += 1;
            }
        }
        let event = FlowEvent {
            kind: EventKind::KeysRotated,
            project_id: None,
            run_id: None,
            actor: call.actor.clone(),
            message: format!("{resealed} of sign-in's values were sealed again, under {first}"),
            data: Some(json!({ "key_id": first, "resealed": resealed })),
        };
        events::record(&mut tx, &[event]).await?;
        let outcome = ResealOutcome {
            key_id: (*first).to_owned(),
            resealed,
            idle_key_ids: others.iter().map(|&id| id.to_owned()).collect(),
        };
        call.keep(&mut tx, &outcome).await?;
        tx.commit().await?;
        Ok(outcome)
    }
}
