//! docs/services.schema.json and the parser agree on keys and on good and bad files. A validator of our own reads the
//! schema here; a keyword that it does not know fails the test.
use std::collections::BTreeSet;

use serde_json::Value;

use super::documented;
use crate::domain::services_yaml::{
    parse::{FILE_KEYS, ON_KEYS, TRIGGER_KEYS, parse},
    run,
};

fn schema() -> Value {
    let text = include_str!("../../../../../../docs/services.schema.json");
    serde_json::from_str(text).expect("the schema is JSON")
}

#[test]
fn the_schema_has_the_keys_of_the_parser_and_no_others() {
    let schema = schema();
    for (place, known) in [
        ("", FILE_KEYS),
        ("/$defs/trigger", TRIGGER_KEYS),
        ("/$defs/on", ON_KEYS),
        ("/$defs/run", run::RUN_KEYS),
        ("/$defs/resources", run::RESOURCES_KEYS),
        ("/$defs/timeouts", run::TIMEOUTS_KEYS),
        ("/$defs/concurrency", run::CONCURRENCY_KEYS),
    ] {
        let part = schema.pointer(place).expect(place);
        assert_eq!(part["additionalProperties"], false, "{place}");
        let keys = part["properties"].as_object().expect(place).keys();
        let keys: BTreeSet<&str> = keys.map(String::as_str).collect();
        assert_eq!(keys, known.iter().copied().collect(), "{place}");
    }
    let group = schema["$defs"]["group"]["pattern"]
        .as_str()
        .expect("a pattern");
    assert!(group.contains(&run::PLACEHOLDERS.join("|")), "{group}");
}

#[test]
fn schema_and_parser_accept_and_refuse_the_same_files() {
    let schema = schema();
    let run = |line: &str| {
        format!(
            "version: 1\ntriggers: [{{name: a, on: {{event: push}}, run: {{command: x, {line}}}}}]\n"
        )
    };
    let on = |line: &str| {
        format!(
            "version: 1\ntriggers: [{{name: a, run: {{command: x}}, on: {{event: push, {line}}}}}]\n"
        )
    };
    let good = [
        documented(),
        "version: 1".into(),
        run("image: a, env: {A: 1, B: true, C: x}, max_attempts: 3, priority: -100"),
        run("resources: {cpu: 2, memory: 512Mi}, concurrency: 'a {ref}'"),
        run("egress: ['a.b:443', 10.0.0.0/8], secrets: [A_B], timeouts: {running: 7d}"),
        on("actions: opened, branches: ['!a'], paths: a, comment: /run, allow_bots: false"),
        on("allow_bots: 'dependabot[bot]', forks: allow"),
        "version: 1\ntriggers: [{name: a, on: {event: push}, run: {command: x}, stop: true}]"
            .into(),
        on("forks: deny"),
        on("tags: [v*, '!v0*'], skip_markers: false"),
        on("forks: allow_with_secrets"),
        on("allow_bots: ['dependabot[bot]', 198982749, Copilot]"),
    ];
    for text in &good {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        assert_eq!(validate(&schema, &schema, &json(text)), Ok(()), "{text}");
    }
    let bad = [
        "version: 2".to_owned(),
        "triggers: []".into(),
        "version: 1\nextra: 1".into(),
        "version: 1\ntriggers: {}".into(),
        "version: 1\ntriggers: [{name: a}]".into(),
        "version: 1\ntriggers: [{on: {event: push}}]".into(),
        "version: 1\ntriggers: [{name: a/b, on: {event: push}, run: {command: x}}]".into(),
        "version: 1\nenvironments: {a: {imagee: x}}".into(),
        "version: 1\nenvironments: {'': {}}".into(),
        run("imagee: x"),
        run("image: ''"),
        run("env: {1A: x}"),
        run("env: {CK8S_A: x}"),
        run("env: {A: [x]}"),
        run("secrets: [a]"),
        run("secrets: [CK8S_A]"),
        run("resources: {cpu: 1x}"),
        run("resources: {cpu: 0}"),
        run("resources: {memory: 1GB}"),
        run("timeouts: {running: 90}"),
        run("timeouts: {start: 1m}"),
        run("concurrency: '{sha}'"),
        run("concurrency: {groups: a}"),
        run("priority: 101"),
        run("priority: x"),
        run("max_attempts: 0"),
        run("labels: ['']"),
        run("egress: [github.com]"),
        on("actions: []"),
        on("actions: [Opened]"),
        on("comment: run"),
        on("labels: ['']"),
        on("allow_bots: 1"),
        on("allow_bots: 'yes'"),
        on("allow_bots: ['a b']"),
        on("allow_bots: []"),
        on("forks: true"),
        on("skip_markers: 'false'"),
        on("tags: []"),
        on("forks: Allow"),
    ];
    for text in &bad {
        assert!(parse(text).is_err(), "{text}");
        assert!(validate(&schema, &schema, &json(text)).is_err(), "{text}");
    }
}

fn json(text: &str) -> Value {
    serde_saphyr::from_str(text).expect(text)
}

fn validate(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return if schema == &Value::Bool(false) {
            Err("not allowed".into())
        } else {
            Ok(())
        };
    };
    for (keyword, says) in keywords {
        let holds = match own_keyword(keyword, says, value) {
            Some(holds) => holds,
            None => {
                nested_keyword(root, keywords, keyword, value)?;
                true
            }
        };
        if !holds {
            return Err(format!("{value} breaks {keyword}: {says}"));
        }
    }
    Ok(())
}

/// Returns whether a keyword holds that looks at the value alone; none: it is another keyword.
fn own_keyword(keyword: &str, says: &Value, value: &Value) -> Option<bool> {
    let count = |n: usize| u64::try_from(n).expect("small");
    let limit = || says.as_u64().expect("a count");
    let number = || says.as_f64().expect("a number");
    Some(match keyword {
        "$schema" | "$defs" | "title" | "description" => true,
        "type" => types(says).iter().any(|name| is_type(name, value)),
        "const" => says == value,
        "pattern" => value.as_str().is_none_or(|text| {
            regex::Regex::new(says.as_str().expect("a pattern"))
                .expect("compiles")
                .is_match(text)
        }),
        "minimum" => value.as_f64().is_none_or(|n| n >= number()),
        "maximum" => value.as_f64().is_none_or(|n| n <= number()),
        "exclusiveMinimum" => value.as_f64().is_none_or(|n| n > number()),
        "minLength" => value
            .as_str()
            .is_none_or(|text| count(text.chars().count()) >= limit()),
        "maxLength" => value
            .as_str()
            .is_none_or(|text| count(text.chars().count()) <= limit()),
        "minItems" => value
            .as_array()
            .is_none_or(|list| count(list.len()) >= limit()),
        "maxItems" => value
            .as_array()
            .is_none_or(|list| count(list.len()) <= limit()),
        "required" => value.as_object().is_none_or(|map| {
            items(says)
                .iter()
                .all(|key| map.contains_key(key.as_str().expect("a key")))
        }),
        _ => return None,
    })
}

/// Validates a value against a keyword that holds schemas.
fn nested_keyword(
    root: &Value,
    keywords: &serde_json::Map<String, Value>,
    keyword: &str,
    value: &Value,
) -> Result<(), String> {
    let says = &keywords[keyword];
    let map = || value.as_object().into_iter().flatten();
    let breaks = || Err(format!("{value} breaks {keyword}: {says}"));
    match keyword {
        "$ref" => {
            let place = says.as_str().and_then(|r| r.strip_prefix('#'));
            let place = place.expect("a local reference");
            validate(root, root.pointer(place).expect(place), value)
        }
        "not" if validate(root, says, value).is_ok() => breaks(),
        "not" => Ok(()),
        "anyOf" if items(says).iter().any(|s| validate(root, s, value).is_ok()) => Ok(()),
        "anyOf" => breaks(),
        "items" => items(value)
            .iter()
            .try_for_each(|item| validate(root, says, item)),
        "properties" => {
            let mut parts = says.as_object().expect("a map").iter();
            parts.try_for_each(|(key, part)| {
                value.get(key).map_or(Ok(()), |v| validate(root, part, v))
            })
        }
        "propertyNames" => {
            map().try_for_each(|(key, _)| validate(root, says, &Value::String(key.clone())))
        }
        "additionalProperties" => {
            let known = keywords.get("properties").and_then(Value::as_object);
            map()
                .filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)))
                .try_for_each(|(key, v)| validate(root, says, v).map_err(|e| format!("{key}: {e}")))
        }
        other => panic!("the test does not know the keyword {other:?}"),
    }
}

fn items(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn types(says: &Value) -> Vec<String> {
    let all = if says.is_array() {
        items(says)
    } else {
        vec![says.clone()]
    };
    all.iter()
        .map(|name| name.as_str().expect("a type").to_owned())
        .collect()
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("the test does not know the type {other:?}"),
    }
}
