//! The roles in processes of their own, on loopback addresses of a test's own, over mutual TLS with an authority that
//! is made here.
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use ck8s_pki::{Authority, Bundle, Certificates, Identity};
use ck8s_rpc::mesh::{Dial, names};
use rand::RngExt;
use tonic::transport::Channel;

use crate::{Api, Http, Node, Setup, World, program::binary, until};

/// The roles, each after those that it needs.
pub const ROLES: [&str; 5] = ["auth", "repositories", "runs", "ingress", "edge"];
/// The number of addresses of a role: more than a test starts at first.
const PLACES: usize = 3;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Processes that run one role each.
pub struct Fleet {
    nodes: Vec<(&'static str, usize, Node)>,
    /// The database, the demo project and the directories. Its own server is stopped.
    pub world: World,
    /// The admin, who calls the first edge.
    pub admin: Api,
    authority: Authority,
    network: u8,
    port: u16,
    env: Vec<(String, String)>,
}

impl Fleet {
    /// Makes an authority and certificates, and starts nothing yet. `env` is for every process.
    pub async fn prepare(env: &[(&str, &str)]) -> Self {
        let mut world = World::start(Setup::without_worker()).await;
        world.server.program.terminate().await;
        let authority = world.dir.path().join("authority");
        ck8s(&["certificate", "authority", "--dir", text(&authority)]);
        let mut rng = rand::rng();
        let mut fleet = Self {
            nodes: Vec::new(),
            admin: world.admin.clone(),
            authority: Authority::read(&authority).expect("an authority"),
            network: rng.random_range(1..250),
            port: rng.random_range(10_000..30_000),
            env: Vec::new(),
            world,
        };
        for role in ROLES {
            let out = fleet.certificates(role);
            ck8s(&[
                "certificate",
                "issue",
                "--ca",
                text(&authority),
                "--role",
                role,
                "--out",
                text(&out),
            ]);
        }
        fleet.env = fleet.world.env();
        fleet
            .env
            .push(("CK8S_MESH_CA".to_owned(), text(&authority).to_owned()));
        for role in ROLES {
            fleet.env.push((
                format!("CK8S_PEER_{}", role.to_uppercase()),
                fleet.peers(role),
            ));
        }
        let own = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        fleet.env.extend(own);
        fleet.admin = fleet.world.admin.at(&fleet.edge(0));
        fleet
    }

    /// Starts this many replicas of every role and returns when all are ready.
    pub async fn start(replicas: usize, env: &[(&str, &str)]) -> Self {
        let mut fleet = Self::prepare(env).await;
        for role in ROLES {
            for n in 0..replicas {
                fleet.add(role, n);
            }
        }
        for (_, _, node) in &mut fleet.nodes {
            node.serves().await;
        }
        fleet
    }

    /// Starts a replica of a role at one of its addresses.
    pub fn add(&mut self, role: &'static str, n: usize) {
        let (at, certificates) = (self.at(role, n), self.certificates(role));
        let args = [
            "serve",
            "--role",
            role,
            "--listen",
            &format!("{at}:{}", self.port + 2),
            "--mesh-listen",
            &format!("{at}:{}", self.port),
            "--admin-listen",
            &format!("{at}:{}", self.port + 1),
            "--mesh-certs",
            text(&certificates),
        ];
        let args = args.map(str::to_owned).to_vec();
        let url = format!("http://{at}:{}", self.port + 1);
        let node = self
            .world
            .process(&format!("{role}-{n}"), &url, args, self.env.clone());
        self.nodes.push((role, n, node));
    }

    /// Returns the process of a role at an address.
    pub fn node(&mut self, role: &str, n: usize) -> &mut Node {
        let mut nodes = self.nodes.iter_mut();
        let found = nodes.find(|(r, i, _)| *r == role && *i == n);
        &mut found.expect("it was started").2
    }

    /// Returns the status of its `/readyz` and what is missing.
    pub async fn readiness(&self, role: &str, n: usize) -> Option<(u16, Vec<String>)> {
        let url = format!("http://{}:{}", self.at(role, n), self.port + 1);
        let mut http = Http::connect(&url).await.ok()?;
        let answer = http.request("GET", "/readyz", &[], b"").await.ok()?;
        let missing = answer.json()["missing"].as_array().cloned();
        let words = missing.unwrap_or_default();
        let words = words.iter().filter_map(|w| w.as_str().map(str::to_owned));
        Some((answer.status, words.collect()))
    }

    /// Waits until exactly this is missing there.
    pub async fn misses(&self, role: &str, n: usize, wanted: &[&str]) {
        until(&format!("{role} {n} misses {wanted:?}"), async || {
            let (status, missing) = self.readiness(role, n).await?;
            assert_eq!(status == 200, missing.is_empty());
            (missing == wanted).then_some(())
        })
        .await;
    }

    /// Returns a metric of a process, summed over its labels.
    pub async fn metric(&self, role: &str, n: usize, name: &str, label: &str) -> f64 {
        let url = format!("http://{}:{}", self.at(role, n), self.port + 1);
        let mut http = Http::connect(&url).await.expect("it answers");
        let answer = http.request("GET", "/metrics", &[], b"").await;
        let text = answer.expect("metrics").text;
        let lines = text.lines();
        let fitting = lines.filter(|line| line.starts_with(name) && line.contains(label));
        fitting
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }

    /// Returns a directory for certificates.
    #[must_use]
    pub fn certificates(&self, word: &str) -> PathBuf {
        self.world.dir.path().join("certificates").join(word)
    }

    /// Issues certificates for this name, valid between two times in days from now.
    #[must_use]
    pub fn issued(&self, identity: &Identity, from: i32, until: i32) -> Bundle {
        let moment = |days: i32| {
            let now = SystemTime::now();
            let far = DAY * days.unsigned_abs();
            if days < 0 { now - far } else { now + far }
        };
        let bundle = self.authority.bundle(identity, moment(from), moment(until));
        bundle.expect("a certificate")
    }

    /// Opens a channel to the role at an address with these certificates; `as_if` is the role that the client expects
    /// there.
    #[must_use]
    pub fn dial(
        &self,
        bundle: &Bundle,
        role: &'static str,
        n: usize,
        as_if: &'static str,
    ) -> Channel {
        let dir = self.certificates(&crate::new_id());
        bundle.write(&dir).expect("files");
        let certificates = Certificates::open(&dir).expect("certificates");
        let url = format!("https://{}:{}", self.at(role, n), self.port);
        Dial::new(as_if, certificates).any_of(names(&url).expect("a name"))
    }

    /// Returns all mesh addresses of a role, including those of replicas that start later.
    #[must_use]
    pub fn peers(&self, role: &str) -> String {
        let places = (0..PLACES).map(|n| format!("https://{}:{}", self.at(role, n), self.port));
        places.collect::<Vec<_>>().join(",")
    }

    /// Returns the URL of an edge's public listener.
    #[must_use]
    pub fn edge(&self, n: usize) -> String {
        format!("http://{}:{}", self.at("edge", n), self.port + 2)
    }

    /// Returns `host:port` of a role's mesh listener.
    #[must_use]
    pub fn mesh_listener(&self, role: &str, n: usize) -> String {
        format!("{}:{}", self.at(role, n), self.port)
    }

    fn at(&self, role: &str, n: usize) -> String {
        let role = ROLES.iter().position(|r| *r == role).expect("a role");
        format!("127.{}.{}.{}", self.network, role + 1, n + 1)
    }
}

/// Runs the program to its end and returns its standard output.
///
/// # Panics
/// When it fails.
pub fn ck8s(args: &[&str]) -> String {
    let (good, text) = ck8s_says(args);
    assert!(good, "{args:?}: {text}");
    text
}

/// Runs the program to its end and returns whether it succeeded, and its output.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn ck8s_says(args: &[&str]) -> (bool, String) {
    let output = Command::new(binary())
        .args(args)
        .env_clear()
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// Returns a path as an argument.
#[must_use]
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
