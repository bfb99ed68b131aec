//! Refusals of a method, recorded for the audit trail.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{EventKind, Invalid, UserId};
use serde_json::json;

use super::auth::Auth;
use crate::{domain::invalid, error::AuthError, store::users};

/// How often the refusal of one method to one user is recorded.
pub(crate) const DENIALS_PER_MINUTE: u32 = 1;
/// The longest path of a method.
const MAX_METHOD_BYTES: usize = 200;

impl Auth {
    /// Records that a user may not call a method: at most once a minute for each user and method.
    pub(crate) async fn record_denial(&self, user: UserId, method: &str) -> Result<(), AuthError> {
        let method = checked_method(method)?;
        let key = (user, method.to_owned());
        if self.denials.check(key).is_err() {
            return Ok(());
        }
        let mut conn = self.pool.acquire().await?;
        let name = users::find_name(&mut conn, user).await?;
        let name = name.unwrap_or_else(|| user.to_string());
        let event = FlowEvent {
            kind: EventKind::AccessDenied,
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
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"./_".contains(&b);
    if (1..=MAX_METHOD_BYTES).contains(&method.len()) && method.bytes().all(allowed) {
        Ok(method)
    } else {
        Err(invalid("method", "must be /package.Service/Method"))
    }
}
