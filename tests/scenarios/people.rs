//! A change of a person's rights counts within a second, on every replica and for open streams.
use std::time::{Duration, Instant};

use ck8s_proto::{
    auth::v1::{RemoveMemberRequest, RemoveUserRequest, RevokeTokenRequest, WhoAmIRequest},
    policy::v1::ProjectRole,
    runs::v1::{GetRunRequest, ListRunsRequest, WatchRunsRequest, WatchRunsResponse},
};
use ck8s_tests::{Api, Node, Person, Setup, World, new_id, person, script, until};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

/// Bounds how long a change takes to count everywhere.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(1);

struct TwoReplicas {
    replica: Node,
    project: String,
    run: String,
    world: World,
}

impl TwoReplicas {
    async fn start() -> Self {
        let world = World::start(Setup::without_worker()).await;
        let replica = world.replica("replica", &[]).await;
        let project = world.admin.project("acme", 4).await;
        let run = world.admin.start("acme", script("true")).await.id;
        Self {
            replica,
            project,
            run,
            world,
        }
    }

    /// Adds a member, who calls both replicas.
    async fn member(&self, email: &str, role: ProjectRole) -> (Person, [Api; 2]) {
        let admin = &self.world.admin;
        let someone = person(admin, &self.world.owner, email, false).await;
        someone.joins(admin, "acme", role).await;
        let first = Api::new(&self.world.ready.url, &someone.token);
        let second = first.at(&self.replica.url);
        (someone, [first, second])
    }

    /// Opens a stream at each replica and waits for its first message, so that each replica remembers the caller.
    async fn watches(&self, apis: &[Api; 2]) -> Vec<Streaming<WatchRunsResponse>> {
        let mut watches = Vec::new();
        for api in apis {
            let watch = api.runs().watch_runs(WatchRunsRequest::default()).await;
            let mut watch = watch.expect("may watch").into_inner();
            watch.message().await.unwrap().expect("begins at once");
            self.get(api).await.expect("may see");
            watches.push(watch);
        }
        watches
    }

    async fn get(&self, api: &Api) -> Result<(), Status> {
        let request = GetRunRequest {
            run_id: self.run.clone(),
        };
        api.runs().get_run(request).await.map(drop)
    }
}

/// Returns how each stream ended, and checks that it ended within a second.
async fn ends(watches: Vec<Streaming<WatchRunsResponse>>, since: Instant) -> Vec<(Code, String)> {
    let ended = watches.into_iter().map(|mut watch| async move {
        loop {
            match watch.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended without a status"),
                Err(status) => return (status, since.elapsed()),
            }
        }
    });
    let ended = futures::future::join_all(ended);
    let ended = tokio::time::timeout(ck8s_tests::WAIT_TIMEOUT, ended).await;
    let mut statuses = Vec::new();
    for (status, after) in ended.expect("the streams end") {
        println!("after {after:?}: {:?} {}", status.code(), status.message());
        assert!(after < CHANGE_TIMEOUT, "{after:?}: {status:?}");
        let info = status.get_details_error_info().expect("a reason");
        statuses.push((status.code(), info.reason));
    }
    statuses
}

fn twice(code: Code, reason: &str) -> Vec<(Code, String)> {
    vec![(code, reason.to_owned()); 2]
}

/// Returns the error of a call at each replica, a second after the change.
async fn refused(two: &TwoReplicas, apis: &[Api; 2], since: Instant) -> Vec<Option<Code>> {
    tokio::time::sleep_until((since + CHANGE_TIMEOUT).into()).await;
    let mut codes = Vec::new();
    for api in apis {
        codes.push(two.get(api).await.err().map(|status| status.code()));
    }
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_ends_open_streams_and_counts_within_a_second() {
    let two = TwoReplicas::start().await;
    let (octo, apis) = two.member("octo@example.com", ProjectRole::ReadWrite).await;
    let watches = two.watches(&apis).await;
    octo.becomes(&two.world.admin, "acme", ProjectRole::Read)
        .await;
    let since = Instant::now();
    let changed = twice(Code::PermissionDenied, "ACCESS_CHANGED");
    assert_eq!(ends(watches, since).await, changed);
    assert_eq!(refused(&two, &apis, since).await, [None, None], "may look");
    for api in &apis {
        let refused = api.cancel(&two.run).await.unwrap_err();
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.reason, "ROLE_NEEDED", "{refused:?}");
    }
    // A stream that is opened again goes on.
    drop(two.watches(&apis).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_sees_nothing_within_a_second() {
    let two = TwoReplicas::start().await;
    let (octo, apis) = two.member("octo@example.com", ProjectRole::Admin).await;
    let other = two.world.admin.project("other", 1).await;
    octo.joins(&two.world.admin, "other", ProjectRole::Read)
        .await;
    for api in &apis {
        until("both memberships are known", async || {
            let who = api.auth().who_am_i(WhoAmIRequest {}).await.ok()?;
            (who.into_inner().person?.memberships.len() == 2).then_some(())
        })
        .await;
    }
    let watches = two.watches(&apis).await;
    let request = RemoveMemberRequest {
        request_id: new_id(),
        project: two.project.clone(),
        user: octo.id.clone(),
    };
    let admin = &two.world.admin;
    admin.projects().remove_member(request).await.unwrap();
    let since = Instant::now();
    let changed = twice(Code::PermissionDenied, "ACCESS_CHANGED");
    assert_eq!(ends(watches, since).await, changed);
    let gone = Some(Code::NotFound);
    assert_eq!(refused(&two, &apis, since).await, [gone, gone]);
    admin.start("other", script("true")).await;
    for api in &apis {
        let list = ListRunsRequest::default();
        let runs = api.runs().list_runs(list).await.unwrap().into_inner().runs;
        let projects: Vec<_> = runs.iter().map(|run| &run.project_id).collect();
        assert_eq!(projects, [&other]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_and_a_removed_user_are_refused_within_a_second() {
    let two = TwoReplicas::start().await;
    let (octo, apis) = two.member("octo@example.com", ProjectRole::Read).await;
    let watches = two.watches(&apis).await;
    let revoke = RevokeTokenRequest {
        request_id: new_id(),
        token: "test".to_owned(),
    };
    apis[0].auth().revoke_token(revoke).await.unwrap();
    let since = Instant::now();
    let ended = twice(Code::Unauthenticated, "TOKEN_ENDED");
    assert_eq!(ends(watches, since).await, ended);
    let nobody = Some(Code::Unauthenticated);
    assert_eq!(refused(&two, &apis, since).await, [nobody, nobody]);

    let (cat, apis) = two.member("cat@example.com", ProjectRole::Admin).await;
    let watches = two.watches(&apis).await;
    let remove = RemoveUserRequest {
        request_id: new_id(),
        user: cat.email.clone(),
    };
    let admin = &two.world.admin;
    admin.auth().remove_user(remove).await.unwrap();
    let since = Instant::now();
    assert_eq!(ends(watches, since).await, ended);
    assert_eq!(refused(&two, &apis, since).await, [nobody, nobody]);
    two.world
        .nowhere(&[("octo's token", &octo.token), ("cat's", &cat.token)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_only_the_projects_of_its_caller() {
    let two = TwoReplicas::start().await;
    let (_, apis) = two.member("octo@example.com", ProjectRole::Read).await;
    let admin = &two.world.admin;
    let hidden = admin.project("hidden", 1).await;
    let mut watches = two.watches(&apis).await;
    admin.start("hidden", script("true")).await;
    let last = admin.start("acme", script("true")).await;
    for watch in &mut watches {
        let mut seen = 0;
        loop {
            let response = watch.message().await.unwrap().expect("goes on");
            assert!(!format!("{response:?}").contains(&hidden), "{response:?}");
            seen += usize::from(response.event.is_some());
            if response.run.is_some_and(|run| run.id == last.id) {
                break;
            }
        }
        assert!(seen > 0);
    }
}
