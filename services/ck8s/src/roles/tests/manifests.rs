//! The manifests under `deploy/` are held to the table of roles: who may talk to whom, who is told where whom is, who
//! gets which secret.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

use crate::roles::{ROLES, Role};

/// The label that says which role a pod is.
const COMPONENT: &str = "app.kubernetes.io/component";
const MESH: i64 = 7443;
const POSTGRES: i64 = 5432;
const HTTPS: i64 = 443;
/// Which secret keys a role is given, besides its database and its certificate.
const KEYS: &[(&str, &str)] = &[
    ("ingress", "CK8S_WEBHOOK_SECRET"),
    ("runs", "CK8S_RUN_TOKEN_KEY"),
    ("repositories", "CK8S_KEY_RING"),
    ("auth", "CK8S_KEY_RING"),
    ("auth", "CK8S_GITHUB_CLIENT_ID"),
    ("auth", "CK8S_GITHUB_CLIENT_SECRET"),
];

/// Every object of a directory of manifests, by kind and name.
fn objects(dir: &str) -> BTreeMap<(String, String), Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(dir);
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let is_manifest = path.extension().is_some_and(|e| e == "yaml");
        if !is_manifest || path.ends_with("kustomization.yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for document in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let key = (word(&object["kind"]), word(&object["metadata"]["name"]));
            all.insert(key, object);
        }
    }
    all
}

/// What one side of a policy allows: pairs of a component and a port. A place that is no pod of ours is its own text.
fn allowed(rules: &Value, side: &str) -> BTreeSet<(String, i64)> {
    let mut pairs = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        let places: Vec<String> = match rule[side].as_array() {
            None => vec!["anywhere".to_owned()],
            Some(places) => places.iter().map(place).collect(),
        };
        for port in rule["ports"].as_array().expect("no rule is for every port") {
            let port = port["port"].as_i64().expect("a number");
            pairs.extend(places.iter().map(|place| (place.clone(), port)));
        }
    }
    pairs
}

fn place(place: &Value) -> String {
    let component = &place["podSelector"]["matchLabels"][COMPONENT];
    component
        .as_str()
        .map_or_else(|| place.to_string(), str::to_owned)
}

fn pairs(places: impl IntoIterator<Item = &'static str>, port: i64) -> BTreeSet<(String, i64)> {
    places
        .into_iter()
        .map(|place| (place.to_owned(), port))
        .collect()
}

fn calls(role: &Role) -> BTreeSet<&'static str> {
    role.needs.iter().chain(role.asks).copied().collect()
}

fn callers(of: &str) -> BTreeSet<&'static str> {
    let calling = ROLES.iter().filter(|role| calls(role).contains(of));
    let mut names: BTreeSet<_> = calling.map(|role| role.name).collect();
    if of == "runs" {
        names.insert("worker");
    }
    names
}

fn policy<'a>(all: &'a BTreeMap<(String, String), Value>, name: &str) -> &'a Value {
    let policy = &all[&("NetworkPolicy".to_owned(), name.to_owned())]["spec"];
    let both = policy["policyTypes"].as_array().map(Vec::len);
    assert_eq!(both, Some(2), "{name}: a policy is about both directions");
    policy
}

#[test]
fn who_may_talk_to_whom_is_the_table_of_roles() {
    let all = objects("base");
    for role in ROLES {
        let policy = policy(&all, role.name);
        assert_eq!(policy["podSelector"]["matchLabels"][COMPONENT], role.name);
        let comes_in = match role.name {
            "edge" => pairs(["anywhere"], 8080),
            name => pairs(callers(name), MESH),
        };
        assert_eq!(
            allowed(&policy["ingress"], "from"),
            comes_in,
            "{}",
            role.name
        );
        let mut goes_out = pairs(calls(role), MESH);
        if role.database.is_some() {
            goes_out.extend(pairs(["postgres"], POSTGRES));
        }
        if ["auth", "repositories"].contains(&role.name) {
            // GitHub.
            goes_out.insert((r#"{"ipBlock":{"cidr":"0.0.0.0/0"}}"#.to_owned(), HTTPS));
        }
        assert_eq!(allowed(&policy["egress"], "to"), goes_out, "{}", role.name);
    }
}

#[test]
fn the_worker_reaches_runs_and_the_api_server_and_nobody_reaches_it() {
    let all = objects("base");
    let policy = policy(&all, "worker");
    assert!(allowed(&policy["ingress"], "from").is_empty());
    let mut goes_out = allowed(&policy["egress"], "to");
    assert!(goes_out.remove(&("runs".to_owned(), MESH)));
    let api_server: BTreeSet<i64> = goes_out.iter().map(|(_, port)| *port).collect();
    assert_eq!(api_server, BTreeSet::from([443, 6443]));
    assert!(goes_out.iter().all(|(place, _)| place.contains("ipBlock")));
}

#[test]
fn only_who_has_a_schema_and_the_migrations_reach_the_database() {
    let all = objects("base");
    let migrate = policy(&all, "migrate");
    assert!(allowed(&migrate["ingress"], "from").is_empty());
    assert_eq!(
        allowed(&migrate["egress"], "to"),
        pairs(["postgres"], POSTGRES)
    );
    let with_schema = ROLES.iter().filter(|role| role.database.is_some());
    let mut names: BTreeSet<_> = with_schema.map(|role| role.name).collect();
    names.insert("migrate");
    let own = objects("single-node");
    let postgres = policy(&own, "postgres");
    assert_eq!(
        allowed(&postgres["ingress"], "from"),
        pairs(names.clone(), POSTGRES)
    );
    assert!(allowed(&postgres["egress"], "to").is_empty());

    let external = objects("components/external-database");
    let external = &external[&("NetworkPolicy".to_owned(), "external-database".to_owned())];
    let who = &external["spec"]["podSelector"]["matchExpressions"][0];
    assert_eq!(who["key"], COMPONENT);
    let who = who["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap());
    assert_eq!(who.collect::<BTreeSet<_>>(), names);
}

#[test]
fn everything_else_is_denied_but_names_and_metrics() {
    let all = objects("base");
    let default = policy(&all, "default-deny");
    assert_eq!(default["podSelector"], serde_json::json!({}));
    assert!(default["ingress"].is_null() && default["egress"].is_null());
    let mut known: BTreeSet<&str> = ROLES.iter().map(|role| role.name).collect();
    known.extend([
        "default-deny",
        "names-resolve",
        "metrics-are-read",
        "worker",
        "migrate",
    ]);
    let there = all.keys().filter(|(kind, _)| kind == "NetworkPolicy");
    assert_eq!(
        there
            .map(|(_, name)| name.as_str())
            .collect::<BTreeSet<_>>(),
        known
    );
    let names = &all[&("NetworkPolicy".to_owned(), "names-resolve".to_owned())]["spec"];
    let ports: BTreeSet<i64> = allowed(&names["egress"], "to")
        .into_iter()
        .map(|(_, p)| p)
        .collect();
    assert_eq!(ports, BTreeSet::from([53]));
}

/// Returns the pod of a role's deployment.
fn pod<'a>(all: &'a BTreeMap<(String, String), Value>, role: &Role) -> &'a Value {
    let deployment = &all[&("Deployment".to_owned(), role.name.to_owned())];
    &deployment["spec"]["template"]["spec"]
}

/// Returns the environment of a pod's container, by name.
fn environment(pod: &Value) -> BTreeMap<&str, &Value> {
    pod["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| (variable["name"].as_str().unwrap(), variable))
        .collect()
}

#[test]
fn a_role_gets_the_addresses_of_the_roles_that_it_calls() {
    let all = objects("base");
    for role in ROLES {
        let pod = pod(&all, role);
        assert_eq!(pod["automountServiceAccountToken"], false, "{}", role.name);
        assert_eq!(
            pod["containers"][0]["args"],
            serde_json::json!(["serve", "--role", role.name])
        );
        let env = environment(pod);
        let peers: BTreeMap<String, Value> = env
            .iter()
            .filter_map(|(name, variable)| {
                let peer = name.strip_prefix("CK8S_PEER_")?;
                Some((peer.to_lowercase(), variable["value"].clone()))
            })
            .collect();
        let expected: BTreeMap<String, Value> = calls(role)
            .into_iter()
            .map(|peer| {
                (
                    peer.to_owned(),
                    Value::from(format!("https://{peer}:{MESH}")),
                )
            })
            .collect();
        assert_eq!(peers, expected, "{}", role.name);
        assert_eq!(env.contains_key("CK8S_MESH_LISTEN"), role.name != "edge");
    }
}

#[test]
fn a_role_gets_its_own_secrets_and_no_others() {
    let all = objects("base");
    for role in ROLES {
        let pod = pod(&all, role);
        let secrets: BTreeSet<&str> = environment(pod)
            .into_iter()
            .filter(|(_, variable)| variable["valueFrom"]["secretKeyRef"].is_object())
            .map(|(name, _)| name)
            .collect();
        let own = KEYS
            .iter()
            .filter(|(who, _)| *who == role.name)
            .map(|(_, key)| *key);
        let database = role.database.map(|_| "CK8S_DATABASE_URL");
        assert_eq!(secrets, own.chain(database).collect(), "{}", role.name);

        let mounted: BTreeSet<&str> = pod["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|volume| volume["secret"]["secretName"].as_str())
            .collect();
        let certificate = format!("mesh-{}", role.name);
        let mut expected = BTreeSet::from([certificate.as_str()]);
        if role.name == "auth" {
            expected.insert("mesh-ca");
        }
        assert_eq!(mounted, expected, "{}", role.name);
    }
}
