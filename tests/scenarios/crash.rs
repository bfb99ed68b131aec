//! Crashes: the server is killed at random moments while a client sends webhooks and repeats those that were not
//! acknowledged. No acknowledged delivery is lost, nothing runs twice, nothing is left over.
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ck8s_proto::{ingress::v1::DeliveryState, runs::v1::RunState};
use ck8s_tests::{Http, Setup, Webhook, World, api::ended, database, labeled, until};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::watch;

const DELIVERIES: usize = 2_000;
/// One delivery in this many matches no trigger: a run is two processes, and the test has to be short.
const UNMATCHED_EACH: usize = 2;
const CONNECTIONS: usize = 8;
const KILLS: usize = 5;

const SERVICES: &str = "
version: 1
triggers:
  - name: label
    on: { event: issues, actions: [labeled], labels: [\"run:dev\"] }
    run: { command: [\"true\"], max_attempts: 10 }
";

/// Returns the random numbers that say when the server is killed, and prints how to have the same ones again.
pub(crate) fn random() -> StdRng {
    let seed: u64 = std::env::var("CK8S_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("seed: {seed} (CK8S_TEST_SEED={seed} repeats it)");
    StdRng::seed_from_u64(seed)
}

/// A client that sends webhooks, and what it knows about them.
struct Client {
    webhooks: Vec<Webhook>,
    next: AtomicUsize,
    /// The number of webhooks that it may send so far: so that it still sends at the last kill, however fast the server
    /// is.
    allowed: watch::Sender<usize>,
    acknowledged: Mutex<HashSet<String>>,
    resent: AtomicUsize,
    duplicates: AtomicUsize,
}

impl Client {
    /// Sends over one connection: repeats each webhook until it is acknowledged.
    async fn send(self: Arc<Self>, url: String) {
        let mut connection = None;
        let mut allowed = self.allowed.subscribe();
        loop {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(webhook) = self.webhooks.get(next) else {
                return;
            };
            allowed.wait_for(|allowed| next < *allowed).await.unwrap();
            loop {
                let http = match connection.take() {
                    Some(http) => Ok(http),
                    None => Http::connect(&url).await,
                };
                let answer = match http {
                    Ok(mut http) => webhook
                        .send(&mut http)
                        .await
                        .inspect(|_| connection = Some(http)),
                    Err(error) => Err(error),
                };
                match answer {
                    Ok(answer) if answer.status == 202 || answer.status == 200 => {
                        self.duplicates
                            .fetch_add(usize::from(answer.status == 200), Ordering::Relaxed);
                        self.acknowledged
                            .lock()
                            .unwrap()
                            .insert(webhook.delivery().to_owned());
                        break;
                    }
                    Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                    Err(_) => connection = None,
                }
                self.resent.fetch_add(1, Ordering::Relaxed);
                // A client waits a moment before it tries again.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_delivery_is_lost_and_nothing_is_left_over() {
    let mut random = random();
    let mut world = World::start(Setup::with_worker(50).short_leases()).await;
    let project = world.admin.project("acme", 50).await;
    let (_, secret) = world
        .admin
        .repository("acme", "acme/app", 77, SERVICES)
        .await;
    let webhooks: Vec<Webhook> = (0..DELIVERIES)
        .map(|i| {
            let label = if i % UNMATCHED_EACH == 0 {
                "other"
            } else {
                "run:dev"
            };
            let body = labeled(77, "acme/app", i64::try_from(i).unwrap(), label);
            Webhook::new("issues", body.to_string().into_bytes(), &secret)
        })
        .collect();
    let client = Arc::new(Client {
        webhooks,
        next: AtomicUsize::new(0),
        allowed: watch::Sender::new(0),
        acknowledged: Mutex::default(),
        resent: AtomicUsize::new(0),
        duplicates: AtomicUsize::new(0),
    });
    let sending: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(client.clone().send(world.ready.url.clone())))
        .collect();

    // Each kill comes after a random number of acknowledgements, and a random moment after that.
    let mut kills = Vec::new();
    for kill in 0..KILLS {
        let (from, to) = (kill * DELIVERIES / KILLS, (kill + 1) * DELIVERIES / KILLS);
        client.allowed.send_replace(to);
        // Some webhooks are on their way at that moment.
        let at = random.random_range(from..to - CONNECTIONS);
        until("the client has that many acknowledgements", async || {
            (client.acknowledged.lock().unwrap().len() >= at).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_micros(random.random_range(0..5_000))).await;
        world.server.program.kill();
        kills.push(client.acknowledged.lock().unwrap().len());
        world.restart().await;
    }
    client.allowed.send_replace(DELIVERIES);
    for sender in sending {
        sender.await.unwrap();
    }

    let runs = until_ended(&world, &project).await;
    world.idle().await;
    let deliveries = until("every delivery is handled", async || {
        let all = world.admin.all_deliveries().await;
        all.iter()
            .all(|d| d.state() != DeliveryState::Received)
            .then_some(all)
    })
    .await;

    let acknowledged = client.acknowledged.lock().unwrap().clone();
    let mut runs_of: HashMap<&str, Vec<&str>> = HashMap::new();
    for run in &runs {
        runs_of.entry(&run.delivery_id).or_default().push(&run.id);
    }
    let stored: HashMap<&str, _> = deliveries
        .iter()
        .map(|d| (d.delivery_id.as_str(), d))
        .collect();
    assert_eq!(
        stored.len(),
        deliveries.len(),
        "each delivery is stored once"
    );
    assert_eq!(acknowledged.len(), DELIVERIES);
    for (i, webhook) in client.webhooks.iter().enumerate() {
        let delivery = stored
            .get(webhook.delivery())
            .unwrap_or_else(|| panic!("delivery {} is lost", webhook.delivery()));
        let runs = runs_of.get(delivery.id.as_str()).map_or(0, Vec::len);
        let wanted = usize::from(i % UNMATCHED_EACH != 0);
        assert_eq!(runs, wanted, "runs of {delivery:?}");
        let state = if wanted == 1 {
            DeliveryState::RunCreated
        } else {
            DeliveryState::Ignored
        };
        assert_eq!(delivery.state(), state, "{delivery:?}");
    }
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let (mut attempts, mut most) = (0, 0);
    for run in &runs {
        *ends
            .entry(format!("{:?} {:?}", run.state(), run.reason()))
            .or_default() += 1;
        attempts += run.attempt;
        most = most.max(run.attempt);
    }
    println!(
        "{DELIVERIES} deliveries, {KILLS} kills after {kills:?} acknowledgements, {} sent again, {} answered as duplicates; {} stored, {} runs in {attempts} \
         attempts (most of one: {most}): {ends:?}",
        client.resent.load(Ordering::Relaxed),
        client.duplicates.load(Ordering::Relaxed),
        deliveries.len(),
        runs.len(),
    );
    assert_eq!(database::leases(&world.owner).await, 0, "no lease is left");
    assert!(
        world
            .admin
            .slots("acme")
            .await
            .iter()
            .all(|s| s.run_id.is_empty()),
        "no slot is held"
    );
    assert!(runs.iter().all(|r| r.state() == RunState::Succeeded
        || r.reason() == ck8s_proto::runs::v1::RunReason::WorkerLost));
}

/// Waits until every run has ended; each run that ends meanwhile counts as progress.
async fn until_ended(world: &World, project: &str) -> Vec<ck8s_proto::runs::v1::Run> {
    let mut left = usize::MAX;
    loop {
        let seen = until("some more runs end", async || {
            let runs = world.admin.all_runs(project).await;
            let now = runs.iter().filter(|r| !ended(r)).count();
            let all_made = runs.len() >= DELIVERIES - DELIVERIES / UNMATCHED_EACH;
            (all_made && (now == 0 || now < left)).then_some((runs, now))
        })
        .await;
        match seen {
            (runs, 0) => return runs,
            (_, now) => left = now,
        }
    }
}
