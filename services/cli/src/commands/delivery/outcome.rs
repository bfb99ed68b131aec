//! What becomes of a delivery: it is handled, and may make runs.
use std::time::Duration;

use ck8s_proto::{
    ingress::v1::{Delivery, DeliveryState, GetDeliveryRequest},
    runs::v1::Run,
};
use tokio::time::Instant;

use super::show;
use crate::{
    commands::run::watch,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    output::{self, Format},
    text::one_line,
};

/// How often the server is asked whether the delivery is handled: a person waits for it.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The outcome of a delivery.
pub(super) struct Outcome {
    /// The exit status that it gives the command.
    pub(super) exit_status: ExitStatus,
    /// The runs that have ended, unless their changes were printed for people.
    pub(super) runs: Vec<Run>,
}

impl From<ExitStatus> for Outcome {
    fn from(exit_status: ExitStatus) -> Self {
        Self {
            exit_status,
            runs: Vec::new(),
        }
    }
}

/// Returns the delivery once it is handled, or as it is when the time is over.
pub(crate) async fn wait_until_handled(
    connection: &Connection,
    delivery: &str,
    timeout: Duration,
) -> Result<Delivery, CliError> {
    let deadline = Instant::now() + timeout;
    loop {
        let request = connection.client.request(GetDeliveryRequest {
            delivery: delivery.to_owned(),
        });
        let response = connection.client.ingress().get_delivery(request).await;
        let found = response
            .context(format!("cannot get delivery {delivery}"))?
            .delivery
            .unwrap_or_default();
        if found.state() != DeliveryState::Received || Instant::now() > deadline {
            return Ok(found);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Tells people the delivery's state, and with `wait` follows its runs until they end.
pub(super) async fn follow(
    connection: &Connection,
    delivery: &Delivery,
    wait: bool,
) -> Result<Outcome, CliError> {
    let reason = one_line(&delivery.reason);
    let is_table = connection.format == Format::Table;
    let print = |text: String| {
        if is_table {
            output::print(&text)
        } else {
            Ok(())
        }
    };
    match delivery.state() {
        DeliveryState::RunCreated => {
            for run in show::runs(delivery) {
                print(format!("run {run}"))?;
            }
            if !reason.is_empty() {
                print(format!("not all of its triggers made one: {reason}"))?;
            }
            if wait {
                return follow_runs(connection, show::runs(delivery)).await;
            }
            return Ok(ExitStatus::Success.into());
        }
        DeliveryState::Ignored => print(format!("ignored: {reason}"))?,
        DeliveryState::Failed => {
            print(format!("failed: {reason}"))?;
            return Ok(ExitStatus::Failed.into());
        }
        DeliveryState::Received | DeliveryState::Unspecified => {
            print("not handled yet; `ck8s delivery get` shows what becomes of it".to_owned())?;
        }
    }
    // With `--wait` the caller expects a run, and there is none.
    Ok(if wait {
        ExitStatus::Failed.into()
    } else {
        ExitStatus::Success.into()
    })
}

/// Follows runs, one after the other, until all have ended. They succeed together.
async fn follow_runs(connection: &Connection, ids: &[String]) -> Result<Outcome, CliError> {
    let mut outcome = Outcome::from(ExitStatus::Success);
    for id in ids {
        let exit_status = if connection.format == Format::Table {
            watch::one(connection, id).await?
        } else {
            let run = watch::until_end(connection, id, |_| Ok(())).await?;
            let exit_status = watch::exit_status(&run);
            outcome.runs.push(run);
            exit_status
        };
        if exit_status != ExitStatus::Success {
            outcome.exit_status = exit_status;
        }
    }
    Ok(outcome)
}
