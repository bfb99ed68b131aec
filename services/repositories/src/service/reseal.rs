//! Seals values again, under the first key of the ring, that are sealed under another one.
use ck8s_db::events::{self, FlowEvent};
use ck8s_sealing::SealError;
use ck8s_types::EventKind;
use serde_json::json;

use super::{repeated_calls, repositories::Repositories};
use crate::{
    domain::{caller::Caller, repository::ResealSummary},
    error::Error,
    store::sealed_values,
};

/// Bounds the values of one transaction, which holds their rows.
const MAX_VALUES_PER_TRANSACTION: i64 = 200;

impl Repositories {
    /// Seals everything again that is not under the first key; a value that somebody replaces meanwhile is left to
    /// them.
    pub(crate) async fn reseal(&self, caller: Caller) -> Result<ResealSummary, Error> {
        let ids = self.key_ring.ids();
        let (first, others) = ids.split_first().ok_or(SealError)?;
        let mut resealed = 0;
        loop {
            let mut tx = self.pool.begin().await?;
            if let Some(answer) = repeated_calls::find_answer(&mut tx, &caller).await? {
                return Ok(answer);
            }
            let values =
                sealed_values::under_other_keys(&mut tx, first, MAX_VALUES_PER_TRANSACTION).await?;
            if values.is_empty() {
                let summary = ResealSummary {
                    key_id: (*first).to_owned(),
                    resealed,
                    idle_key_ids: others.iter().map(|&id| id.to_owned()).collect(),
                };
                tx.rollback().await?;
                return self.finish_reseal(&caller, summary).await;
            }
            for value in values {
                let row = value.row().associated_data();
                if let Some(after) = self.key_ring.reseal(&row, &value.sealed)?
                    && sealed_values::replace(&mut tx, &value, &after).await?
                {
                    resealed += 1;
                }
            }
            tx.commit().await?;
        }
    }

    async fn finish_reseal(
        &self,
        caller: &Caller,
        summary: ResealSummary,
    ) -> Result<ResealSummary, Error> {
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = repeated_calls::claim(&mut tx, caller).await? {
            return Ok(answer);
        }
        let event = FlowEvent {
            kind: EventKind::KeysRotated,
            project_id: None,
            run_id: None,
            actor: caller.actor.clone(),
            message: format!(
                "{} values of repositories were sealed again, under {}",
                summary.resealed, summary.key_id
            ),
            data: Some(json!({ "key_id": summary.key_id, "resealed": summary.resealed })),
        };
        events::record(&mut tx, &[event]).await?;
        repeated_calls::keep_answer(&mut tx, caller, &summary).await?;
        tx.commit().await?;
        Ok(summary)
    }
}
