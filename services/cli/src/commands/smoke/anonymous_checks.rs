//! The check that every closed method of the contract refuses anonymous callers: without a token, and with a made-up
//! one.
use std::time::Duration;

use bytes::{Buf, BufMut};
use ck8s_proto::policy::v1 as policy;
use http::uri::PathAndQuery;
use prost_reflect::{MethodDescriptor, Value};
use secrecy::SecretString;
use tokio::time::timeout;
use tonic::{
    Code, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::{
    client::Client,
    error::{CliError, ExitStatus},
    json,
    target::{Credential, Target},
};

/// Bounds one call: a refusal needs no database and is quick.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// A token of the right shape that no server has made.
const UNKNOWN_TOKEN: &str = "ck8s_adm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Each method that is not for everybody answers UNAUTHENTICATED.
pub(super) async fn refused(target: &Target) -> Result<String, CliError> {
    let (closed, open): (Vec<_>, Vec<_>) = methods().partition(|method| !is_open(method));
    if closed.is_empty() {
        return Err(error("no method of the contract is closed"));
    }
    for credential in [
        Credential::None,
        Credential::Token(SecretString::from(UNKNOWN_TOKEN)),
    ] {
        let client = Client::connect(&Target {
            url: target.url.clone(),
            credential,
            ready: None,
        })
        .await?;
        for method in &closed {
            let path = path_of(method);
            let code = call(&client, &path).await;
            if code != Code::Unauthenticated {
                return Err(error(&format!("{path} answered {code:?}")));
            }
        }
    }
    Ok(format!(
        "refused on all {} methods, without a token and with a made-up one; {} for everybody",
        closed.len(),
        open.len()
    ))
}

/// Returns every method of the contract.
fn methods() -> impl Iterator<Item = MethodDescriptor> {
    json::descriptor_pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// Returns the path that calls a method.
fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Returns whether the contract lets anonymous callers call a method; a method without a rule is closed.
fn is_open(method: &MethodDescriptor) -> bool {
    let Some(option) = json::descriptor_pool().get_extension_by_name("ck8s.policy.v1.rule") else {
        return false;
    };
    let options = method.options();
    match &*options.get_extension(&option) {
        Value::Message(rule) => rule
            .transcode_to::<policy::Rule>()
            .is_ok_and(|rule| rule.callers().any(|c| c == policy::Caller::Anonymous)),
        _ => false,
    }
}

/// Calls a method with an empty message, and returns the status code.
async fn call(client: &Client, path: &str) -> Code {
    let Ok(path) = PathAndQuery::try_from(path) else {
        return Code::Internal;
    };
    let mut grpc = Grpc::new(client.channel());
    let response = async {
        grpc.ready()
            .await
            .map_err(|e| Status::unavailable(e.to_string()))?;
        let request = client.request(Vec::new());
        let mut stream = grpc
            .server_streaming(request, path, Raw)
            .await?
            .into_inner();
        stream.message().await
    };
    match timeout(CALL_TIMEOUT, response).await {
        Ok(Ok(_)) => Code::Ok,
        Ok(Err(status)) => status.code(),
        Err(_) => Code::DeadlineExceeded,
    }
}

fn error(why: &str) -> CliError {
    CliError::new(ExitStatus::Failed, "a stranger", why, "")
}

/// A codec that leaves messages as bytes: their content does not matter here.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_opens_some_methods_to_everybody() {
        let open: Vec<String> = methods().filter(is_open).map(|m| path_of(&m)).collect();
        assert!(open.contains(&"/ck8s.auth.v1.AuthService/RedeemLink".to_owned()));
        assert!(open.len() < methods().count() / 2, "{open:?}");
    }
}
