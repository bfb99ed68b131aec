//! Which runs are given which secrets, and who may have a spec of their own given any.
use ck8s_proto::{
    policy::v1::ProjectRole,
    repositories::v1::{SecretBinding, SetProjectSecretRequest, SetSecretRequest},
    runs::v1::{RetryRunRequest, Run, RunReason, RunSpec, RunState, StartRunRequest},
};
use ck8s_tests::{Api, Setup, World, database::flow_events, new_id, person, script, until};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Says whether the secrets are those that are set below.
const SAY: &str = "[ \"${DEPLOY_KEY#for-}\" = deployments ] && echo deploys; [ \"${SHARED#of-}\" = the-project ] && echo shares; true";

fn services() -> String {
    let trigger = |name: &str| {
        format!(
            "  - name: {name}\n    on: {{ event: push }}\n    run: {{ command: '{}', secrets: [DEPLOY_KEY, SHARED] }}\n",
            SAY.replace('\'', "\'\'")
        )
    };
    format!(
        "version: 1\ntriggers:\n{}{}",
        trigger("deploy"),
        trigger("test")
    )
}

fn own_spec(secrets: &[&str]) -> StartRunRequest {
    StartRunRequest {
        request_id: new_id(),
        repository: "acme/app".to_owned(),
        spec: Some(RunSpec {
            secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
            ..script(SAY)
        }),
        ..Default::default()
    }
}

async fn start(api: &Api, request: StartRunRequest) -> Result<Run, Status> {
    let answer = api.runs().start_run(request).await?;
    Ok(answer.into_inner().run.expect("the run"))
}

async fn start_trigger(api: &Api, name: &str) -> Run {
    let request = StartRunRequest {
        request_id: new_id(),
        repository: "acme/app".to_owned(),
        trigger: name.to_owned(),
        ..Default::default()
    };
    start(api, request).await.expect("is started")
}

fn assert_takes_an_admin<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let refused = answer.expect_err("is refused");
    let info = refused.get_details_error_info().expect("a reason");
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(info.reason, "SECRETS_NEED_ADMIN");
    assert_eq!(info.metadata["role"], "admin");
    assert_eq!(info.metadata["secrets"], "DEPLOY_KEY");
}

/// A project with a bound secret and one of the project, a person who writes and one who is its admin.
async fn scene() -> (World, Api, Api) {
    let world = World::start(Setup::with_worker(4)).await;
    world.admin.project("acme", 4).await;
    let (repository, _) = world
        .admin
        .repository("acme", "acme/app", 77, &services())
        .await;
    let deploy_key = SetSecretRequest {
        request_id: new_id(),
        repository: repository.id,
        name: "DEPLOY_KEY".to_owned(),
        value: "for-deployments".to_owned(),
        binding: Some(SecretBinding {
            triggers: vec!["deploy".to_owned()],
        }),
    };
    world
        .admin
        .repositories()
        .set_secret(deploy_key)
        .await
        .expect("sets");
    let shared = SetProjectSecretRequest {
        request_id: new_id(),
        project: "acme".to_owned(),
        name: "SHARED".to_owned(),
        value: "of-the-project".to_owned(),
    };
    world
        .admin
        .repositories()
        .set_project_secret(shared)
        .await
        .expect("sets");
    let member = async |email: &str, role| {
        let someone = person(&world.admin, &world.owner, email, false).await;
        someone.joins(&world.admin, "acme", role).await;
        Api::new(&world.ready.url, &someone.token)
    };
    let writer = member("writer@example.test", ProjectRole::ReadWrite).await;
    let admin = member("admin@example.test", ProjectRole::Admin).await;
    (world, writer, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_secret_is_given_to_runs_of_its_triggers_alone() {
    let (world, writer, admin) = scene().await;
    let succeeded = (RunState::Succeeded, RunReason::Completed);
    let run = start_trigger(&writer, "deploy").await;
    writer.ends(&run.id, succeeded.0, succeeded.1).await;
    assert_eq!(writer.log(&run.id).await, "deploys\nshares\n");

    let run = start_trigger(&writer, "test").await;
    let run = writer.wait_end(&run.id).await;
    assert_eq!(
        (run.state(), run.reason()),
        (RunState::Failed, RunReason::ConfigError)
    );
    assert!(
        run.message
            .contains("DEPLOY_KEY is bound to other triggers"),
        "{}",
        run.message
    );

    let run = start(&admin, own_spec(&["DEPLOY_KEY"]))
        .await
        .expect("an admin may");
    admin.ends(&run.id, succeeded.0, succeeded.1).await;
    assert_eq!(admin.log(&run.id).await, "deploys\n");
    world
        .nowhere(&[
            ("a bound secret", "for-deployments"),
            ("a project's", "of-the-project"),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_of_ones_own_is_given_secrets_only_if_an_admin_starts_it() {
    let (world, writer, admin) = scene().await;
    assert_takes_an_admin(start(&writer, own_spec(&["DEPLOY_KEY"])).await);
    until("the refusal is on record", async || {
        let denied = flow_events(&world.owner, "access.denied").await;
        (!denied.is_empty()).then_some(())
    })
    .await;
    let run = start(&writer, own_spec(&[]))
        .await
        .expect("without secrets they may");
    writer
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(writer.log(&run.id).await, "");

    let run = start(&admin, own_spec(&["DEPLOY_KEY"]))
        .await
        .expect("an admin may");
    admin
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    let retry = || RetryRunRequest {
        request_id: new_id(),
        run_id: run.id.clone(),
    };
    assert_takes_an_admin(writer.runs().retry_run(retry()).await);
    let again = admin.retry(&run.id).await;
    admin
        .ends(&again.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(admin.log(&again.id).await, "deploys\n");

    // A run of a trigger is what the repository says, so whoever may start it may start it again.
    let run = start_trigger(&writer, "deploy").await;
    writer
        .ends(&run.id, RunState::Succeeded, RunReason::Completed)
        .await;
    let again = writer.retry(&run.id).await;
    writer
        .ends(&again.id, RunState::Succeeded, RunReason::Completed)
        .await;
    assert_eq!(writer.log(&again.id).await, "deploys\nshares\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_workload_is_masked_and_a_short_secret_is_warned_of() {
    let (world, _, admin) = scene().await;
    let mut request = own_spec(&["DEPLOY_KEY"]);
    let spec = request.spec.as_mut().expect("a spec");
    spec.command = vec!["/no/such/for-deployments".to_owned()];
    let run = start(&admin, request).await.expect("an admin may");
    let run = admin.wait_end(&run.id).await;
    assert_eq!(run.reason(), RunReason::ConfigError);
    assert!(run.message.contains("/no/such/***"), "{}", run.message);
    let log = admin.log(&run.id).await;
    assert!(log.contains("/no/such/***"), "{log}");

    let warnings = async |value: &str| {
        let short = SetProjectSecretRequest {
            request_id: new_id(),
            project: "acme".to_owned(),
            name: "PIN".to_owned(),
            value: value.to_owned(),
        };
        let set = world.admin.repositories().set_project_secret(short).await;
        set.expect("sets").into_inner().warnings
    };
    let short = warnings("123\n").await;
    assert!(short[0].contains("too short to be masked"), "{short:?}");
    assert_eq!(warnings("1234").await.len() + warnings("").await.len(), 0);
}
