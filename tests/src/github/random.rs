//! Random secrets and ids.
use rand::Rng;

/// Returns random bytes as hexadecimal digits.
pub(crate) fn random(bytes: usize) -> String {
    let mut data = vec![0; bytes];
    rand::rng().fill_bytes(&mut data);
    hex::encode(data)
}
