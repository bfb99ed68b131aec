//! Every method of the contract, called by somebody who is nobody: without a token, and with one that was made up.
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
    fault::{Exit, Fault},
    global::{Target, Who},
    json,
};

/// A refusal needs nothing but the contract: it is quick.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the right shape, and nobody's.
const MADE_UP: &str = "ck8s_adm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Each method that is not for everybody answers UNAUTHENTICATED.
pub(super) async fn refused(target: &Target) -> Result<String, Fault> {
    let (closed, open): (Vec<_>, Vec<_>) = methods().partition(|method| !for_anybody(method));
    if closed.is_empty() {
        return Err(fault("no method of the contract is closed"));
    }
    for who in [Who::Nobody, Who::Token(SecretString::from(MADE_UP))] {
        let client = Client::connect(&Target {
            url: target.url.clone(),
            who,
            ready: None,
        })
        .await?;
        for method in &closed {
            let path = path_of(method);
            let code = call(&client, &path).await;
            if code != Code::Unauthenticated {
                return Err(fault(&format!("{path} answered {code:?}")));
            }
        }
    }
    Ok(format!(
        "refused on all {} methods, without a token and with a made-up one; {} for everybody",
        closed.len(),
        open.len()
    ))
}

fn methods() -> impl Iterator<Item = MethodDescriptor> {
    json::pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
}

fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Whether the contract lets nobody in particular call it; a method without a rule lets nobody.
fn for_anybody(method: &MethodDescriptor) -> bool {
    let Some(option) = json::pool().get_extension_by_name("ck8s.policy.v1.rule") else {
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

/// How a call with an empty message ends.
async fn call(client: &Client, path: &str) -> Code {
    let Ok(path) = PathAndQuery::try_from(path) else {
        return Code::Internal;
    };
    let mut grpc = Grpc::new(client.channel());
    let answer = async {
        grpc.ready()
            .await
            .map_err(|e| Status::unavailable(e.to_string()))?;
        let ask = client.ask(Vec::new());
        let mut stream = grpc.server_streaming(ask, path, Raw).await?.into_inner();
        stream.message().await
    };
    match timeout(PATIENCE, answer).await {
        Ok(Ok(_)) => Code::Ok,
        Ok(Err(status)) => status.code(),
        Err(_) => Code::DeadlineExceeded,
    }
}

fn fault(why: &str) -> Fault {
    Fault::new(Exit::Failed, "a stranger", why, "")
}

/// Messages as bytes: which they are does not matter here.
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
    fn the_contract_says_what_is_for_everybody() {
        let open: Vec<String> = methods().filter(for_anybody).map(|m| path_of(&m)).collect();
        assert!(open.contains(&"/ck8s.auth.v1.AuthService/RedeemLink".to_owned()));
        assert!(open.len() < methods().count() / 2, "{open:?}");
    }
}
