//! Refusals of people, written down for the audit trail.
use ck8s_db::events::{self, NewEvent};
use ck8s_types::{Invalid, UserId};
use serde_json::json;

use super::Auth;
use crate::{domain::invalid, error::AuthError, store::users};

/// The longest path of a method.
const LONGEST_METHOD: usize = 200;

impl Auth {
    /// A person may not call a method: written down at most once a minute for each of both, whichever replica saw it.
    pub(crate) async fn record_denial(&self, user: UserId, method: &str) -> Result<(), AuthError> {
        let method = checked_method(method)?;
        if !self.upkeep.denial_is_due(user, method) {
            return Ok(());
        }
        let mut conn = self.pool.acquire().await?;
        let name = users::name(&mut conn, user).await?;
        let name = name.unwrap_or_else(|| user.to_string());
        let event = NewEvent {
            kind: "access.denied",
            project_id: None,
            run_id: None,
            actor: format!("user:{name}"),
            message: format!("{name} may not call {method}"),
            data: Some(json!({ "user_id": user, "method": method })),
        };
        Ok(events::record(&mut conn, &[event]).await?)
    }
}

fn checked_method(method: &str) -> Result<&str, Invalid> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"./_".contains(&b);
    if (1..=LONGEST_METHOD).contains(&method.len()) && method.bytes().all(fits) {
        Ok(method)
    } else {
        Err(invalid("method", "must be /package.Service/Method"))
    }
}
