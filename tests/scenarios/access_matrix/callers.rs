//! Every kind of caller: people by their roles, tokens good and bad, certificates, runs.
use std::collections::HashMap;

use ck8s_pki::Identity;
use ck8s_proto::{auth::v1::TokenKind, policy::v1::ProjectRole};
use ck8s_tests::{Fleet, people::another_token, person};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

use super::{
    call::{Method, call},
    requests::Places,
};

/// The kind of a caller, which decides what is expected.
#[derive(Clone, Debug)]
pub(crate) enum CallerKind {
    /// A caller without a token.
    Anonymous,
    /// A token that is no longer valid.
    Bad,
    /// A person with this role in the own project, and a limit everywhere.
    Person {
        own: Option<ProjectRole>,
        most: Option<ProjectRole>,
        everywhere: bool,
    },
    /// A platform admin.
    Admin,
    /// A role of the mesh.
    Service(&'static str),
    /// A worker.
    Worker,
    /// A run, and whether it is the one that requests name.
    Run { named: bool },
}

/// One caller.
pub(crate) struct Caller {
    /// The name in messages.
    pub word: &'static str,
    /// Its kind.
    pub kind: CallerKind,
    bearer: Option<String>,
    edge: Channel,
    /// The channels to each role, if the caller has a certificate.
    direct: HashMap<&'static str, Channel>,
}

impl Caller {
    /// Makes a call: with a certificate at the role itself, else at the edge.
    pub(crate) async fn calls(&self, method: &Method, message: Vec<u8>) -> Result<Vec<u8>, Status> {
        let channel = self.direct.get(method.role()).unwrap_or(&self.edge);
        call(
            channel.clone(),
            self.bearer.as_deref(),
            &method.path,
            message,
        )
        .await
    }
}

/// All callers.
pub(crate) struct Callers(Vec<Caller>);

impl Callers {
    pub(crate) fn all(&self) -> &[Caller] {
        &self.0
    }

    pub(crate) fn named(&self, word: &str) -> &Caller {
        let found = self.0.iter().find(|caller| caller.word == word);
        found.expect("there is one")
    }

    /// Makes users, members, tokens and certificates.
    pub(crate) async fn make(fleet: &Fleet, places: &Places) -> Self {
        let (admin, owner) = (&fleet.admin, &fleet.world.owner);
        let edge = Endpoint::from_shared(fleet.edge(0)).expect("an address");
        let edge = edge.connect_lazy();
        let mut callers = Vec::new();
        let mut add = |word, kind, bearer: Option<String>| {
            callers.push(Caller {
                word,
                kind,
                bearer,
                edge: edge.clone(),
                direct: HashMap::new(),
            });
        };
        add("anonymous", CallerKind::Anonymous, None);
        let (read, write, own) = (
            Some(ProjectRole::Read),
            Some(ProjectRole::ReadWrite),
            Some(ProjectRole::Admin),
        );
        for (word, role, elsewhere) in [
            ("outsider", None, None),
            ("read", read, None),
            ("read_write", write, None),
            ("admin", own, None),
            ("reads here, admin elsewhere", read, own),
            ("only elsewhere", None, own),
        ] {
            let email = format!("{}@example.com", word.replace([' ', ','], "-"));
            let someone = person(admin, owner, &email, false).await;
            if let Some(role) = role {
                someone.joins(admin, &places.own.project, role).await;
            }
            if let Some(role) = elsewhere {
                someone.joins(admin, &places.elsewhere, role).await;
            }
            let kind = CallerKind::Person {
                own: role,
                most: role.max(elsewhere),
                everywhere: false,
            };
            add(word, kind, Some(someone.token));
        }
        let boss = person(admin, owner, "boss@example.com", true).await;
        add(
            "platform admin",
            CallerKind::Admin,
            Some(boss.token.clone()),
        );
        let limited = another_token(owner, &boss.id, "limited").await;
        sqlx::query("UPDATE auth.tokens SET max_role = 'read' WHERE name = 'limited'")
            .execute(owner)
            .await
            .expect("a limit");
        let kind = CallerKind::Person {
            own: read,
            most: read,
            everywhere: true,
        };
        add("platform admin, read at most", kind, Some(limited));
        add(
            "admin token",
            CallerKind::Admin,
            Some(fleet.world.ready.admin_token.clone()),
        );
        for (word, set) in [
            (
                "expired",
                "UPDATE auth.tokens SET expires_at = now() WHERE name = 'expired'",
            ),
            (
                "revoked",
                "UPDATE auth.tokens SET revoked_at = now() WHERE name = 'revoked'",
            ),
        ] {
            let token = another_token(owner, &boss.id, word).await;
            sqlx::query(set).execute(owner).await.expect("its end");
            add(word, CallerKind::Bad, Some(token));
        }
        add("made up", CallerKind::Bad, Some("ck8s_usr_x".to_owned()));
        add(
            "no JWT of ours",
            CallerKind::Bad,
            Some("eyJhbGciOiJub25lIn0.e30.".to_owned()),
        );
        let (_, worker) = admin.token("matrix", TokenKind::Worker).await;
        add("worker by token", CallerKind::Worker, Some(worker));
        for (word, run, named) in [
            ("a run's token", &places.own.live_run, true),
            ("another run's token", &places.other_live_run, false),
        ] {
            add(word, CallerKind::Run { named }, Some(run_token(fleet, run)));
        }
        for role in [
            "edge",
            "ingress",
            "runs",
            "repositories",
            "auth",
            "learning",
        ] {
            let bundle = fleet.issued(&Identity::role(role), -1, 1);
            callers.push(direct(
                fleet,
                &edge,
                role,
                CallerKind::Service(role),
                &bundle,
            ));
        }
        let worker = Identity::Worker("node-1".parse().expect("an id"));
        let bundle = fleet.issued(&worker, -1, 1);
        callers.push(direct(
            fleet,
            &edge,
            "worker by certificate",
            CallerKind::Worker,
            &bundle,
        ));
        Self(callers)
    }
}

fn direct(
    fleet: &Fleet,
    edge: &Channel,
    word: &'static str,
    kind: CallerKind,
    bundle: &ck8s_pki::Bundle,
) -> Caller {
    let roles = ["auth", "ingress", "repositories", "runs"];
    Caller {
        word,
        kind,
        bearer: None,
        edge: edge.clone(),
        direct: roles
            .map(|role| (role, fleet.dial(bundle, role, 0, role)))
            .into(),
    }
}

/// Returns a run's token, as the runs service makes it.
fn run_token(fleet: &Fleet, run: &str) -> String {
    let env = fleet.world.env();
    let key = env.iter().find(|(name, _)| name == "CK8S_RUN_TOKEN_KEY");
    let key = hex::decode(key.expect("a key").1.trim()).expect("digits");
    let run = Uuid::parse_str(run).expect("an id");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any key");
    mac.update(b"ck8s run token v1 ");
    mac.update(run.as_bytes());
    let mac = hex::encode(mac.finalize().into_bytes());
    format!("ck8s_run_{}_{mac}", run.simple())
}
