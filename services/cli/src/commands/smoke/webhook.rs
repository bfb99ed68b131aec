//! The webhooks of a smoke test: refused, accepted, and known already.
use ck8s_proto::ingress::v1::{DeliveryState, GetDeliveryRequest};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use super::place::{HANDLED, LABEL, Place};
use crate::{
    commands::{payload::Payload, send},
    fault::{Exit, Fault},
    session::Session,
};

const EVENT: &str = "issues";

/// One delivery and its payload.
pub(super) struct Sent {
    /// Its id.
    pub(super) delivery: String,
    body: Vec<u8>,
}

/// A delivery that somebody else signed is refused, and kept nowhere.
pub(super) async fn bad_signature(session: &Session, place: &Place) -> Result<String, Fault> {
    let sent = Sent::new(place);
    let wrong: SecretString = Uuid::new_v4().to_string().into();
    sent.post(session, &wrong, 401).await?;
    let request = session.client.ask(GetDeliveryRequest {
        delivery: sent.delivery.clone(),
    });
    match session.client.ingress().get_delivery(request).await {
        Err(status) if status.code() == tonic::Code::NotFound => {
            Ok("a delivery with a wrong signature is refused (401) and not kept".to_owned())
        }
        Err(status) => Err(Fault::status("cannot see whether it was kept", &status)),
        Ok(_) => Err(wrong_answer("the refused delivery was kept")),
    }
}

impl Sent {
    /// A labelled issue of the place's repository, under an id of its own.
    pub(super) fn new(place: &Place) -> Self {
        let user = json!({"login": "ck8s-smoke", "id": 1, "type": "User"});
        let (owner, name) = place.full_name.split_once('/').unwrap_or_default();
        let body = json!({
            "action": "labeled",
            "label": {"id": 1, "name": LABEL},
            "issue": {"id": 1, "number": 1, "title": "Smoke test", "state": "open",
                "labels": [{"id": 1, "name": LABEL}], "user": user},
            "repository": {"id": place.external_id, "name": name, "full_name": place.full_name,
                "default_branch": "main", "owner": {"login": owner}},
            "sender": user,
        });
        Self {
            delivery: Uuid::new_v4().to_string(),
            body: body.to_string().into_bytes(),
        }
    }

    /// The first time it is accepted.
    pub(super) async fn accepted(&self, session: &Session, place: &Place) -> Result<String, Fault> {
        self.post(session, &place.secret, 202).await?;
        Ok(format!("delivery {} is accepted (202)", self.delivery))
    }

    /// The second time it is known already.
    pub(super) async fn duplicate(
        &self,
        session: &Session,
        place: &Place,
    ) -> Result<String, Fault> {
        self.post(session, &place.secret, 200).await?;
        Ok("the same delivery again is a duplicate (200)".to_owned())
    }

    /// The run that it makes.
    pub(super) async fn run(&self, session: &Session) -> Result<String, Fault> {
        let delivery = send::handled(session, &self.delivery, HANDLED).await?;
        match delivery.state() {
            DeliveryState::RunCreated => Ok(delivery.run_id),
            DeliveryState::Received => Err(wrong_answer("the delivery is not handled in time")),
            state => Err(wrong_answer(&format!(
                "the delivery is {}: {}",
                state.as_str_name(),
                delivery.reason
            ))),
        }
    }

    async fn post(
        &self,
        session: &Session,
        secret: &SecretString,
        wanted: u16,
    ) -> Result<(), Fault> {
        let payload = Payload::of(self.body.clone());
        let (status, body) =
            send::post(&session.url, EVENT, &self.delivery, secret, payload).await?;
        if status == wanted {
            return Ok(());
        }
        Err(wrong_answer(&format!(
            "the server answered {status} {}, not {wanted}",
            body.code
        )))
    }
}

fn wrong_answer(why: &str) -> Fault {
    Fault::new(Exit::Failed, "webhook", why, "")
}
