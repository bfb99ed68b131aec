//! The payload of a webhook: read from a file or from a collection of examples; its bytes stay as they are unless a
//! value is set.
use std::path::Path;

use serde_json::{Map, Value};

use crate::{args::read_bytes, error::CliError, ready_file::RepositoryName};

/// A payload to send.
pub(crate) struct Payload {
    bytes: Vec<u8>,
    /// None if the payload is not JSON; then it is sent as it is.
    value: Option<Value>,
    changed: bool,
}

impl Payload {
    /// Reads a file. `F#N` and `F#ACTION` take one of `event`'s examples of a collection (`index.json` of
    /// @octokit/webhooks-examples): the Nth from 0, or the first with that action. A collection without `#` gives the
    /// first.
    pub(super) fn read(source: &str, event: &str) -> Result<Self, CliError> {
        let (path, which) = match source.rsplit_once('#') {
            Some((path, which)) if !Path::new(source).exists() => (path, Some(which)),
            _ => (source, None),
        };
        let payload = Self::from_bytes(read_bytes(Path::new(path))?);
        match (&payload.value, which) {
            (Some(Value::Array(collection)), which) => {
                pick(collection, event, which.unwrap_or("0")).map(|value| Self {
                    bytes: Vec::new(),
                    value: Some(value),
                    changed: true,
                })
            }
            (_, Some(_)) => Err(CliError::usage(
                format!("cannot choose from {path}"),
                "it is one payload, not a collection of examples",
                "leave out the part from # on",
            )),
            (_, None) => Ok(payload),
        }
    }

    /// Makes a payload from its bytes.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        let value = serde_json::from_slice(&bytes).ok();
        Self {
            bytes,
            value,
            changed: false,
        }
    }

    /// Sets a value by its dotted path. A number is an index into an array; missing objects on the way are added.
    pub(super) fn set(&mut self, path: &str, text: &str) -> Result<(), CliError> {
        let what = format!("cannot set {path}");
        let Some(mut at) = self.value.as_mut() else {
            return Err(CliError::usage(
                what,
                "the payload is not JSON",
                "send it without --set",
            ));
        };
        for step in path.split('.') {
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
            at = match at {
                Value::Object(object) => object.entry(step).or_insert(Value::Null),
                Value::Array(array) => {
                    let length = array.len();
                    let item = step
                        .parse::<usize>()
                        .ok()
                        .and_then(|index| array.get_mut(index));
                    item.ok_or_else(|| {
                        CliError::usage(
                            &what,
                            format!("{step:?} is no place in an array of {length}"),
                            "count from 0",
                        )
                    })?
                }
                _ => {
                    let why = format!("{step:?} would be inside a value that is no object");
                    return Err(CliError::usage(what, why, "look at the payload"));
                }
            };
        }
        *at = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        self.changed = true;
        Ok(())
    }

    /// Returns the repository that the payload names.
    pub(super) fn repository(&self) -> Option<RepositoryName> {
        let repository = self.value.as_ref()?.get("repository")?;
        Some(RepositoryName {
            external_id: repository.get("id")?.to_string(),
            full_name: repository
                .get("full_name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// Makes the payload name another repository.
    pub(super) fn set_repository(&mut self, repository: &RepositoryName) -> Result<(), CliError> {
        let name = repository.full_name.rsplit('/').next().unwrap_or_default();
        // `set` reads the id as JSON: a number stays a number, other text becomes a string.
        self.set("repository.id", &repository.external_id)?;
        self.set("repository.full_name", &quoted(&repository.full_name))?;
        self.set("repository.name", &quoted(name))
    }

    /// Returns the body to sign and send.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self.value {
            Some(value) if self.changed => value.to_string().into_bytes(),
            _ => self.bytes,
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns one of an event's examples.
fn pick(collection: &[Value], event: &str, which: &str) -> Result<Value, CliError> {
    let what = format!("cannot choose {event}#{which} from the collection");
    let of_event = collection.iter().find(|group| group["name"] == event);
    let Some(examples) = of_event.and_then(|group| group["examples"].as_array()) else {
        let names: Vec<_> = collection
            .iter()
            .filter_map(|group| group["name"].as_str())
            .collect();
        return Err(CliError::usage(
            what,
            "it has no such event",
            format!("its events are {}", names.join(", ")),
        ));
    };
    let found = match which.parse::<usize>() {
        Ok(index) => examples.get(index),
        Err(_) => examples.iter().find(|example| example["action"] == which),
    };
    found.cloned().ok_or_else(|| {
        let mut actions: Vec<_> = examples
            .iter()
            .filter_map(|e| e["action"].as_str())
            .collect();
        actions.sort_unstable();
        actions.dedup();
        let hint = format!(
            "a number below it or one of its actions: {}",
            actions.join(", ")
        );
        CliError::usage(
            what,
            format!("the event has {} examples", examples.len()),
            hint,
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(before: &Value, path: &str, text: &str) -> Value {
        let mut payload = Payload::from_bytes(before.to_string().into_bytes());
        payload.set(path, text).unwrap();
        serde_json::from_slice(&payload.into_bytes()).unwrap()
    }

    #[test]
    fn a_value_is_set_by_its_path() {
        let before = json!({"a": {"b": [1, {"c": 2}]}, "n": null});
        assert_eq!(set(&before, "a.b.1.c", "3")["a"]["b"][1]["c"], 3);
        assert_eq!(set(&before, "a.b.0", "x")["a"]["b"][0], "x");
        assert_eq!(set(&before, "n.new.deep", "true")["n"]["new"]["deep"], true);
        assert_eq!(
            set(&before, "label.name", "run:dev")["label"]["name"],
            "run:dev"
        );
        assert_eq!(set(&before, "a", "[1]")["a"], json!([1]));
        assert_eq!(set(&before, "a", "\"7\"")["a"], "7");
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused() {
        for path in ["a.b.9", "a.b.x", "s.t"] {
            let mut payload = Payload::from_bytes(br#"{"a": {"b": []}, "s": "text"}"#.to_vec());
            assert!(payload.set(path, "1").is_err(), "{path}");
        }
        assert!(
            Payload::from_bytes(b"no json".to_vec())
                .set("a", "1")
                .is_err()
        );
    }

    #[test]
    fn bytes_stay_as_they_are_unless_a_value_is_set() {
        for bytes in [&b"{ \"b\":1.0,\n\"a\": 2 }\n"[..], b"no json at all", b""] {
            assert_eq!(Payload::from_bytes(bytes.to_vec()).into_bytes(), bytes);
        }
    }

    #[test]
    fn naming_another_repository_keeps_the_rest() {
        let before = json!({"action": "labeled", "repository": {"id": 186_853_002, "full_name": "Codertocat/Hello-World", "private": false}});
        let mut payload = Payload::from_bytes(before.to_string().into_bytes());
        assert_eq!(payload.repository().unwrap().external_id, "186853002");
        payload
            .set_repository(&RepositoryName {
                full_name: "demo/demo".into(),
                external_id: "1".into(),
            })
            .unwrap();
        let after: Value = serde_json::from_slice(&payload.into_bytes()).unwrap();
        let repository =
            json!({"id": 1, "full_name": "demo/demo", "name": "demo", "private": false});
        assert_eq!(
            after,
            json!({"action": "labeled", "repository": repository})
        );
    }

    #[test]
    fn an_example_is_chosen_by_number_or_action() {
        let collection = json!([{"name": "issues", "examples": [{"action": "opened"}, {"action": "labeled", "n": 1}]}]);
        let collection = collection.as_array().unwrap();
        assert_eq!(pick(collection, "issues", "1").unwrap()["n"], 1);
        assert_eq!(pick(collection, "issues", "labeled").unwrap()["n"], 1);
        for (event, which) in [("issues", "2"), ("issues", "closed"), ("push", "0")] {
            assert!(pick(collection, event, which).is_err());
        }
    }
}
