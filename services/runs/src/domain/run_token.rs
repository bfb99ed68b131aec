//! The token of a run, `ck8s_run_<run>_<mac>`. Nothing of it is stored: the MAC follows from the key, and the token is
//! valid as long as its run lives.
use ck8s_types::RunId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::RunTokenKey;

const PREFIX: &str = "ck8s_run_";

/// A token with which a run speaks for itself.
pub(crate) struct RunToken;

impl RunToken {
    /// Returns the token of a run.
    pub(crate) fn issue(key: &RunTokenKey, run: RunId) -> String {
        let mac = hex::encode(mac(key, run).finalize().into_bytes());
        format!("{PREFIX}{}_{mac}", run.uuid().simple())
    }

    /// Returns the run that a token speaks for. None: the key did not sign it.
    pub(crate) fn verify(key: &RunTokenKey, token: &str) -> Option<RunId> {
        let (run, sent) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let run: RunId = run.parse().ok()?;
        mac(key, run).verify_slice(&hex::decode(sent).ok()?).ok()?;
        Some(run)
    }
}

fn mac(key: &RunTokenKey, run: RunId) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
    mac.update(b"ck8s run token v1 ");
    mac.update(run.uuid().as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_speaks_for_one_run_only() {
        let (key, run) = (RunTokenKey([7; 32]), RunId::new());
        let token = RunToken::issue(&key, run);
        assert_eq!(RunToken::verify(&key, &token), Some(run));
        assert_eq!(RunToken::verify(&RunTokenKey([8; 32]), &token), None);
        let other = token.replace(
            &run.uuid().simple().to_string(),
            &RunId::new().uuid().simple().to_string(),
        );
        assert_eq!(RunToken::verify(&key, &other), None);
        for bad in ["", "ck8s_run_", "ck8s_run_x_y", &token[..token.len() - 2]] {
            assert_eq!(RunToken::verify(&key, bad), None, "{bad}");
        }
    }
}
