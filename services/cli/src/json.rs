//! Serializes messages of the contract as JSON or YAML: fields have the contract's names and order and are always
//! present (null where a message is unset), enums are names, times are RFC 3339, 64-bit numbers are numbers.
use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use ck8s_proto::{
    auth::v1 as auth, ingress::v1 as ingress, repositories::v1 as repositories, runs::v1 as runs,
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MapKey, ReflectMessage, SerializeOptions, Value,
};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// The contract's descriptors.
static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(ck8s_proto::FILE_DESCRIPTOR_SET)
        .expect("the committed descriptor set is one")
});

/// Returns the contract's descriptors: its messages, methods and options.
pub(crate) fn descriptor_pool() -> &'static DescriptorPool {
    &POOL
}

/// A message of the contract that is printed.
pub(crate) trait ContractMessage: prost::Message + Default {
    /// The full name in the contract.
    const NAME: &'static str;
}

macro_rules! contract_messages {
    ($($package:literal $noun:ident: $($message:ident)*;)*) => {
        $($(impl ContractMessage for $noun::$message {
            const NAME: &'static str = concat!($package, ".", stringify!($message));
        })*)*

        #[cfg(test)]
        const NAMES: &[&str] = &[$($($noun::$message::NAME),*),*];
    };
}

contract_messages! {
    "ck8s.auth.v1" auth: Project DeleteProjectResponse Token CreateTokenResponse JoinWorkerResponse WhoAmIResponse User RemoveUserResponse Member
        RemoveMemberResponse;
    "ck8s.ingress.v1" ingress: Delivery;
    "ck8s.repositories.v1" repositories: Repository AddRepositoryResponse RemoveRepositoryResponse RotateWebhookSecretResponse
        CheckRepositoryResponse MendRepositoryResponse Secret SetProjectSecretResponse;
    "ck8s.runs.v1" runs: Run FlowEvent ExplainRunResponse WatchRunsResponse Slot SetSlotsResponse ReleaseSlotResponse Worker;
}

/// A message that serializes as this module says.
pub(crate) struct MessageJson(DynamicMessage);

impl MessageJson {
    /// Wraps a message.
    pub(crate) fn new<M: ContractMessage>(message: &M) -> Self {
        let descriptor = POOL
            .get_message_by_name(M::NAME)
            .expect("tested: it is in the contract");
        let bytes = message.encode_to_vec();
        Self(
            DynamicMessage::decode(descriptor, bytes.as_slice()).expect("its own encoding decodes"),
        )
    }
}

impl Serialize for MessageJson {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Fields(&self.0).serialize(to)
    }
}

struct Fields<'a>(&'a DynamicMessage);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let descriptor = self.0.descriptor();
        if descriptor.full_name().starts_with("google.protobuf.") {
            return self.0.serialize_with_options(to, &SerializeOptions::new());
        }
        let mut map = to.serialize_map(None)?;
        for field in descriptor.fields() {
            if field.supports_presence() && !self.0.has_field(&field) {
                map.serialize_entry(field.name(), &())?;
            } else {
                let (value, kind) = (self.0.get_field(&field), field.kind());
                map.serialize_entry(field.name(), &FieldValue(&value, &kind))?;
            }
        }
        map.end()
    }
}

struct FieldValue<'a>(&'a Value, &'a Kind);

impl Serialize for FieldValue<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(value, kind) = self;
        match value {
            Value::Bool(v) => to.serialize_bool(*v),
            Value::I32(v) => to.serialize_i32(*v),
            Value::I64(v) => to.serialize_i64(*v),
            Value::U32(v) => to.serialize_u32(*v),
            Value::U64(v) => to.serialize_u64(*v),
            Value::F32(v) => to.serialize_f32(*v),
            Value::F64(v) => to.serialize_f64(*v),
            Value::String(v) => to.serialize_str(v),
            Value::Bytes(v) => to.serialize_str(&STANDARD.encode(v)),
            Value::EnumNumber(number) => {
                let name = kind.as_enum().and_then(|e| e.get_value(*number));
                // A newer server may have values that this program does not know.
                match name {
                    Some(value) => to.serialize_str(value.name()),
                    None => to.serialize_i32(*number),
                }
            }
            Value::Message(message) => Fields(message).serialize(to),
            Value::List(items) => to.collect_seq(items.iter().map(|item| FieldValue(item, kind))),
            Value::Map(entries) => {
                let of = kind
                    .as_message()
                    .map(|entry| entry.map_entry_value_field().kind());
                let mut sorted: Vec<_> = entries.iter().map(|(k, v)| (key_text(k), v)).collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                to.collect_map(
                    sorted
                        .iter()
                        .map(|(k, v)| (k, FieldValue(v, of.as_ref().unwrap_or(kind)))),
                )
            }
        }
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(v) => v.to_string(),
        MapKey::I32(v) => v.to_string(),
        MapKey::I64(v) => v.to_string(),
        MapKey::U32(v) => v.to_string(),
        MapKey::U64(v) => v.to_string(),
        MapKey::String(v) => v.clone(),
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use serde_json::json;

    use super::*;

    fn run() -> runs::Run {
        runs::Run {
            id: "r".into(),
            state: runs::RunState::Pending.into(),
            spec: Some(runs::RunSpec {
                env: [("B".into(), "2".into()), ("A".into(), "1".into())].into(),
                running_timeout_seconds: 3_600,
                ..Default::default()
            }),
            create_time: Some(Timestamp {
                seconds: 1_764_000_000,
                nanos: 5_000_000,
            }),
            ..Default::default()
        }
    }

    #[test]
    fn each_message_is_in_the_contract() {
        for name in NAMES {
            assert!(POOL.get_message_by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_field_is_present_under_its_name_in_the_contract() {
        let value = serde_json::to_value(MessageJson::new(&run())).unwrap();
        assert_eq!(value["state"], "RUN_STATE_PENDING");
        assert_eq!(value["reason"], "RUN_REASON_UNSPECIFIED");
        assert_eq!(value["create_time"], "2025-11-24T16:00:00.005Z");
        assert_eq!(value["spec"]["running_timeout_seconds"], 3_600);
        assert_eq!(value["spec"]["env"], json!({"A": "1", "B": "2"}));
        let object = value.as_object().unwrap();
        for (unset, empty) in [
            ("exit_code", json!(null)),
            ("finish_time", json!(null)),
            ("worker_id", json!("")),
        ] {
            assert_eq!(object.get(unset), Some(&empty), "{unset}");
        }
    }

    #[test]
    fn fields_have_the_contracts_order() {
        let text = serde_json::to_string(&MessageJson::new(&run())).unwrap();
        assert!(
            text.starts_with(r#"{"id":"r","project_id":"","repository_id":"","#),
            "{text}"
        );
    }

    #[test]
    fn lists_are_arrays() {
        let answer = runs::ExplainRunResponse {
            reasons: vec![runs::WaitReason {
                cause: runs::WaitCause::NoSlot.into(),
                run_ids: vec!["a".into()],
                ..Default::default()
            }],
            ..Default::default()
        };
        let value = serde_json::to_value(MessageJson::new(&answer)).unwrap();
        assert_eq!(value["reasons"][0]["cause"], "WAIT_CAUSE_NO_SLOT");
        assert_eq!(value["reasons"][0]["run_ids"], json!(["a"]));
        assert_eq!(value["run"], json!(null));
    }
}
