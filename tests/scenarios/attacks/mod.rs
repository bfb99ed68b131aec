//! What a stranger may cost: attacks over real sockets on a real server that believes to have 512 MiB, while others use
//! it. Each test checks that the others go on, and prints its rows of the table in docs/reliability.md.
mod bodies;
mod connections;
mod frames;
mod heads;
mod roles_apart;
mod tokens;

use std::{
    future::Future,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::ListRunsRequest;
use ck8s_tests::{Api, Http, Setup, Webhook, World, labeled};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};

/// How long an attack that repeats goes on.
const ATTACK_TIME: Duration = Duration::from_secs(4);
/// How often each of the others calls.
const CALL_INTERVAL: Duration = Duration::from_millis(20);
/// A call of others that takes longer counts as failed: people and GitHub would have given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(9);
/// The memory of the server.
const MEMORY: &str = "536870912";
/// What an attack may take of it, beside what the server took before, in MB: a half. How much of what was freed the
/// allocator keeps differs by 100 MB from run to run.
const MAX_GROWTH_MB: u64 = 256;

/// A server under attack.
struct Target {
    world: World,
    address: String,
    calm: Duration,
}

/// What others felt.
#[derive(Default)]
struct Felt {
    took: Vec<Duration>,
    failed: Vec<String>,
}

impl Felt {
    fn p99(&mut self) -> Duration {
        self.took.sort_unstable();
        let at = self.took.len() * 99 / 100;
        self.took.get(at).copied().unwrap_or_default()
    }
}

impl Target {
    async fn start() -> Self {
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft < hard
        {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("more files");
        }
        let world = World::start(Setup::without_worker().env("CK8S_MEMORY_BYTES", MEMORY)).await;
        let address = world.ready.url.trim_start_matches("http://").to_owned();
        let mut target = Self {
            world,
            address,
            calm: Duration::ZERO,
        };
        let mut calm = target.felt(tokio::time::sleep(ATTACK_TIME / 2)).await.0;
        assert_eq!(calm.failed, Vec::<String>::new());
        target.calm = calm.p99();
        target
    }

    /// Makes the attack, and prints and checks what it cost.
    async fn suffers(&self, what: &str, attack: impl Future<Output = usize>) {
        let pid = self.world.server.program.pid();
        let before = self.memory_mb("VmRSS:");
        // The highest use is counted anew.
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("Linux");
        let (mut felt, tries) = self.felt(attack).await;
        let peak = self.memory_mb("VmHWM:");
        println!(
            "| {what} | {tries} | {before} MB | {peak} MB | {} of {} | {} ms ({} ms) |",
            felt.failed.len(),
            felt.took.len(),
            felt.p99().as_millis(),
            self.calm.as_millis(),
        );
        assert!(felt.took.len() > 20, "others called");
        assert_eq!(felt.failed, Vec::<String>::new(), "{what}");
        assert!(
            peak < before + MAX_GROWTH_MB,
            "{what}: {before} MB, {peak} MB"
        );
    }

    /// Returns what others feel until this is done.
    async fn felt<T>(&self, done: impl Future<Output = T>) -> (Felt, T) {
        let stop = Arc::new(AtomicBool::new(false));
        let url = self.world.ready.url.clone();
        let (webhook, secret) = (self.payload(), self.world.ready.webhook_secret.clone());
        let to = url.clone();
        let webhooks = repeat(&stop, move || {
            let webhook = Webhook::new("issues", webhook.clone(), &secret);
            let to = to.clone();
            async move {
                let answer = webhook.send_to(&to).await.map_err(|e| e.to_string())?;
                expect(answer.status, 202, &answer.text)
            }
        });
        let pages = repeat(&stop, move || {
            let url = url.clone();
            async move {
                let mut http = Http::connect(&url).await.map_err(|e| e.to_string())?;
                let answer = http.request("GET", "/healthz", &[], b"").await;
                let answer = answer.map_err(|e| e.to_string())?;
                expect(answer.status, 200, &answer.text)
            }
        });
        let admin = self.world.admin.clone();
        let calls = repeat(&stop, move || call(admin.clone()));
        let result = done.await;
        stop.store(true, Relaxed);
        let mut felt = Felt::default();
        for one in [webhooks, pages, calls] {
            let one = one.await.expect("it ends");
            felt.took.extend(one.took);
            felt.failed.extend(one.failed);
        }
        (felt, result)
    }

    fn payload(&self) -> Vec<u8> {
        let demo = &self.world.ready.demo_repository;
        let payload = labeled(demo.external_id, &demo.full_name, 1, "nothing");
        payload.to_string().into_bytes()
    }

    fn memory_mb(&self, field: &str) -> u64 {
        let pid = self.world.server.program.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.expect("a number") / 1024
    }

    /// Connects from an address of its own for each number, none of which the others have.
    async fn connect(&self, from: usize) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        let last = u8::try_from(from + 2).expect("few addresses");
        socket.bind((Ipv4Addr::new(127, 0, 1, last), 0).into())?;
        let stream = socket
            .connect(self.address.parse().expect("an address"))
            .await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

async fn call(api: Api) -> Result<(), String> {
    let listed = api.runs().list_runs(ListRunsRequest::default()).await;
    listed.map(|_| ()).map_err(|status| format!("{status:?}"))
}

fn expect(status: u16, wanted: u16, text: &str) -> Result<(), String> {
    match status == wanted {
        true => Ok(()),
        false => Err(format!("{status}: {text}")),
    }
}

/// Calls again and again until it is told to stop.
fn repeat<F>(stop: &Arc<AtomicBool>, call: impl Fn() -> F + Send + 'static) -> JoinHandle<Felt>
where
    F: Future<Output = Result<(), String>> + Send,
{
    let stop = stop.clone();
    tokio::spawn(async move {
        let mut felt = Felt::default();
        let mut ticks = tokio::time::interval(CALL_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.load(Relaxed) {
            ticks.tick().await;
            let started = Instant::now();
            match tokio::time::timeout(CALL_TIMEOUT, call()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => felt.failed.push(error),
                Err(_) => felt.failed.push(format!("nothing in {CALL_TIMEOUT:?}")),
            }
            felt.took.push(started.elapsed());
        }
        felt
    })
}

/// Makes an attempt again and again in so many tasks, for a while; returns how many were made.
async fn flood<F>(tasks: usize, attempt: impl Fn(usize) -> F) -> usize
where
    F: Future<Output = usize>,
{
    let until = Instant::now() + ATTACK_TIME;
    let attempt = &attempt;
    let all = (0..tasks).map(|task| async move {
        let mut tries = 0;
        while Instant::now() < until {
            tries += attempt(task).await;
        }
        tries
    });
    futures::future::join_all(all).await.iter().sum()
}

/// Reads until the other end closes, or this time is over; returns what came.
async fn rest(stream: &mut TcpStream, patience: Duration) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let read = async {
        // A reset is an end too.
        while matches!(stream.read_buf(&mut all).await, Ok(1..)) {}
    };
    tokio::time::timeout(patience, read).await.ok()?;
    Some(all)
}
