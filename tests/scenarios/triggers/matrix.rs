//! The matrix of who may trigger: event × actor × origin × credential. docs/access.md holds the table that this test
//! makes; `CK8S_WRITE_DOCS=1` writes it there, otherwise a difference fails the test.
use std::{collections::HashMap, fmt::Write, path::PathBuf};

use ck8s_proto::runs::v1::Run;
use ck8s_tests::Setup;

use super::{
    deeds::{Deed, Origin, deeds},
    *,
};
use crate::repositories::{add, secret};

/// The lines between which docs/access.md holds the tables.
const BEGIN: &str =
    "<!-- The matrix of who may trigger begins: tests/scenarios/triggers/matrix.rs makes it. -->";
const END: &str = "<!-- The matrix of who may trigger ends. -->";
/// The ids of the repositories that are maintained by hand.
const BY_HAND: u64 = 601;
/// The events that GitHub lets only people with a role in the repository cause, whatever the table says of others.
const GUARDED_BY_GITHUB: &str = " ¹";

/// Somebody who acts.
struct Actor {
    /// The column's title.
    title: &'static str,
    login: &'static str,
    id: u64,
    /// What GitHub says of them in what they write.
    association: &'static str,
}

const ACTORS: [Actor; 8] = [
    actor("owner", "olga", 11, "OWNER"),
    actor("member", "mia", 12, "MEMBER"),
    actor("collaborator", "cole", 13, "COLLABORATOR"),
    actor("contributor", "carl", 14, "CONTRIBUTOR"),
    actor("none", "nora", 15, "NONE"),
    actor("bot of ours", "ours[bot]", 16, "NONE"),
    actor("bot of a fork", "theirs[bot]", 17, "NONE"),
    actor("nobody", "", 0, ""),
];

const fn actor(
    title: &'static str,
    login: &'static str,
    id: u64,
    association: &'static str,
) -> Actor {
    Actor {
        title,
        login,
        id,
        association,
    }
}

impl Actor {
    fn json(&self) -> Value {
        if self.login.is_empty() {
            return Value::Null;
        }
        let kind = if self.login.ends_with("[bot]") {
            "Bot"
        } else {
            "User"
        };
        json!({"login": self.login, "id": self.id, "type": kind, "association": self.association})
    }
}

/// What a trigger says of bots and forks.
struct Policy {
    /// The table's title.
    title: &'static str,
    keys: &'static str,
}

const POLICIES: [Policy; 2] = [
    Policy {
        title: "With `allow_bots: [\"ours[bot]\"]` and nothing about forks",
        keys: "allow_bots: [\"ours[bot]\"]",
    },
    Policy {
        title: "With `allow_bots: true` and `forks: allow`",
        keys: "allow_bots: true, forks: allow",
    },
];

/// Returns a services.yaml with a trigger for each deed.
fn services(policy: &Policy) -> String {
    let mut text = "version: 1\ndefaults: { command: \"true\" }\ntriggers:\n".to_owned();
    for (nr, deed) in deeds().iter().enumerate() {
        let (event, policy) = (deed.event, policy.keys);
        let keys = match deed.keys {
            "" => String::new(),
            keys => format!("{keys}, "),
        };
        writeln!(
            text,
            "  - {{ name: deed-{nr}, on: {{ event: {event}, {keys}{policy} }} }}"
        )
        .unwrap();
    }
    text
}

/// Returns the payload of a deed.
fn payload(deed: &Deed, actor: &Actor, origin: Origin, repository: u64) -> Value {
    let by = actor.json();
    let mut payload = (deed.fields)(&by, origin);
    payload["sender"] = by;
    payload["repository"] = json!({"id": repository, "full_name": "acme/one",
        "owner": {"login": "acme", "id": 2, "type": "Organization"}});
    let own = json!({"id": repository, "full_name": "acme/one"});
    for place in [
        "/pull_request/head/repo",
        "/issue/head/repo",
        "/workflow_run/head_repository",
    ] {
        if let Some(value) = payload.pointer_mut(place)
            && value == "own"
        {
            *value = own.clone();
        }
    }
    payload
}

/// One row: a deed, whose code it is about, whether there is a credential, and each actor's delivery.
struct Row {
    title: String,
    origin: &'static str,
    credential: &'static str,
    deliveries: Vec<String>,
}

/// Sends every combination to a repository.
async fn send_all(
    http: &mut Http,
    (repository, secret): (u64, &str),
    credential: &'static str,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for deed in deeds() {
        let origins: &[Origin] = match deed.with_fork {
            true => &[Origin::Ours, Origin::Fork],
            false => &[Origin::Ours],
        };
        for origin in origins {
            let mut deliveries = Vec::new();
            for actor in &ACTORS {
                let payload = payload(&deed, actor, *origin, repository);
                deliveries.push(send(http, deed.event, &payload, secret).await);
            }
            let mark = match deed.guarded.contains(origin) {
                true => GUARDED_BY_GITHUB,
                false => "",
            };
            rows.push(Row {
                title: format!("{}{mark}", deed.title),
                origin: origin.word(),
                credential,
                deliveries,
            });
        }
    }
    rows
}

/// Returns the rows of a policy, those of one deed together.
async fn rows_of(policy: &Policy) -> (World, Vec<Row>) {
    let text = services(policy);
    let (github, token) = github(&text).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 1).await;
    add(&world, "shop", "acme/one", &token).await;
    let id = i64::try_from(BY_HAND).unwrap();
    let (_, by_hand) = world.admin.repository("shop", "acme/hand", id, &text).await;
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    let managed = secret(&github, MANAGED);
    let with = send_all(&mut http, (MANAGED, &managed), "with").await;
    let hand = send_all(&mut http, (BY_HAND, &by_hand), "by hand").await;
    let rows = with
        .into_iter()
        .zip(hand)
        .flat_map(|(with, hand)| [with, hand]);
    // The deliveries that GitHub is asked about are handled while it lives.
    handled(&world).await;
    (world, rows.collect())
}

/// Returns the table of a policy.
async fn table(policy: &Policy) -> String {
    let (world, rows) = rows_of(policy).await;
    let runs = world.admin.all_runs("").await;
    let runs: HashMap<&str, &Run> = runs.iter().map(|run| (run.id.as_str(), run)).collect();
    let deliveries = handled(&world).await;
    let deliveries: HashMap<&str, &Delivery> = deliveries
        .iter()
        .map(|delivery| (delivery.delivery_id.as_str(), delivery))
        .collect();
    let titles: Vec<&str> = ACTORS.iter().map(|actor| actor.title).collect();
    let mut table = format!("{}:\n\n", policy.title);
    writeln!(
        table,
        "| event | code | credential | {} |",
        titles.join(" | ")
    )
    .unwrap();
    writeln!(table, "|{}", "---|".repeat(ACTORS.len() + 3)).unwrap();
    for row in rows {
        let cells = row.deliveries.iter().map(|id| {
            let delivery = deliveries[id.as_str()];
            match delivery.state() {
                DeliveryState::Ignored => "–",
                DeliveryState::RunCreated => {
                    let trigger = runs[delivery.run_id.as_str()].trigger.as_ref();
                    match trigger.unwrap().secrets_withheld {
                        true => "without secrets",
                        false => "runs",
                    }
                }
                _ => panic!("{delivery:?}"),
            }
        });
        let cells: Vec<&str> = cells.collect();
        let (title, origin, credential) = (&row.title, row.origin, row.credential);
        writeln!(
            table,
            "| {title} | {origin} | {credential} | {} |",
            cells.join(" | ")
        )
        .unwrap();
    }
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_matrix_is_what_happens() {
    let mut tables = Vec::new();
    for policy in &POLICIES {
        tables.push(table(policy).await);
    }
    let made = format!("{BEGIN}\n\n{}\n{END}", tables.join("\n"));
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/access.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the beginning of the matrix");
    let (documented, after) = rest.split_once(END).expect("the end of the matrix");
    let documented = format!("{BEGIN}{documented}{END}");
    if std::env::var_os("CK8S_WRITE_DOCS").is_some() {
        std::fs::write(&page, format!("{before}{made}{after}")).unwrap();
        return;
    }
    let differences: Vec<_> = made
        .lines()
        .zip(documented.lines())
        .filter(|(made, documented)| made != documented)
        .collect();
    assert!(
        made == documented,
        "docs/access.md says otherwise; CK8S_WRITE_DOCS=1 writes it: {differences:#?}"
    );
}
