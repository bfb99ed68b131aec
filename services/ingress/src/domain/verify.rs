//! Is it genuine: HMAC-SHA256 over the raw body, compared in constant time.
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A signature as it came, decoded.
pub(crate) type Signature = [u8; 32];

/// A webhook secret, as keyed hash state: the text itself is not kept.
#[derive(Clone)]
pub(crate) struct Secret(Hmac<Sha256>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// A secret of any length.
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// Whether this secret signed this body.
    pub(crate) fn signed(&self, body: &[u8], signature: &Signature) -> bool {
        let mut mac = self.0.clone();
        mac.update(body);
        mac.verify_slice(signature).is_ok()
    }
}

/// Reads `sha256=<64 hex digits>`; anything else is none.
pub(crate) fn parse(header: &str) -> Option<Signature> {
    let mut signature = [0; 32];
    let digits = header.strip_prefix("sha256=")?;
    hex::decode_to_slice(digits, &mut signature).ok()?;
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From GitHub's documentation of webhook signatures.
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEADER: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn takes_github_s_own_example() {
        let signature = parse(HEADER).expect("well formed");
        assert!(Secret::new(SECRET).signed(BODY, &signature));
        assert!(!Secret::new(SECRET).signed(b"Hello, World?", &signature));
        assert!(!Secret::new(b"another").signed(BODY, &signature));
        assert!(!Secret::new(b"").signed(b"", &[0; 32]));
    }

    #[test]
    fn malformed_ones_are_none() {
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
    fn a_secret_never_shows() {
        assert_eq!(format!("{:?}", Secret::new(SECRET)), "Secret(..)");
    }
}
