//! The signature of a webhook: HMAC-SHA256 over the raw body, compared in constant time.
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A decoded signature.
pub(crate) type Signature = [u8; 32];

/// A webhook secret as keyed hash state: the secret itself is not kept.
#[derive(Clone)]
pub(crate) struct WebhookSecret(Hmac<Sha256>);

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

impl WebhookSecret {
    /// Takes a secret of any length.
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// Returns whether this secret signed this body.
    pub(crate) fn verify(&self, body: &[u8], signature: &Signature) -> bool {
        let mut mac = self.0.clone();
        mac.update(body);
        mac.verify_slice(signature).is_ok()
    }
}

/// Parses `sha256=<64 hex digits>`; returns none for anything else.
pub(crate) fn parse(header: &str) -> Option<Signature> {
    let mut signature = [0; 32];
    let digits = header.strip_prefix("sha256=")?;
    hex::decode_to_slice(digits, &mut signature).ok()?;
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation of webhook signatures.
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEADER: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn verifies_the_example_of_githubs_documentation() {
        let signature = parse(HEADER).expect("well formed");
        assert!(WebhookSecret::new(SECRET).verify(BODY, &signature));
        assert!(!WebhookSecret::new(SECRET).verify(b"Hello, World?", &signature));
        assert!(!WebhookSecret::new(b"another").verify(BODY, &signature));
        assert!(!WebhookSecret::new(b"").verify(b"", &[0; 32]));
    }

    #[test]
    fn a_malformed_signature_is_none() {
        let sha1 = "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6";
        let long = format!("{HEADER}00");
        for bad in [
            "",
            "sha256=",
            &HEADER[7..],
            &HEADER[..HEADER.len() - 2],
            &long,
            sha1,
            "sha256=zz",
            "SHA256=00",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(
            format!("{:?}", WebhookSecret::new(SECRET)),
            "WebhookSecret(..)"
        );
    }
}
