//! What was sealed under an older key of the ring, sealed again under its first.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::repositories::v1 as pb;
use ck8s_sealing::SealError;
use serde_json::json;

use super::{Call, Repositories};
use crate::{
    error::Error,
    store::{requests, sealed},
};

/// Values of one transaction.
const MOST: i64 = 200;

impl Repositories {
    /// Seals again what lies under another key than the ring's first, some at a time; what somebody replaces meanwhile is theirs.
    pub(crate) async fn reseal(&self, call: Call) -> Result<pb::ResealResponse, Error> {
        const METHOD: &str = "Reseal";
        let ids = self.key_ring.ids();
        let (first, others) = ids.split_first().ok_or(SealError)?;
        let mut resealed = 0;
        loop {
            let mut tx = self.pool.begin().await?;
            if let Some(answer) = requests::answered(&mut tx, call.request, METHOD).await? {
                return Ok(answer);
            }
            let some = sealed::under_others(&mut tx, first, MOST).await?;
            if some.is_empty() {
                let event = NewEvent {
                    kind: "keys.rotated",
                    project_id: None,
                    run_id: None,
                    actor: call.actor.clone(),
                    message: format!(
                        "{resealed} values of repositories were sealed again, under {first}"
                    ),
                    data: Some(json!({ "key_id": first, "resealed": resealed })),
                };
                events::record(&mut tx, &[event]).await?;
                let answer = pb::ResealResponse {
                    key_id: (*first).to_owned(),
                    resealed,
                    idle_key_ids: others.iter().map(|&id| id.to_owned()).collect(),
                };
                requests::remember(&mut tx, call.request, METHOD, &answer).await?;
                tx.commit().await?;
                return Ok(answer);
            }
            for (at, before) in some {
                let row = at.row().associated_data();
                if let Some(after) = self.key_ring.reseal(&row, &before)?
                    && sealed::replace(&mut tx, &at, &before, &after).await?
                {
                    resealed += 1;
                }
            }
            tx.commit().await?;
        }
    }
}
