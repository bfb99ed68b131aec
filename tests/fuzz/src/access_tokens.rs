//! Access tokens: only what the key signed, as it was signed, says whom it is for.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ck8s_auth::read_access_token;

/// The public half of a key whose private half nobody has any more.
const PUBLIC_KEY: &str = "CMZhKhfHs57j-hGRaZC6mm2IenyKT8Y1N10fuHI_BJk";
/// The issuer of the one token that the key signed.
const ISSUER: &str = "https://ck8s.test";
/// That token: its header, its claims, its signature.
const SIGNED: [&str; 3] = [
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6IjAxODkwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMSJ9",
    concat!(
        "eyJpc3MiOiJodHRwczovL2NrOHMudGVzdCIsImF1ZCI6ImNrOHMiLCJzdWIiOiIwMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0w",
        "MDAwMDAwMDAwMDIiLCJzaWQiOiIwMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDMiLCJqdGkiOiIwMTg5MDAw",
        "MC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDQiLCJpYXQiOjEwMDAsIm5iZiI6MTAwMCwiZXhwIjoxNjAwfQ",
        "",
    ),
    "aOh15Qvj8HmRKDOKkVCe8qHZDn2ft0Yx0YihiOQzoc2Ry7e5dA_tqgjcQ8Y9_6tCSuVqZTRSkFr-u1bMUlwzAw",
];

/// Reads a text as an access token.
pub(crate) fn run(input: &[u8]) {
    let key = URL_SAFE_NO_PAD.decode(PUBLIC_KEY).expect("a key");
    let text = String::from_utf8_lossy(input);
    let Some(reading) = read_access_token(&text, &key, ISSUER) else {
        return;
    };
    assert_eq!(reading.key_id.len(), 36);
    if reading.subject.is_some() {
        assert_eq!(text, SIGNED.join("."), "another text counts as the token");
    }
}
