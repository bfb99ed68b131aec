//! Page tokens: what is ours is read as it was written, and everything else is an invalid argument.
use std::fmt::Debug;

use ck8s_rpc::page;
use serde::{Serialize, de::DeserializeOwned};
use tonic::Code;

/// Reads a text as a token of each kind of key, and writes and reads a key made of the input.
pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    foreign::<uuid::Uuid>(&text);
    foreign::<String>(&text);
    foreign::<(i64, i64)>(&text);
    ours(&text.into_owned());
    if let Ok(bytes) = <[u8; 16]>::try_from(input) {
        ours(&uuid::Uuid::from_bytes(bytes));
        let (high, low) = uuid::Uuid::from_bytes(bytes).as_u64_pair();
        ours(&(high.cast_signed(), low.cast_signed()));
    }
}

/// A token that is accepted stands for a key, and an empty one for the first page.
fn foreign<K: Serialize + DeserializeOwned + PartialEq + Debug>(token: &str) {
    match page::decode::<K>("page_token", token) {
        Ok(None) => assert_eq!(token, "", "only an empty token is the first page"),
        Ok(Some(key)) => ours(&key),
        Err(status) => {
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().len() < 1_000, "{}", status.message());
        }
    }
}

/// A key is what its token says.
fn ours<K: Serialize + DeserializeOwned + PartialEq + Debug>(key: &K) {
    let token = page::encode(key);
    let decoded = page::decode::<K>("page_token", &token).expect("our own token");
    assert_eq!(decoded.as_ref(), Some(key));
}
