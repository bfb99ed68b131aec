//! The roles in processes of their own: one payload through all of them, callers that are refused, replicas that come
//! and go, certificates that change.
use std::{collections::HashSet, time::Duration};

use ck8s_pki::{Authority, Certificates, Identity};
use ck8s_proto::{
    auth::v1::{RenewWorkerCertificateRequest, TokenKind},
    runs::v1::{
        AppendLogRequest, CreateRunsRequest, ListRunsRequest, LogAppend, LogChunk, LogStream,
        OpenRunSecretsRequest, RunReason, RunState, WatchRunsRequest, WorkerState,
    },
};
use ck8s_tests::{
    Api, Fleet, ManualWorker, Node, Webhook, World,
    database::flow_events,
    fleet::{ROLES, ck8s, ck8s_says, text},
    labeled,
    manual_worker::{hello, lease},
    script, until,
};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};
use tonic::{Code, transport::Endpoint};

/// The payload that starts a run of the demo repository.
fn payload(world: &World, number: i64) -> Webhook {
    let demo = &world.ready.demo_repository;
    let body = labeled(demo.external_id, &demo.full_name, number, "run:dev");
    let secret = &world.ready.webhook_secret;
    Webhook::new("issues", body.to_string().into_bytes(), secret)
}

/// Starts a worker that joins with a one-time token and uses the certificate that it gets.
async fn joined(fleet: &Fleet, id: &str) -> Node {
    let out = fleet.certificates(id);
    let (_, token) = fleet
        .admin
        .token(&format!("join-{id}"), TokenKind::Join)
        .await;
    let file = fleet.world.dir.path().join(format!("join-{id}"));
    std::fs::write(&file, &token).unwrap();
    let edge = fleet.edge(0);
    let join = |id: &str, out: &str| {
        ck8s_says(&[
            "worker",
            "join",
            "--url",
            &edge,
            "--token-file",
            text(&file),
            "--id",
            id,
            "--out",
            out,
        ])
    };
    let (good, said) = join(id, text(&out));
    assert!(good, "{said}");
    let (again, said) = join("other", text(&fleet.certificates("other")));
    assert!(!again && said.contains("works once"), "{said}");
    assert!(!fleet.certificates("other").join("tls.crt").exists());
    let runs = fleet.peers("runs");
    let work = fleet.world.dir.path().join(format!("work-{id}"));
    let args = [
        "worker",
        "--url",
        &runs,
        "--mesh-certs",
        text(&out),
        "--work-dir",
        text(&work),
    ];
    let args = args.map(str::to_owned).to_vec();
    let env = vec![("CK8S_PEER_AUTH".to_owned(), fleet.peers("auth"))];
    let node = fleet.world.process(id, "", args, env);
    fleet.admin.worker_is(id, WorkerState::Connected).await;
    node
}

async fn ends_well(api: &Api, run: &str) {
    api.ends(run, RunState::Succeeded, RunReason::Completed)
        .await;
}

/// Returns the run of a webhook's delivery.
async fn run_of(api: &Api, webhook: &Webhook) -> String {
    until("the delivery has a run", async || {
        let mut all = api.all_deliveries().await.into_iter();
        let found = all.find(|d| d.delivery_id == webhook.delivery())?;
        (!found.run_id.is_empty()).then_some(found.run_id)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_goes_through_ten_processes_to_a_worker_that_joined() {
    let mut fleet = Fleet::start(2, &[]).await;
    let mut worker = joined(&fleet, "node-1").await;
    // The watcher is at one edge, the payload arrives at the other.
    let watch = WatchRunsRequest::default();
    let mut seen = fleet
        .admin
        .runs()
        .watch_runs(watch)
        .await
        .unwrap()
        .into_inner();
    let webhook = payload(&fleet.world, 1);
    let answer = webhook.send_to(&fleet.edge(1)).await.unwrap();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (202, "ACCEPTED"),
        "{}",
        answer.text
    );
    assert_eq!(webhook.send_to(&fleet.edge(0)).await.unwrap().status, 200);
    let run = run_of(&fleet.admin, &webhook).await;
    ends_well(&fleet.admin, &run).await;
    let watched = async {
        loop {
            let told = seen.message().await.unwrap().expect("the stream goes on");
            if format!("{told:?}").contains(&run) && format!("{told:?}").contains("succeeded") {
                return;
            }
        }
    };
    tokio::time::timeout(ck8s_tests::WAIT_TIMEOUT, watched)
        .await
        .expect("it is seen to succeed");
    assert!(!fleet.admin.at(&fleet.edge(1)).log(&run).await.is_empty());
    assert_eq!(
        fleet.admin.all_runs("").await.len(),
        1,
        "one payload, one run"
    );

    // A worker speaks for the id that its certificate names.
    let other = fleet.issued(&Identity::Worker("node-2".parse().unwrap()), -1, 1);
    let other = Api::over(fleet.dial(&other, "runs", 0, "runs"));
    let refused = ManualWorker::try_connect(&other, hello("node-1", 1))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    ManualWorker::connect(&other, hello("node-2", 1)).await;
    // At the edge, anonymous callers and people have their own rights and no more.
    let nobody = Api::anonymous(&fleet.edge(0));
    let refused = nobody.runs().list_runs(ListRunsRequest::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);

    // The audit trail names the revision that served.
    let started = flow_events(&fleet.world.owner, "server.started").await;
    for role in ["auth", "repositories", "runs", "ingress"] {
        let serves = format!("serves {role}");
        let told = started.iter().filter(|(_, m)| m.ends_with(&serves));
        assert_eq!(told.count(), 2, "{role}: {started:?}");
    }

    // Every process ends on SIGTERM.
    assert!(worker.program.terminate().await.success());
    for role in ROLES.iter().rev() {
        for n in 0..2 {
            assert!(
                fleet.node(role, n).program.terminate().await.success(),
                "{role} {n}"
            );
        }
    }
    fleet
        .world
        .nowhere(&[("the admin's token", &fleet.world.ready.admin_token)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_outside_the_mesh_are_refused() {
    let mut fleet = Fleet::prepare(&[]).await;
    for role in ["auth", "repositories", "runs"] {
        fleet.add(role, 0);
    }
    for role in ["auth", "repositories", "runs"] {
        fleet.node(role, 0).serves().await;
    }
    let list = async |channel| {
        let answer = Api::over(channel)
            .runs()
            .list_runs(ListRunsRequest::default())
            .await;
        answer.map(|_| ()).unwrap_err()
    };
    let create = async |channel| {
        let answer = Api::over(channel)
            .runs()
            .create_runs(CreateRunsRequest::default())
            .await;
        answer.map(|_| ())
    };
    let ingress = fleet.issued(&Identity::role("ingress"), -1, 1);
    create(fleet.dial(&ingress, "runs", 0, "runs"))
        .await
        .expect("ingress may");

    // Plain text: with gRPC, and with raw bytes.
    let listener = fleet.mesh_listener("runs", 0);
    let plain = Endpoint::from_shared(format!("http://{listener}"))
        .unwrap()
        .connect_lazy();
    let refused = list(plain).await;
    println!("plain text: {refused:?}");
    let mut stream = TcpStream::connect(&listener).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(
        !String::from_utf8_lossy(&answer).contains("HTTP"),
        "{answer:?}"
    );

    // A certificate of another authority, and one that has expired.
    let (certificate, key) = Authority::generate().unwrap();
    let other = Authority::from_pem(&certificate, &key).unwrap();
    let now = std::time::SystemTime::now();
    let day = Duration::from_secs(24 * 3600);
    let mut forged = other
        .bundle(&Identity::role("ingress"), now - day, now + day)
        .unwrap();
    // The client trusts our authority, so it is the server that refuses.
    forged.authority.clone_from(&ingress.authority);
    let expired = fleet.issued(&Identity::role("ingress"), -2, -1);
    for (what, bundle) in [("another authority", forged), ("expired", expired)] {
        let refused = create(fleet.dial(&bundle, "runs", 0, "runs"))
            .await
            .unwrap_err();
        println!("{what}: {refused:?}");
        assert_ne!(
            refused.code(),
            Code::PermissionDenied,
            "it never got so far"
        );
    }

    // The server is another role than the client expects.
    let refused = create(fleet.dial(&ingress, "repositories", 0, "runs"))
        .await
        .unwrap_err();
    println!("another role: {refused:?}");
    assert!(
        format!("{refused:?}").contains("not for spiffe://ck8s/runs"),
        "{refused:?}"
    );

    // Valid certificates call methods that are not open to them.
    let worker = fleet.issued(&Identity::Worker("node-1".parse().unwrap()), -1, 1);
    let refused = create(fleet.dial(&worker, "runs", 0, "runs"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    let repositories = fleet.issued(&Identity::role("repositories"), -1, 1);
    let refused = create(fleet.dial(&repositories, "runs", 0, "runs"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    // A role has no worker's certificate to renew, and only the edge can pass on a token.
    let renew = RenewWorkerCertificateRequest::default();
    let ingress_at_auth = Api::over(fleet.dial(&ingress, "auth", 0, "auth"));
    let refused = ingress_at_auth
        .auth()
        .renew_worker_certificate(renew)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    let edge = fleet.issued(&Identity::role("edge"), -1, 1);
    let refused = list(fleet.dial(&edge, "runs", 0, "runs")).await;
    assert_eq!(
        refused.code(),
        Code::PermissionDenied,
        "an edge alone is no admin"
    );
    // A certificate with several roles can act as any of them.
    let both = Identity::Roles(vec!["repositories".to_owned(), "ingress".to_owned()]);
    let both = fleet.issued(&both, -1, 1);
    create(fleet.dial(&both, "runs", 0, "runs"))
        .await
        .expect("one of its roles may");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_writes_logs_and_reads_secrets_of_its_own_leases_only() {
    let fleet = Fleet::start(1, &[]).await;
    fleet.admin.project("acme", 1).await;
    let as_worker = |id: &str| {
        let bundle = fleet.issued(&Identity::Worker(id.parse().unwrap()), -1, 1);
        Api::over(fleet.dial(&bundle, "runs", 0, "runs"))
    };
    let (own, other) = (as_worker("node-1"), as_worker("node-2"));
    let mut hand = ManualWorker::connect(&own, hello("node-1", 1)).await;
    let run = fleet.admin.start("acme", script("true")).await;
    let grant = hand.grant_of(&run.id).await;
    let append = |data: &[u8], offset| AppendLogRequest {
        appends: vec![LogAppend {
            lease: Some(lease(&grant).clone()),
            chunk: Some(LogChunk {
                offset,
                data: data.to_vec().into(),
                stream: LogStream::Output.into(),
                ..LogChunk::default()
            }),
            ..LogAppend::default()
        }],
    };
    let stale = async |api: &Api, request| {
        let answer = api.leases().append_log(request).await.unwrap();
        answer.into_inner().results[0].stale
    };
    assert!(stale(&other, append(b"forged\n", 0)).await);
    assert!(!stale(&own, append(b"mine\n", 0)).await);
    // It is refused also when the server has the end of the log in memory.
    assert!(stale(&other, append(b"forged\n", 5)).await);
    assert_eq!(fleet.admin.output(&run.id).await, "mine\n");
    let open = || OpenRunSecretsRequest {
        lease: Some(lease(&grant).clone()),
    };
    let refused = other.leases().open_run_secrets(open()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted, "{refused:?}");
    own.leases().open_run_secrets(open()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_come_and_go_and_a_role_without_its_peer_reports_it() {
    let mut fleet = Fleet::prepare(&[]).await;
    // The edge starts first, and reports what is missing until it comes.
    fleet.add("edge", 0);
    fleet
        .misses("edge", 0, &["ingress", "runs", "repositories", "auth"])
        .await;
    for role in ["ingress", "runs", "repositories", "auth"] {
        fleet.add(role, 0);
    }
    fleet.misses("edge", 0, &[]).await;
    fleet.misses("ingress", 0, &[]).await;
    let _worker = joined(&fleet, "node-1").await;
    let project = fleet.admin.project("acme", 4).await;

    // Calls continue while a replica is added and used, and the first one is killed.
    let count = async |fleet: &Fleet, n| {
        let method = "method=\"/ck8s.runs.v1.RunsService/ListRuns\"";
        fleet
            .metric("runs", n, "ck8s_grpc_requests_total", method)
            .await
    };
    let list = async |fleet: &Fleet| {
        let mut runs = fleet.admin.runs();
        let answer = runs.list_runs(ListRunsRequest::default()).await;
        answer.map(|_| ())
    };
    fleet.add("runs", 1);
    fleet.node("runs", 1).serves().await;
    until("the replica that was added is used", async || {
        list(&fleet).await.expect("no call fails");
        (count(&fleet, 1).await > 0.0).then_some(())
    })
    .await;
    let before = count(&fleet, 0).await;
    fleet.node("runs", 0).program.kill();
    for _ in 0..20 {
        list(&fleet)
            .await
            .expect("no call fails: another replica has it");
    }
    println!(
        "the first replica had {before} calls, the second {}",
        count(&fleet, 1).await
    );
    let run = fleet.admin.start("acme", script("true")).await;
    ends_well(&fleet.admin, &run.id).await;
    assert_eq!(fleet.admin.all_runs(&project).await.len(), 1);

    // All replicas of a role are gone: the roles that need it report it, the others do not; then it is back.
    let mut second = fleet.node("runs", 1).program.terminate().await;
    assert!(second.success());
    fleet.misses("edge", 0, &["runs"]).await;
    fleet.misses("ingress", 0, &["runs"]).await;
    fleet.misses("repositories", 0, &[]).await;
    fleet.misses("auth", 0, &[]).await;
    // What was accepted in the meantime is not lost.
    let webhook = payload(&fleet.world, 1);
    let answer = webhook.send_to(&fleet.edge(0)).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text);
    fleet.node("runs", 0).restart();
    fleet.misses("edge", 0, &[]).await;
    let run = run_of(&fleet.admin, &webhook).await;
    ends_well(&fleet.admin, &run).await;
    second = fleet.node("edge", 0).program.terminate().await;
    assert!(second.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_change_are_used_without_a_restart() {
    let ttl = ("CK8S_WORKER_CERTIFICATE_TTL_S", "6");
    let fleet = Fleet::start(1, &[ttl]).await;
    // The worker renews its own certificate again and again, with new keys, and works beyond the end of the first one.
    let mut worker = joined(&fleet, "node-1").await;
    let dir = fleet.certificates("node-1");
    let key = || std::fs::read(dir.join("tls.key")).unwrap();
    let ends = Certificates::open(&dir).unwrap().validity().until;
    let mut keys = HashSet::from([key()]);
    until(
        "the first certificate has ended and two have followed",
        async || {
            keys.insert(key());
            (keys.len() > 2 && std::time::SystemTime::now() > ends).then_some(())
        },
    )
    .await;
    fleet.admin.project("acme", 4).await;
    let run = fleet.admin.start("acme", script("true")).await;
    ends_well(&fleet.admin, &run.id).await;
    assert!(worker.program.ended().is_none());

    // The roles move to another authority, one after the other, while both authorities are trusted.
    let place = fleet.world.dir.path().join("authority-2");
    ck8s(&["certificate", "authority", "--dir", text(&place)]);
    let fresh = Authority::read(&place).unwrap();
    let day = Duration::from_secs(24 * 3600);
    let now = std::time::SystemTime::now();
    let old = std::fs::read(fleet.certificates("auth").join("ca.crt")).unwrap();
    let mut both = old.clone();
    both.extend(std::fs::read(place.join("ca.crt")).unwrap());
    for role in ROLES {
        std::fs::write(fleet.certificates(role).join("ca.crt"), &both).unwrap();
    }
    // A worker that joined gets the authorities to trust with its next certificate: those beside the key that signs it.
    let signer = fleet.world.dir.path().join("authority/ca.crt");
    std::fs::write(signer, &both).unwrap();
    until("the worker trusts both", async || {
        (std::fs::read(dir.join("ca.crt")).unwrap() == both).then_some(())
    })
    .await;
    let stranger = fresh
        .bundle(&Identity::role("ingress"), now - day, now + day)
        .unwrap();
    let mut stranger = stranger.clone();
    stranger.authority.clone_from(&both);
    let asked = CreateRunsRequest::default();
    until("runs takes the other authority's", async || {
        let api = Api::over(fleet.dial(&stranger, "runs", 0, "runs"));
        api.runs().create_runs(asked.clone()).await.ok()
    })
    .await;
    for role in ROLES {
        let mut bundle = fresh
            .bundle(&Identity::role(role), now - day, now + day)
            .unwrap();
        bundle.authority.clone_from(&both);
        bundle.write(&fleet.certificates(role)).unwrap();
    }
    // A client that trusts only the new authority sees the new certificate, and no process was restarted.
    stranger.authority = std::fs::read(place.join("ca.crt")).unwrap();
    until("runs shows the other authority's", async || {
        let api = Api::over(fleet.dial(&stranger, "runs", 0, "runs"));
        api.runs().create_runs(asked.clone()).await.ok()
    })
    .await;
    fleet.misses("edge", 0, &[]).await;
    let run = fleet.admin.start("acme", script("true")).await;
    ends_well(&fleet.admin, &run.id).await;
    assert!(worker.program.ended().is_none());
}
