//! The server is killed again and again while a hundred pushes, which four triggers match each, are on their way: every
//! push has its four runs and its commit four statuses, and there are no others.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ck8s_tests::{
    Setup, Webhook, World,
    github::{self, Account, GitHub, GitHubWorld},
    until,
};
use futures::future::join_all;
use rand::RngExt;

use super::{DELIVERIES, SERVICES, TRIGGERS, assert_each_has_its_runs, handled_pushes, name, send};
use crate::{crash::random, reporting::push, repositories};

/// Each has a credential of its own: with one credential there is one write a second, as GitHub asks.
const REPOSITORIES: u64 = 20;
/// How often the server is killed, and how long after the pushes were sent at most: while they are stored, while they
/// make their runs, and while statuses are set.
const KILLS: [(usize, Duration); 3] = [
    (8, Duration::from_millis(40)),
    (4, Duration::from_millis(120)),
    (8, Duration::from_millis(1_500)),
];

/// A commit's hash, a status' context and the page that it leads to.
type ShownStatus = (String, String, String);

/// A push and its webhook.
struct Push {
    repository: u64,
    sha: String,
    webhook: Webhook,
}

/// Starts a GitHub with the repositories, and a server that has them all.
async fn scene() -> (GitHub, World) {
    let mut at_github = GitHubWorld::new("http://localhost/callback")
        .with(Account::new(7, "ada", "ada@example.test"))
        .with(Account::new(8, "robot", "robot@example.test"));
    for id in 1..=REPOSITORIES {
        let repository = github::Repository::new(id, &full_name(id))
            .with("ada", "admin")
            .with("robot", "admin")
            .file(".ck8s/services.yaml", SERVICES);
        at_github = at_github.having(repository);
    }
    let github = GitHub::start(at_github).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 2).await;
    for id in 1..=REPOSITORIES {
        let token = github.world().classic_token("robot", &["repo"]);
        repositories::add(&world, "shop", &full_name(id), &token).await;
    }
    (github, world)
}

fn full_name(repository: u64) -> String {
    format!("acme/app-{repository}")
}

/// Makes a commit for each delivery, and the webhook of its push.
fn pushes(github: &GitHub) -> Vec<Push> {
    let mut at_github = github.world();
    let repositories = (1..=REPOSITORIES).cycle().take(DELIVERIES).enumerate();
    let pushes = repositories.map(|(nr, id)| {
        let repository = at_github.repository(id);
        let sha = repository.push("main", &[(&format!("file-{nr}"), Some("x"))]);
        let mut payload = push(&sha);
        payload["repository"]["id"] = id.into();
        payload["repository"]["full_name"] = full_name(id).into();
        let body = payload.to_string().into_bytes();
        let webhook = Webhook::new("push", body, &repository.hooks[0].secret);
        Push {
            repository: id,
            sha,
            webhook,
        }
    });
    pushes.collect()
}

/// What the database has at a moment.
#[derive(Debug, sqlx::FromRow)]
#[expect(dead_code, reason = "it is printed")]
struct Stored {
    pushes: i64,
    without_runs: i64,
    runs: i64,
}

async fn stored(world: &World) -> Stored {
    let counts =
        "SELECT (SELECT count(*) FROM ingress.deliveries WHERE event = 'push') AS pushes,
        (SELECT count(*) FROM ingress.waiting) AS without_runs, (SELECT count(*) FROM runs.runs) AS runs";
    sqlx::query_as(counts)
        .fetch_one(&world.owner)
        .await
        .expect("counted")
}

/// Returns the statuses that GitHub shows at the commits.
fn shown(github: &GitHub, pushes: &[Push]) -> BTreeSet<ShownStatus> {
    let mut at_github = github.world();
    let mut all = BTreeSet::new();
    for push in pushes {
        let shown = at_github
            .repository(push.repository)
            .shown_statuses(&push.sha);
        let shown = shown.into_iter();
        all.extend(shown.map(|(context, status)| (push.sha.clone(), context, status.target_url)));
    }
    all
}

/// Returns how many statuses were set, also those that say what was said before.
fn posted(github: &GitHub) -> usize {
    let mut at_github = github.world();
    let mut posted = |id| at_github.repository(id).statuses.len();
    (1..=REPOSITORIES).map(&mut posted).sum()
}

/// Waits until so many statuses are shown; each one that comes counts as progress.
async fn wait_for_statuses(
    github: &GitHub,
    pushes: &[Push],
    count: usize,
) -> BTreeSet<ShownStatus> {
    let mut before = 0;
    loop {
        let shown = until("more statuses are there", async || {
            let shown = shown(github, pushes);
            (shown.len() > before).then_some(shown)
        })
        .await;
        before = shown.len();
        if before >= count {
            return shown;
        }
    }
}

/// Sends every push, also those that were acknowledged before, kills the server after a while, and starts it again.
async fn kill_while_sending(world: &mut World, pushes: &[Push], within: Duration) -> String {
    let sending = pushes.iter().map(|push| {
        let (webhook, url) = (push.webhook.clone(), world.ready.url.clone());
        tokio::spawn(async move { webhook.send_to(&url).await })
    });
    let sending: Vec<_> = sending.collect();
    tokio::time::sleep(within).await;
    world.server.program.kill();
    let answers = join_all(sending).await.into_iter();
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for answer in answers.filter_map(|answer| answer.expect("sent").ok()) {
        *statuses.entry(answer.status).or_default() += 1;
    }
    let stored = stored(world).await;
    world.restart().await;
    format!("after {within:?}: {statuses:?}, {stored:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_pushes_over_twenty_kills_have_four_runs_and_four_statuses_each() {
    let mut random = random();
    let (github, mut world) = scene().await;
    let pushes = pushes(&github);
    for (kills, max_delay) in KILLS {
        for _ in 0..kills {
            let delay = random.random_range(Duration::ZERO..max_delay);
            let seen = kill_while_sending(&mut world, &pushes, delay).await;
            println!("killed {seen}, {} statuses", posted(&github));
        }
    }
    let url = &world.ready.url;
    let sending = pushes
        .iter()
        .map(|push| send(push.webhook.clone(), url.clone()));
    join_all(sending).await;

    let deliveries = handled_pushes(&world).await;
    assert_eq!(deliveries.len(), DELIVERIES);
    assert_each_has_its_runs(&world, &deliveries, &TRIGGERS).await;
    let runs = world.admin.all_runs("").await;
    let expected = runs.iter().map(|run| {
        let trigger = run.trigger.as_ref().expect("a trigger");
        let page = format!("{url}/#/runs/{}", run.id);
        (
            trigger.commit_sha.clone(),
            format!("ck8s/{}", name(run)),
            page,
        )
    });
    let expected: BTreeSet<_> = expected.collect();
    let shown = wait_for_statuses(&github, &pushes, expected.len()).await;
    assert_eq!(shown, expected);
    println!("{} runs; {} statuses were set", runs.len(), posted(&github));
}
