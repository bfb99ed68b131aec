//! Checks requests and responses against GitHub's own OpenAPI description: paths, parameters, bodies. A request may
//! send no field that the description does not list.
use std::{collections::BTreeSet, path::PathBuf, process::Command, sync::OnceLock};

use ck8s_tests::github::Exchange;
use jsonschema::Draft;
use serde_json::{Map, Value, json};

/// Refusals that any request may get, whether its description lists them or not.
const REFUSALS: [u16; 7] = [301, 307, 401, 403, 404, 422, 429];

/// Loads the description, cut to what the client uses. Prints SKIPPED and returns none if it cannot be had on this
/// machine.
fn description() -> Option<&'static Value> {
    static ONCE: OnceLock<Option<Value>> = OnceLock::new();
    let load = || {
        let script = "../../tests/fixtures/description";
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script);
        let output = Command::new(script).output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            println!("SKIPPED: GitHub's description: {}", why.trim());
            return None;
        }
        let path = String::from_utf8(output.stdout).unwrap();
        let text = std::fs::read_to_string(path.trim()).unwrap();
        Some(as_json_schema(serde_json::from_str(&text).unwrap()))
    };
    ONCE.get_or_init(load).as_ref()
}

/// Asserts that each exchange is as described.
pub(crate) fn check(exchanges: &[Exchange]) {
    let Some(description) = description() else {
        return;
    };
    let wrong: Vec<String> = exchanges
        .iter()
        .filter_map(|exchange| {
            let why = wrong(description, exchange).err()?;
            Some(format!("{} {}: {why}", exchange.method, exchange.path))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns the operations that were used, as the description calls them: `GET /repos/{owner}/{repo}`.
pub(crate) fn operations(exchanges: &[Exchange]) -> Option<BTreeSet<String>> {
    let description = description()?;
    let named = exchanges.iter().filter_map(|exchange| {
        let (template, _) = operation(description, exchange)?;
        Some(format!("{} {template}", exchange.method))
    });
    Some(named.collect())
}

fn wrong(description: &Value, exchange: &Exchange) -> Result<(), String> {
    let (template, operation) = operation(description, exchange).ok_or("there is no such path")?;
    let parameters = operation["parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let parameters: Vec<_> = parameters
        .iter()
        .map(|p| resolved(description, p))
        .collect();
    let described = |name: &str, place: &str| {
        let fits = |p: &&&Value| p["name"] == name && p["in"] == place;
        parameters.iter().find(fits).map(|p| &p["schema"])
    };
    for (name, value) in values(template, &exchange.path) {
        let schema = described(&name, "path").ok_or(format!("no parameter {name}"))?;
        valid(description, schema, &typed(&value, schema)).map_err(|e| format!("{name}: {e}"))?;
    }
    for pair in exchange.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let schema = described(name, "query").ok_or(format!("no parameter {name}"))?;
        valid(description, schema, &typed(value, schema)).map_err(|e| format!("{name}: {e}"))?;
    }
    request(description, operation, exchange)?;
    answer(description, operation, exchange)
}

fn request(description: &Value, operation: &Value, exchange: &Exchange) -> Result<(), String> {
    let described = resolved(description, &operation["requestBody"]);
    let schema = &described["content"]["application/json"]["schema"];
    match &exchange.request {
        None if described["required"] == true => Err("it needs a body".to_owned()),
        None => Ok(()),
        Some(_) if schema.is_null() => Err("it takes no body".to_owned()),
        Some(body) => {
            let schema = strict(resolved(description, schema).clone());
            valid(description, &schema, body).map_err(|error| format!("sent {body}: {error}"))
        }
    }
}

fn answer(description: &Value, operation: &Value, exchange: &Exchange) -> Result<(), String> {
    let status = exchange.status;
    let described = &operation["responses"][status.to_string()];
    let described = resolved(description, described);
    let basic = json!({ "$ref": "#/components/schemas/basic-error" });
    let schema = match &described["content"]["application/json"]["schema"] {
        // GitHub says of all its reads that they may be conditional, but not in each description.
        Value::Null if status == 304 && exchange.method == "GET" => {
            let silent = exchange.response.is_none();
            return silent.then_some(()).ok_or("304 has no body".to_owned());
        }
        Value::Null if described.is_null() && REFUSALS.contains(&status) => &basic,
        Value::Null if described.is_null() => return Err(format!("never answered {status}")),
        Value::Null => {
            let silent = exchange.response.is_none();
            return silent.then_some(()).ok_or(format!("{status} has no body"));
        }
        schema => schema,
    };
    let body = exchange
        .response
        .as_ref()
        .ok_or(format!("{status} without a body"))?;
    valid(description, schema, body).map_err(|error| format!("answered {status}: {error}"))
}

fn valid(description: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let whole = json!({ "allOf": [schema], "components": description["components"] });
    let validator = jsonschema::options()
        .with_draft(Draft::Draft4)
        .build(&whole);
    let validator = validator.map_err(|error| error.to_string())?;
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(errors.join("; ").chars().take(1000).collect())
}

/// Finds the description of the exchange's path: of all that match, the one with the fewest parameters.
fn operation<'a>(description: &'a Value, exchange: &Exchange) -> Option<(&'a str, &'a Value)> {
    let paths = description["paths"].as_object()?;
    let method = exchange.method.to_lowercase();
    let fits = paths
        .iter()
        .filter(|(template, item)| !item[&method].is_null() && matches(template, &exchange.path));
    let best = fits.min_by_key(|(template, _)| template.matches('{').count())?;
    Some((best.0, &best.1[&method]))
}

/// Splits a path like its template. Only the path of a file contains slashes.
fn pieces<'a>(template: &str, path: &'a str) -> Vec<&'a str> {
    let parts = template.split('/').count();
    match template.ends_with("/{path}") {
        true => path.splitn(parts, '/').collect(),
        false => path.split('/').collect(),
    }
}

fn matches(template: &str, path: &str) -> bool {
    let pieces = pieces(template, path);
    pieces.len() == template.split('/').count()
        && template
            .split('/')
            .zip(pieces)
            .all(|(part, piece)| part == piece || (part.starts_with('{') && !piece.is_empty()))
}

fn values(template: &str, path: &str) -> Vec<(String, String)> {
    let gaps = template.split('/').zip(pieces(template, path));
    gaps.filter_map(|(part, value)| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some((name.to_owned(), value.to_owned()))
    })
    .collect()
}

/// Converts a value of a path or a query to the type that its description has.
fn typed(value: &str, schema: &Value) -> Value {
    let number = value
        .parse::<i64>()
        .ok()
        .filter(|_| schema["type"] == "integer");
    number.map_or_else(|| json!(value), |number| json!(number))
}

fn resolved<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    target.map_or(value, |target| {
        description.pointer(target).unwrap_or(&Value::Null)
    })
}

/// Converts OpenAPI 3.0 to JSON Schema, which has a type `null` instead of `nullable`.
fn as_json_schema(value: Value) -> Value {
    match value {
        Value::Array(all) => all.into_iter().map(as_json_schema).collect(),
        Value::Object(map) => {
            let mut map: Map<_, _> = map
                .into_iter()
                .map(|(k, v)| (k, as_json_schema(v)))
                .collect();
            if map.get("nullable") != Some(&json!(true)) {
                return Value::Object(map);
            }
            map.remove("nullable");
            if let Some(Value::Array(allowed)) = map.get_mut("enum") {
                allowed.push(Value::Null);
            }
            match map.get("type").cloned() {
                Some(kind) => {
                    map.insert("type".to_owned(), json!([kind, "null"]));
                    Value::Object(map)
                }
                None => json!({ "anyOf": [{ "type": "null" }, map] }),
            }
        }
        other => other,
    }
}

/// Forbids all fields that a schema does not list.
fn strict(schema: Value) -> Value {
    match schema {
        Value::Array(all) => all.into_iter().map(strict).collect(),
        Value::Object(map) => {
            let combined = ["allOf", "anyOf", "oneOf"]
                .iter()
                .any(|k| map.contains_key(*k));
            let mut map: Map<_, _> = map.into_iter().map(|(k, v)| (k, strict(v))).collect();
            if map.get("properties").is_some_and(Value::is_object) && !combined {
                map.entry("additionalProperties").or_insert(json!(false));
            }
            Value::Object(map)
        }
        other => other,
    }
}

#[test]
fn the_description_refuses_what_it_does_not_list() {
    if description().is_none() {
        return;
    }
    let exchange =
        |method: &str, path: &str, query: &str, request: Value, status, response| Exchange {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            request: (!request.is_null()).then_some(request),
            status,
            response: Some(response),
        };
    let none = Value::Null;
    let refused = json!({ "message": "Not Found" });
    let bad = |exchange: &Exchange| wrong(description().unwrap(), exchange).unwrap_err();
    let good = exchange(
        "GET",
        "/repos/a/b/hooks",
        "per_page=100",
        none.clone(),
        404,
        refused.clone(),
    );
    assert_eq!(wrong(description().unwrap(), &good), Ok(()));
    let unknown = exchange(
        "GET",
        "/repos/a/b/hooks",
        "size=1",
        none.clone(),
        404,
        refused.clone(),
    );
    assert_eq!(bad(&unknown), "no parameter size");
    let nowhere = exchange(
        "GET",
        "/repos/a/b/unknown",
        "",
        none.clone(),
        404,
        refused.clone(),
    );
    assert_eq!(bad(&nowhere), "there is no such path");
    let body = json!({ "name": "web", "config": { "url": "http://x" }, "created_at": null });
    let more = exchange("POST", "/repos/a/b/hooks", "", body, 404, refused);
    assert!(bad(&more).contains("created_at"), "{}", bad(&more));
    let half = exchange("GET", "/repos/a/b", "", none, 200, json!({ "id": 1 }));
    assert!(bad(&half).contains("full_name"), "{}", bad(&half));
}
