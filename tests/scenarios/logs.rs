//! Logs: followed live, kept after the run, cut at the cap, masked; and the run's own token.
use ck8s_proto::runs::v1::{
    GetRunRequest, ListRunsRequest, ReadLogRequest, RunReason, RunSpec, RunState,
};
use ck8s_tests::{Api, Setup, World, script, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_live_and_kept() {
    let world = World::start(Setup::with_worker(4)).await;
    world.admin.project("acme", 2).await;
    let go = world.dir.path().join("go");
    let text = format!(
        "echo one; echo two >&2; while [ ! -e {} ]; do sleep 0.02; done; printf 'no end of line'",
        go.display()
    );
    let run = world.admin.start("acme", script(&text)).await;
    let request = ReadLogRequest {
        run_id: run.id.clone(),
        follow: true,
        ..Default::default()
    };
    let mut stream = world
        .admin
        .runs()
        .read_log(request)
        .await
        .unwrap()
        .into_inner();
    let mut seen = String::new();
    let mut at = 0;
    let following = async {
        while let Some(piece) = stream.message().await.unwrap() {
            for chunk in piece.chunks {
                assert_eq!(chunk.offset, at, "no gap");
                at += i64::try_from(chunk.data.len()).unwrap();
                seen.push_str(std::str::from_utf8(&chunk.data).unwrap());
            }
            if seen == "one\ntwo\n" && !go.exists() {
                // The log came while the run runs. The state of the run comes another way, which may take a moment
                // longer.
                world.admin.wait_running(&run.id).await;
                std::fs::write(&go, "").unwrap();
            }
        }
    };
    tokio::time::timeout(ck8s_tests::WAIT_TIMEOUT, following)
        .await
        .expect("the log ends with the run");
    assert_eq!(seen, "one\ntwo\nno end of line");
    world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(world.admin.log(&run.id).await, seen);
    let part = ReadLogRequest {
        run_id: run.id.clone(),
        offset: 4,
        ..Default::default()
    };
    let mut stream = world
        .admin
        .runs()
        .read_log(part)
        .await
        .unwrap()
        .into_inner();
    let mut rest = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        piece
            .chunks
            .iter()
            .for_each(|c| rest.extend_from_slice(&c.data));
    }
    assert_eq!(rest, b"two\nno end of line");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_cut_at_the_cap() {
    let world = World::start(Setup::with_worker(4).env("CK8S_LOG_CAP_BYTES", "65536")).await;
    world.admin.project("acme", 2).await;
    let run = world
        .admin
        .start("acme", script("yes 0123456789abcdef | head -c 3000000"))
        .await;
    world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    let log = world.admin.log(&run.id).await;
    println!("3,000,000 bytes were written, {} are kept", log.len());
    assert!(
        log.len() >= 65_536 && log.len() < 65_536 + (1 << 20),
        "{}",
        log.len()
    );
    assert!(
        log.ends_with("ck8s: the log is cut here, at 65536 bytes\n"),
        "{}",
        &log[log.len() - 80..]
    );
    let mut stream = world
        .admin
        .runs()
        .read_log(ReadLogRequest {
            run_id: run.id,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    let mut truncated = false;
    while let Some(piece) = stream.message().await.unwrap() {
        truncated |= piece.truncated;
    }
    assert!(truncated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_gets_its_secret_and_the_secret_is_shown_nowhere() {
    let world = World::start(Setup::with_worker(4)).await;
    world.admin.project("acme", 2).await;
    let (repository, webhook_secret) = world
        .admin
        .repository("acme", "acme/app", 77, "version: 1\n")
        .await;
    let secret = "correct-horse-battery-staple";
    world
        .admin
        .set_secret(&repository.id, "API_KEY", secret)
        .await;
    let text = "echo \"key: $API_KEY\"; printf 'corr'; printf 'ect-horse-'; sleep 0.2; echo battery-staple; echo \"${#API_KEY}\"; echo \"token: $CK8S_TOKEN\"";
    let spec = RunSpec {
        secrets: vec!["API_KEY".to_owned()],
        ..script(text)
    };
    let run = world.admin.start_in("acme/app", spec).await;
    world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(
        world.admin.log(&run.id).await,
        format!("key: ***\n***\n{}\ntoken: ***\n", secret.len())
    );
    world.idle().await;
    world
        .nowhere(&[
            ("the repository's secret", secret),
            ("its webhook secret", &webhook_secret),
            ("the demo's webhook secret", &world.ready.webhook_secret),
            ("the run's token", "ck8s_run_"),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_run_reads_that_run_only_and_ends_with_it() {
    let world = World::start(Setup::with_worker(4)).await;
    world.admin.project("acme", 2).await;
    let (file, go) = (world.dir.path().join("token"), world.dir.path().join("go"));
    let text = format!(
        "printf %s \"$CK8S_TOKEN\" > {f}.new; mv {f}.new {f}; while [ ! -e {} ]; do sleep 0.02; done",
        go.display(),
        f = file.display()
    );
    let run = world.admin.start("acme", script(&text)).await;
    let other = world.admin.start("acme", script("true")).await;
    let token = until("the run's token", async || {
        std::fs::read_to_string(&file).ok()
    })
    .await;
    let own = Api::new(&world.ready.url, &token);
    let get = async |id: &str| {
        own.runs()
            .get_run(GetRunRequest {
                run_id: id.to_owned(),
            })
            .await
            .map(|r| r.into_inner().run.unwrap().id)
            .map_err(|s| s.code())
    };
    assert_eq!(get(&run.id).await, Ok(run.id.clone()));
    assert!(!own.events(&run.id).await.is_empty());
    assert_eq!(get(&other.id).await, Err(tonic::Code::NotFound));
    let list = own
        .runs()
        .list_runs(ListRunsRequest::default())
        .await
        .unwrap_err()
        .code();
    assert_eq!(list, tonic::Code::PermissionDenied);
    std::fs::write(&go, "").unwrap();
    world
        .admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    until("its token is refused", async || {
        (get(&run.id).await == Err(tonic::Code::Unauthenticated)).then_some(())
    })
    .await;
}
