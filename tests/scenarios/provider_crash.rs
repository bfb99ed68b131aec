//! The server is killed at every step of a change at GitHub: before GitHub does what it was asked, and after it did so
//! but before its answer arrives.
use ck8s_proto::repositories::v1 as pb;
use ck8s_tests::{
    Api, World, api,
    github::{GitHub, Moment},
    new_id, until,
};
use serde_json::json;
use tonic::Status;

use crate::{
    reporting::push,
    repositories::{add, check, comment, issue, request, scene},
};

/// Bounds the steps that are tried: no change makes more requests to GitHub.
const MAX_STEPS: usize = 40;

/// A GitHub and a server, in which a change is made again and again.
struct Stage {
    github: GitHub,
    world: World,
    token: String,
}

impl Stage {
    async fn new() -> Self {
        let (github, world, token) = scene().await;
        Self {
            github,
            world,
            token,
        }
    }

    /// Makes a change again and again, and kills the server one step later each time, until the change ends. `before`
    /// prepares each time, `after` checks the result. Returns the number of steps at which the server was killed.
    async fn kill_at_every_step<F: Future<Output = Result<(), Status>> + Send + 'static>(
        &mut self,
        before: impl AsyncFn(&mut Self),
        change: impl Fn(Api, String) -> F,
        after: impl AsyncFn(&mut Self, &str),
    ) -> usize {
        let mut steps = Vec::new();
        for nth in 0..MAX_STEPS {
            for moment in [Moment::Before, Moment::After] {
                before(self).await;
                self.github.world().hold(nth, moment);
                let changing = tokio::spawn(change(self.world.admin.clone(), self.token.clone()));
                let held = until("a request is held, or the change has ended", async || {
                    let held = self.github.world().held();
                    (held.is_some() || changing.is_finished()).then_some(held)
                })
                .await;
                let Some(held) = held else {
                    self.github.world().hold_none();
                    changing.await.unwrap().expect("it is done");
                    after(self, "the end").await;
                    println!("killed at {}: {steps:#?}", steps.len());
                    return steps.len();
                };
                self.world.restart().await;
                let step = format!("{moment:?} {held}");
                until("no change is pending", async || {
                    (self.pending_changes().await == 0).then_some(())
                })
                .await;
                after(self, &step).await;
                steps.push(step);
            }
        }
        panic!("the change does not end");
    }

    async fn pending_changes(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM repositories.works")
            .fetch_one(&self.world.owner)
            .await
            .unwrap()
    }

    async fn listed(&self) -> bool {
        let named = self.world.admin.repositories_named().await;
        named.contains(&"acme/one".to_owned())
    }

    fn hooks(&self) -> usize {
        self.github.world().repository(501).hooks.len()
    }

    /// Asserts that GitHub has one hook, and that its signature is accepted.
    async fn assert_hook_works(&self, step: &str) {
        assert_eq!(self.hooks(), 1, "{step}");
        let payload = issue(501, "acme/one");
        let sent = self.github.emit(501, "issues", &payload).await;
        assert_eq!(sent, [202], "{step}");
    }

    async fn remove(&self) {
        let gone = remove(self.world.admin.clone()).await;
        gone.expect("is removed");
    }
}

async fn remove(admin: Api) -> Result<(), Status> {
    let request = pb::RemoveRepositoryRequest {
        request_id: new_id(),
        repository: "acme/one".to_owned(),
    };
    let gone = admin.repositories().remove_repository(request).await?;
    assert_eq!(gone.into_inner().hook_left, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_addition_leaves_a_repository_with_its_hook_or_neither() {
    let mut stage = Stage::new().await;
    let killed = stage
        .kill_at_every_step(
            async |_| {},
            async |admin, token| {
                let request = request("shop", "acme/one", &token);
                admin.repositories().add_repository(request).await?;
                Ok(())
            },
            async |stage, step| {
                if stage.listed().await {
                    stage.assert_hook_works(step).await;
                    stage.remove().await;
                }
                assert_eq!(stage.hooks(), 0, "{step}");
            },
        )
        .await;
    assert!(killed >= 10, "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_removal_leaves_neither_the_repository_nor_its_hook() {
    let mut stage = Stage::new().await;
    let killed = stage
        .kill_at_every_step(
            async |stage| {
                add(&stage.world, "shop", "acme/one", &stage.token).await;
            },
            async |admin, _| remove(admin).await,
            async |stage, step| {
                assert!(!stage.listed().await, "{step}");
                assert_eq!(stage.hooks(), 0, "{step}");
            },
        )
        .await;
    assert!(killed >= 4, "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_replacement_of_a_secret_leaves_one_that_works() {
    let mut stage = Stage::new().await;
    add(&stage.world, "shop", "acme/one", &stage.token).await;
    let killed = stage
        .kill_at_every_step(
            async |_| {},
            async |admin, _| {
                let request = pb::RotateWebhookSecretRequest {
                    request_id: new_id(),
                    repository: "acme/one".to_owned(),
                    ..Default::default()
                };
                admin.repositories().rotate_webhook_secret(request).await?;
                Ok(())
            },
            async |stage, step| stage.assert_hook_works(step).await,
        )
        .await;
    assert!(killed >= 4, "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_github_accepted_stays_valid_though_github_refuses_since() {
    let mut stage = Stage::new().await;
    add(&stage.world, "shop", "acme/one", &stage.token).await;
    // The first request lists the hooks, the second one changes the hook.
    stage.github.world().hold(1, Moment::After);
    let admin = stage.world.admin.clone();
    let rotating = tokio::spawn(async move {
        let request = pb::RotateWebhookSecretRequest {
            request_id: new_id(),
            repository: "acme/one".to_owned(),
            ..Default::default()
        };
        admin.repositories().rotate_webhook_secret(request).await
    });
    let held = until("it is held", async || stage.github.world().held()).await;
    assert!(held.starts_with("PATCH "), "{held}");
    stage.github.world().revoke(&stage.token);
    stage.world.restart().await;
    assert!(rotating.await.unwrap().is_err());
    until("no change is pending", async || {
        (stage.pending_changes().await == 0).then_some(())
    })
    .await;
    stage.assert_hook_works("after it was refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_replacement_of_a_token_leaves_one_that_works() {
    let mut stage = Stage::new().await;
    add(&stage.world, "shop", "acme/one", &stage.token).await;
    let killed = stage
        .kill_at_every_step(
            async |stage| stage.token = stage.github.world().classic_token("robot", &["repo"]),
            async |admin, token| {
                let request = pb::RotateCredentialRequest {
                    request_id: new_id(),
                    repository: "acme/one".to_owned(),
                    credential: Some(pb::rotate_credential_request::Credential::Token(token)),
                };
                admin.repositories().rotate_credential(request).await?;
                Ok(())
            },
            async |stage, step| {
                let found = check(&stage.world, "acme/one").await;
                let wrong = found.iter().find(|f| f.1 == pb::Standing::Wrong);
                assert!(wrong.is_none(), "{step}: {wrong:?}");
                stage.assert_hook_works(step).await;
            },
        )
        .await;
    assert!(killed >= 4, "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_mend_can_be_repeated() {
    let mut stage = Stage::new().await;
    add(&stage.world, "shop", "acme/one", &stage.token).await;
    async fn mend(admin: Api) -> Result<(), Status> {
        let request = pb::MendRepositoryRequest {
            request_id: new_id(),
            repository: "acme/one".to_owned(),
        };
        admin.repositories().mend_repository(request).await?;
        Ok(())
    }
    let killed = stage
        .kill_at_every_step(
            async |stage| stage.github.world().repository(501).hooks.clear(),
            async |admin, _| mend(admin).await,
            async |stage, step| {
                mend(stage.world.admin.clone()).await.expect("is mended");
                stage.assert_hook_works(step).await;
            },
        )
        .await;
    assert!(killed >= 6, "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_reported_completely_and_once() {
    let (github, mut world, token) = scene().await;
    let services = "version: 1
triggers:
  - name: command
    on: { event: issue_comment, comment: /run }
    run: { command: \"true\" }
  - name: build
    on: { event: push }
    run: { command: \"true\" }
";
    let sha = github
        .world()
        .repository(501)
        .push("main", &[(".ck8s/services.yaml", Some(services))]);
    add(&world, "shop", "acme/one", &token).await;
    let mut steps = Vec::new();
    for nth in 0..MAX_STEPS {
        let before = steps.len();
        for (moment, issue) in [(Moment::Before, 2 * nth + 2), (Moment::After, 2 * nth + 3)] {
            let issue = u64::try_from(issue).unwrap();
            github.world().hold(nth, moment);
            let request = {
                let mut at_github = github.world();
                let id = at_github.next_id();
                at_github.repository(501).say(id, issue, 7, "/run now")
            };
            let mut payload = comment(501, "acme/one", "ada", "User");
            payload["comment"]["id"] = json!(request);
            payload["issue"]["number"] = json!(issue);
            assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
            assert_eq!(github.emit(501, "push", &push(&sha)).await, [202]);
            let first = report_everything(&github, &mut world).await;
            let live = world.admin.all_runs("").await;
            let live: Vec<_> = live.iter().filter(|run| !api::ended(run)).collect();
            assert_eq!(live.len(), 2, "{first:?}");
            for run in &live {
                world.admin.cancel(&run.id).await.expect("is canceled");
            }
            let second = report_everything(&github, &mut world).await;
            github.world().hold_none();
            let step = format!("{moment:?} {:?}", first.as_ref().or(second.as_ref()));
            let mut at_github = github.world();
            let shop = at_github.repository(501);
            let ours = shop.comments_in(issue).into_iter().filter(|c| c.by == 8);
            let ours: Vec<_> = ours.map(|comment| comment.body).collect();
            let newest = live
                .iter()
                .find(|run| run.trigger.as_ref().unwrap().number > 0);
            assert_eq!(ours.len(), 1, "{step}");
            assert!(ours[0].contains("canceled"), "{step}: {ours:?}");
            assert!(ours[0].contains(&newest.unwrap().id), "{step}: {ours:?}");
            let theirs = shop
                .comments_in(issue)
                .into_iter()
                .find(|c| c.id == request);
            assert_eq!(
                theirs.unwrap().reactions,
                [(8, "eyes".to_owned())],
                "{step}"
            );
            assert_eq!(
                shop.shown_statuses(&sha)["ck8s/build"].state,
                "error",
                "{step}"
            );
            if first.or(second).is_some() {
                steps.push(step);
            }
        }
        if steps.len() == before {
            println!("killed at {}: {steps:#?}", steps.len());
            assert!(steps.len() >= 10, "{steps:?}");
            return;
        }
    }
    panic!("the change does not end");
}

/// Waits until every delivery was handled and every change of a run was reported. If a request is held meanwhile, the
/// server is killed. Returns that request.
async fn report_everything(github: &GitHub, world: &mut World) -> Option<String> {
    let mut killed = None;
    loop {
        let held = until("a request is held, or everything is reported", async || {
            let held = github.world().held().filter(|_| killed.is_none());
            let unreported: i64 = sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM ingress.waiting)
                      + (SELECT count(*) FROM runs.runs r WHERE NOT EXISTS
                         (SELECT FROM repositories.reports p WHERE p.run_id = r.id AND p.said = r.state))",
            )
            .fetch_one(&world.owner)
            .await
            .unwrap();
            (held.is_some() || unreported == 0).then_some(held)
        })
        .await;
        if held.is_none() {
            return killed;
        }
        world.restart().await;
        github.world().hold_none();
        killed = held;
    }
}
