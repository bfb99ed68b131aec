//! The checks of webhooks: a wrong signature is refused, and a delivery is accepted once.
use ck8s_proto::ingress::v1::{DeliveryState, GetDeliveryRequest};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use super::fixture::{Fixture, HANDLED_TIMEOUT, LABEL};
use crate::{
    commands::delivery::{self, Payload, WebhookRequest},
    connection::Connection,
    error::{CliError, ExitStatus},
};

const EVENT: &str = "issues";

/// A delivery and its payload.
pub(super) struct SentWebhook {
    /// The delivery's id.
    pub(super) delivery: String,
    body: Vec<u8>,
}

/// A delivery with a wrong signature is refused and not stored.
pub(super) async fn bad_signature(
    connection: &Connection,
    fixture: &Fixture,
) -> Result<String, CliError> {
    let sent = SentWebhook::new(fixture);
    let wrong: SecretString = Uuid::new_v4().to_string().into();
    sent.post(connection, &wrong, 401).await?;
    let request = connection.client.request(GetDeliveryRequest {
        delivery: sent.delivery.clone(),
    });
    match connection.client.ingress().get_delivery(request).await {
        Err(status) if status.code() == tonic::Code::NotFound => {
            Ok("a delivery with a wrong signature is refused (401) and not kept".to_owned())
        }
        Err(status) => Err(CliError::status("cannot see whether it was kept", &status)),
        Ok(_) => Err(error("the refused delivery was kept")),
    }
}

impl SentWebhook {
    /// Makes the delivery of a labeled issue in the fixture's repository, with an id of its own.
    pub(super) fn new(fixture: &Fixture) -> Self {
        let user = json!({"login": "ck8s-smoke", "id": 1, "type": "User"});
        let (owner, name) = fixture.full_name.split_once('/').unwrap_or_default();
        let body = json!({
            "action": "labeled",
            "label": {"id": 1, "name": LABEL},
            "issue": {"id": 1, "number": 1, "title": "Smoke test", "state": "open",
                "labels": [{"id": 1, "name": LABEL}], "user": user, "author_association": "OWNER"},
            "repository": {"id": fixture.external_id, "name": name, "full_name": fixture.full_name,
                "default_branch": "main", "owner": {"login": owner}},
            "sender": user,
        });
        Self {
            delivery: Uuid::new_v4().to_string(),
            body: body.to_string().into_bytes(),
        }
    }

    /// The delivery is accepted when it is sent for the first time.
    pub(super) async fn accepted(
        &self,
        connection: &Connection,
        fixture: &Fixture,
    ) -> Result<String, CliError> {
        self.post(connection, &fixture.secret, 202).await?;
        Ok(format!("delivery {} is accepted (202)", self.delivery))
    }

    /// The delivery is a duplicate when it is sent again.
    pub(super) async fn duplicate(
        &self,
        connection: &Connection,
        fixture: &Fixture,
    ) -> Result<String, CliError> {
        self.post(connection, &fixture.secret, 200).await?;
        Ok("the same delivery again is a duplicate (200)".to_owned())
    }

    /// Returns the run that the delivery makes.
    pub(super) async fn run(&self, connection: &Connection) -> Result<String, CliError> {
        let delivery =
            delivery::wait_until_handled(connection, &self.delivery, HANDLED_TIMEOUT).await?;
        match delivery.state() {
            DeliveryState::RunCreated => Ok(delivery.run_id),
            DeliveryState::Received => Err(error("the delivery is not handled in time")),
            state => Err(error(&format!(
                "the delivery is {}: {}",
                state.as_str_name(),
                delivery.reason
            ))),
        }
    }

    async fn post(
        &self,
        connection: &Connection,
        secret: &SecretString,
        expected: u16,
    ) -> Result<(), CliError> {
        let request = WebhookRequest {
            event: EVENT,
            delivery_id: &self.delivery,
            secret,
            payload: Payload::from_bytes(self.body.clone()),
        };
        let response = request.post(&connection.url).await?;
        if response.status == expected {
            return Ok(());
        }
        Err(error(&format!(
            "the server answered {} {}, not {expected}",
            response.status, response.code
        )))
    }
}

fn error(why: &str) -> CliError {
    CliError::new(ExitStatus::Failed, "webhook", why, "")
}
