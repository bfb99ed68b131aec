//! The contract's methods with their rules, and a call of any of them with bytes as messages.
use std::time::Duration;

use ck8s_proto::policy::v1 as policy;
use prost_reflect::{DescriptorPool, Value};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Channel,
};

/// Bounds one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// A method of the contract.
pub(crate) struct Method {
    /// `/package.Service/Method`.
    pub path: String,
    /// The rule that says who may call it.
    pub rule: Option<policy::Rule>,
}

impl Method {
    /// The role of the mesh that serves it.
    pub(crate) fn role(&self) -> &'static str {
        let roles = ["auth", "ingress", "repositories", "runs"];
        let found = roles
            .iter()
            .find(|role| self.path.starts_with(&format!("/ck8s.{role}.")));
        found.expect("a role serves it")
    }

    /// Returns whether people with a role in a project may call it.
    pub(crate) fn admits_people(&self) -> bool {
        let rule = self.rule.as_ref().expect("a rule");
        rule.callers().any(|c| c == policy::Caller::Person)
    }
}

/// Returns all methods of ck8s's own services.
pub(crate) fn methods() -> Vec<Method> {
    let pool = DescriptorPool::decode(ck8s_proto::FILE_DESCRIPTOR_SET).expect("a contract");
    let option = pool
        .get_extension_by_name("ck8s.policy.v1.rule")
        .expect("the option");
    let services = pool
        .services()
        .filter(|s| s.full_name().starts_with("ck8s."));
    let methods = services.flat_map(|s| s.methods().collect::<Vec<_>>());
    methods
        .map(|m| {
            let options = m.options();
            let rule =
                options
                    .has_extension(&option)
                    .then(|| match &*options.get_extension(&option) {
                        Value::Message(rule) => rule.transcode_to().expect("a rule"),
                        other => panic!("{other:?}"),
                    });
            Method {
                path: format!("/{}/{}", m.parent_service().full_name(), m.name()),
                rule,
            }
        })
        .collect()
}

/// Calls a method, and returns the first message of the response.
pub(crate) async fn call(
    channel: Channel,
    bearer: Option<&str>,
    path: &str,
    message: Vec<u8>,
) -> Result<Vec<u8>, Status> {
    let mut request = Request::new(message);
    if let Some(bearer) = bearer {
        let value = format!("Bearer {bearer}").parse().expect("a header");
        request.metadata_mut().insert("authorization", value);
    }
    let answer = async {
        let mut grpc = Grpc::new(channel).max_decoding_message_size(64 << 20);
        grpc.ready()
            .await
            .map_err(|e| Status::unavailable(e.to_string()))?;
        let path = PathAndQuery::try_from(path).expect("a path");
        let mut stream = grpc
            .server_streaming(request, path, Raw)
            .await?
            .into_inner();
        Ok(stream.message().await?.unwrap_or_default())
    };
    tokio::time::timeout(CALL_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")))
}

/// A codec that leaves messages as bytes.
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
        prost::bytes::BufMut::put_slice(to, &item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use prost::bytes::Buf;
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
