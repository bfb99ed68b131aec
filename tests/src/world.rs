//! A world of a test's own: a database, a data directory, the program as `ck8s up`, and what else of it a test wants to
//! run.
use std::{
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ck8s_db::test::TestDb;
use ck8s_proto::runs::v1::WorkerState;
use rand::RngExt;
use serde::Deserialize;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::{
    Api, Http, database,
    github::GitHub,
    program::{Program, binary},
    until,
};

/// The settings of a world.
#[derive(Clone, Default)]
pub struct Setup {
    /// Further arguments of `ck8s up`.
    pub args: Vec<String>,
    /// Further environment variables.
    pub env: Vec<(String, String)>,
    /// The build of the program; none: the one that is tested.
    pub binary: Option<PathBuf>,
    /// The database is the embedded one, in the data directory.
    pub has_embedded_database: bool,
}

impl Setup {
    /// Runs a worker with this capacity in the server's process.
    #[must_use]
    pub fn with_worker(capacity: u32) -> Self {
        Self {
            args: vec!["--capacity".to_owned(), capacity.to_string()],
            ..Self::default()
        }
    }

    /// Runs no worker in the server's process.
    #[must_use]
    pub fn without_worker() -> Self {
        Self {
            args: vec!["--no-worker".to_owned()],
            ..Self::default()
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets people sign in at this GitHub.
    #[must_use]
    pub fn github(mut self, github: &GitHub) -> Self {
        self.env.extend(github.env());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Starts another build of the program, with the database that it keeps in its data directory.
    #[must_use]
    pub fn of_build(mut self, binary: &Path) -> Self {
        self.binary = Some(binary.to_owned());
        self.has_embedded_database = true;
        self
    }

    /// Shortens leases to 2 s without a heartbeat.
    #[must_use]
    pub fn short_leases(self) -> Self {
        self.env("CK8S_LEASE_TTL_MS", "2000")
            .env("CK8S_HEARTBEAT_INTERVAL_MS", "500")
    }
}

/// The content of the ready file.
#[derive(Deserialize, Debug)]
pub struct Ready {
    /// The public listener.
    pub url: String,
    /// The admin's token.
    pub admin_token: String,
    /// The demo project's slug.
    pub demo_project: String,
    /// The demo repository.
    pub demo_repository: DemoRepository,
    /// The repository's webhook secret.
    pub webhook_secret: String,
    /// The database.
    pub database_url: String,
}

/// The demo repository.
#[derive(Deserialize, Debug)]
pub struct DemoRepository {
    /// The id in ck8s.
    pub id: String,
    /// owner/name.
    pub full_name: String,
    /// The provider's id.
    pub external_id: i64,
}

/// A process of the program and how it was started, so that it can be started again.
pub struct Node {
    /// The process.
    pub program: Program,
    /// The URL of its listener; empty for a worker.
    pub url: String,
    /// The build of the program that the next start takes.
    pub binary: PathBuf,
    name: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    log: PathBuf,
}

impl Node {
    fn start(
        name: &str,
        dir: &Path,
        url: String,
        binary: PathBuf,
        args: Vec<String>,
        env: Vec<(String, String)>,
    ) -> Self {
        let log = dir.join(format!("{name}.log"));
        let program = Program::start(&binary, name, &log, &args, &env);
        Self {
            program,
            url,
            binary,
            name: name.to_owned(),
            args,
            env,
            log,
        }
    }

    /// Starts the process again with the same arguments.
    pub fn restart(&mut self) {
        self.program.kill();
        self.program = Program::start(&self.binary, &self.name, &self.log, &self.args, &self.env);
    }

    /// Waits until the process serves.
    pub async fn serves(&mut self) {
        let (url, program) = (self.url.clone(), &mut self.program);
        until("the server serves", async || {
            if let Some(status) = program.ended() {
                panic!("the server ended: {status}");
            }
            let mut http = Http::connect(&url).await.ok()?;
            let answer = http.request("GET", "/readyz", &[], b"").await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }
}

// The order of the fields is the order of their end: processes before their database.
/// A server with its database, data directory and demo project.
pub struct World {
    /// The server.
    pub server: Node,
    /// The content of its ready file.
    pub ready: Ready,
    /// The admin as a caller.
    pub admin: Api,
    /// The worker as a caller, with its token.
    pub worker_token: String,
    /// A connection pool of the database's owner.
    pub owner: PgPool,
    /// The data directory and all logs.
    pub dir: TempDir,
    /// None: the embedded one.
    db: Option<TestDb>,
}

impl World {
    /// Starts a world.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(setup: Setup) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("ck8s-test-")
            .tempdir()
            .expect("a directory");
        let address = free_address();
        let mut args: Vec<String> = [
            "up",
            "--data-dir",
            &path(&dir, "data"),
            "--listen",
            &address,
            "--ready-file",
            &path(&dir, "ready.json"),
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(setup.args);
        let mut env = vec![("CK8S_PUBLIC_URL".to_owned(), format!("http://{address}"))];
        env.extend(setup.env);
        let mut db = None;
        if setup.has_embedded_database {
            // The database's own account passes through.
            let mode = std::fs::Permissions::from_mode(0o711);
            std::fs::set_permissions(dir.path(), mode).expect("our directory");
        } else {
            let db = db.insert(TestDb::new().await);
            env.push(("DATABASE_URL".to_owned(), db.url().to_owned()));
        }
        let url = format!("http://{address}");
        let program = setup.binary.unwrap_or_else(binary);
        let mut server = Node::start("server", dir.path(), url, program, args, env);
        let ready = ready(&mut server, dir.path()).await;
        let worker_token = std::fs::read_to_string(dir.path().join("data/worker-token"))
            .expect("the worker's token");
        let owner = match &db {
            Some(db) => db.owner().await,
            None => owner(&ready).await,
        };
        Self {
            admin: Api::new(&ready.url, &ready.admin_token),
            worker_token: worker_token.trim().to_owned(),
            owner,
            server,
            ready,
            dir,
            db,
        }
    }

    /// Starts the server again on the same data and waits until it is ready.
    pub async fn restart(&mut self) {
        let _ = std::fs::remove_file(self.dir.path().join("ready.json"));
        self.server.restart();
        self.ready = ready(&mut self.server, self.dir.path()).await;
        if self.db.is_none() {
            // The embedded one has another port.
            self.owner = owner(&self.ready).await;
        }
    }

    /// Returns the server as the worker calls it.
    #[must_use]
    pub fn as_worker(&self) -> Api {
        Api::new(&self.ready.url, &self.worker_token)
    }

    /// Starts another replica on the same database with the same keys.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn replica(&self, name: &str, env: &[(&str, &str)]) -> Node {
        self.replica_of(&binary(), name, env).await
    }

    /// Starts a replica of another build of the program.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn replica_of(&self, binary: &Path, name: &str, env: &[(&str, &str)]) -> Node {
        let address = free_address();
        let args = ["serve", "--role", "all", "--listen", &address].map(str::to_owned);
        let mut all = self.env();
        all.extend(env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        let (url, binary) = (format!("http://{address}"), binary.to_owned());
        let mut node = Node::start(name, self.dir.path(), url, binary, args.to_vec(), all);
        node.serves().await;
        node
    }

    /// Returns the environment with which another process works on the same data: the database and the keys.
    ///
    /// # Panics
    /// When a key is missing.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let kept = |name: &str| {
            std::fs::read_to_string(self.dir.path().join("data").join(name)).expect("a key")
        };
        vec![
            ("DATABASE_URL".to_owned(), self.ready.database_url.clone()),
            ("CK8S_KEY_RING".to_owned(), kept("key-ring")),
            ("CK8S_RUN_TOKEN_KEY".to_owned(), kept("run-token-key")),
            ("CK8S_WEBHOOK_SECRET".to_owned(), kept("webhook-secret")),
        ]
    }

    /// Returns the path of the server's key ring.
    #[must_use]
    pub fn key_ring(&self) -> PathBuf {
        self.dir.path().join("data/key-ring")
    }

    /// Starts any other process of the program; its log is kept with the others. `url` is where its `/readyz` is; empty
    /// if it has none.
    #[must_use]
    pub fn process(
        &self,
        name: &str,
        url: &str,
        args: Vec<String>,
        env: Vec<(String, String)>,
    ) -> Node {
        Node::start(name, self.dir.path(), url.to_owned(), binary(), args, env)
    }

    /// Starts a worker in a process of its own and returns when it is connected.
    ///
    /// # Panics
    /// When it does not connect.
    pub async fn worker(&self, id: &str, url: &str, more: &[&str]) -> Node {
        self.worker_of(&binary(), id, url, more).await
    }

    /// Starts a worker of another build of the program.
    pub async fn worker_of(&self, binary: &Path, id: &str, url: &str, more: &[&str]) -> Node {
        let mut args: Vec<String> = [
            "worker",
            "--url",
            url,
            "--token-file",
            &path(&self.dir, "data/worker-token"),
            "--id",
            id,
            "--work-dir",
            &path(&self.dir, &format!("work-{id}")),
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(more.iter().map(|&a| a.to_owned()));
        let (dir, binary) = (self.dir.path(), binary.to_owned());
        let node = Node::start(id, dir, String::new(), binary, args, Vec::new());
        self.admin.worker_is(id, WorkerState::Connected).await;
        node
    }

    /// Returns everything that any process has logged.
    ///
    /// # Panics
    /// When a log cannot be read.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(self.dir.path())
            .expect("the directory")
            .flatten()
        {
            if entry.path().extension().is_some_and(|e| e == "log") {
                all.push_str(&String::from_utf8_lossy(
                    &std::fs::read(entry.path()).expect("a log"),
                ));
            }
        }
        all
    }

    /// Checks that none of these texts occurs in any log or anywhere in the database.
    ///
    /// # Panics
    /// When one of them occurs.
    pub async fn nowhere(&self, secrets: &[(&str, &str)]) {
        let logs = self.logs();
        assert!(!logs.is_empty(), "something was logged");
        for (name, secret) in secrets {
            assert!(!secret.is_empty(), "{name} is empty");
            if let Some(line) = logs.lines().find(|l| l.contains(secret)) {
                panic!("{name} stands in a log: {}", line.replace(secret, "<HERE>"));
            }
            let tables = database::tables_with(&self.owner, secret).await;
            assert!(tables.is_empty(), "{name} stands in {tables:?}");
        }
    }

    /// Waits until no lease is left and no run waits.
    pub async fn idle(&self) {
        until("no lease is left, nothing waits", async || {
            (database::leases(&self.owner).await + database::queued(&self.owner).await == 0)
                .then_some(())
        })
        .await;
    }
}

async fn ready(server: &mut Node, dir: &Path) -> Ready {
    let (file, program) = (dir.join("ready.json"), &mut server.program);
    let text = until("the ready file", async || {
        if let Some(status) = program.ended() {
            panic!("the server ended: {status}");
        }
        std::fs::read_to_string(&file).ok()
    })
    .await;
    serde_json::from_str(&text).expect("the ready file is what it should be")
}

/// Returns a pool of the embedded database's owner.
async fn owner(ready: &Ready) -> PgPool {
    let owner = PgPool::connect(&ready.database_url).await;
    owner.expect("the embedded database")
}

fn path(dir: &TempDir, name: &str) -> String {
    dir.path()
        .join(name)
        .to_str()
        .expect("a plain path")
        .to_owned()
}

/// Returns an address that stays free over a restart: its port is below those that the system assigns by itself.
fn free_address() -> String {
    loop {
        let address = format!("127.0.0.1:{}", rand::rng().random_range(10_000..30_000));
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
