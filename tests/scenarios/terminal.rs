//! The command line in its surroundings: a terminal that hostile output must not steer, a proxy, an odd server.
use std::{
    net::SocketAddr,
    process::{Output, Stdio},
    sync::{Arc, Mutex},
};

use ck8s_proto::runs::v1::StartRunRequest;
use ck8s_tests::{Setup, World, api::ended, labeled, program::binary, script, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::Command,
};

/// A command with this environment, and with the admin's token.
fn command(program: impl AsRef<std::ffi::OsStr>, world: &World, env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("CK8S_URL", &world.ready.url)
        .env("CK8S_TOKEN", &world.ready.admin_token)
        .envs(env.iter().copied())
        .current_dir(world.dir.path())
        .stdin(Stdio::null());
    command
}

async fn run(world: &World, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = command(binary(), world, env);
    command.args(args).output().await.expect("it runs")
}

/// Runs a command at a terminal, which `script` (util-linux) makes. Returns what the terminal got.
async fn at_terminal(world: &World, args: &str, env: &[(&str, &str)]) -> String {
    let mut terminal = command("script", world, env);
    let line = format!("{} {args}", binary().display());
    terminal.args(["-q", "-e", "-c", &line, "/dev/null"]);
    let output = terminal.output().await.expect("`script` runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_run_steers_the_terminal() {
    let world = World::start(Setup::with_worker(1)).await;
    let text =
        r"printf '\033]0;title\007\033[31mred\033[0m \342\200\256gnp\342\200\254\n10%%\r20%%\n'";
    let id = world.admin.start("demo", script(text)).await.id;
    until("the run has ended", async || {
        let run = world.admin.run(&id).await;
        ended(&run).then_some(run)
    })
    .await;
    let logs = ["run", "logs", &id];
    let raw = run(&world, &logs, &[]).await;
    let raw = String::from_utf8(raw.stdout).unwrap();
    assert!(
        raw.contains("\u{1b}[31mred") && raw.contains("10%\r20%"),
        "{raw:?}"
    );
    let shown = at_terminal(&world, &logs.join(" "), &[("TERM", "xterm")]).await;
    assert_eq!(shown.replace("\r\n", "\n"), "red gnp\n10%\n20%\n");

    let hostile = "a\u{1b}[2Jb\u{202e}c\u{9b}31m";
    let request = StartRunRequest {
        project: "demo".to_owned(),
        title: hostile.to_owned(),
        spec: Some(script("true")),
        ..StartRunRequest::default()
    };
    world.admin.runs().start_run(request).await.unwrap();
    for (format, title) in [
        ("table", "a[2Jbc31m"),
        ("json", "a\\u001b[2Jb\\u202ec\\u009b31m"),
        ("yaml", "a\\u001b[2Jb\\u202ec\\u009b31m"),
    ] {
        let args = ["run", "list", "-o", format];
        let list = String::from_utf8(run(&world, &args, &[]).await.stdout).unwrap();
        assert!(list.contains(title), "{list:?}");
        assert!(!list.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{list:?}");
    }
    let error = run(&world, &["project", "get", hostile], &[]).await;
    let error = String::from_utf8(error.stderr).unwrap();
    assert!(
        !error.contains(['\u{1b}', '\u{202e}', '\u{9b}']),
        "{error:?}"
    );

    let colored = at_terminal(&world, "run list", &[("TERM", "xterm")]).await;
    assert!(colored.contains("\u{1b}["), "{colored:?}");
    for plain in [
        [("TERM", "dumb"), ("LANG", "C")],
        [("TERM", "xterm"), ("NO_COLOR", "1")],
    ] {
        for args in ["run list", "run get none", "--help"] {
            let shown = at_terminal(&world, args, &plain).await;
            assert!(!shown.contains('\u{1b}'), "{plain:?} {args}: {shown:?}");
        }
    }
}

/// A proxy that sends everybody to one server, whatever they ask for, and records what that was.
struct HttpProxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpProxy {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = asked.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let record = record.clone();
                tokio::spawn(async move { serve(client, server, &record).await });
            }
        });
        Self {
            url: format!("http://ada:secret@{address}"),
            asked,
        }
    }

    /// Returns the first lines of the requests since the last time, and whether all had the proxy's password.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }
}

/// Serves one connection: a tunnel, or one request whose target is a whole address.
async fn serve(mut client: TcpStream, server: SocketAddr, record: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("a head is text");
    let first = head.lines().next().unwrap_or_default().to_owned();
    let lower = head.to_lowercase();
    let authorized = lower.contains("proxy-authorization: basic ywrhonnly3jlda==");
    let mut upstream = TcpStream::connect(server).await.expect("the server");
    if first.starts_with("CONNECT ") {
        let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
        client.write_all(answer).await.expect("it is sent");
    } else {
        let (method, rest) = first.split_once(" http://").expect("a whole address");
        let path = &rest[rest.find('/').expect("a path")..];
        let sent = head.replacen(&first, &format!("{method} {path}"), 1);
        upstream
            .write_all(sent.as_bytes())
            .await
            .expect("it is sent");
    }
    let word = if authorized {
        ""
    } else {
        "without a password: "
    };
    record
        .lock()
        .expect("no panic")
        .push(format!("{word}{first}"));
    let _ = copy_bidirectional(&mut client, &mut upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_the_environment_counts_for_every_command() {
    let world = World::start(Setup::without_worker()).await;
    let address: SocketAddr = world
        .ready
        .url
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let proxy = HttpProxy::start(address).await;
    let payload = world.dir.path().join("payload.json");
    std::fs::write(&payload, labeled(1, "demo/demo", 1, "x").to_string()).unwrap();
    let payload = payload.to_str().unwrap();
    let secret = world.ready.webhook_secret.as_str();
    let send = [
        "delivery",
        "send",
        "--event",
        "issues",
        "--payload",
        payload,
        "--secret",
        secret,
    ];
    let far = ("CK8S_URL", "http://ck8s.invalid");
    let with = ("HTTP_PROXY", proxy.url.as_str());

    let who = run(&world, &["whoami"], &[far, with]).await;
    assert_eq!(who.status.code(), Some(0), "{who:?}");
    assert_eq!(proxy.asked(), ["CONNECT ck8s.invalid:80 HTTP/1.1"]);
    let sent = run(&world, &send, &[far, with]).await;
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    let asked = proxy.asked();
    assert!(
        asked.contains(&"POST http://ck8s.invalid/api/v1/webhooks/github HTTP/1.1".to_owned()),
        "{asked:?}"
    );
    let all = [("ALL_PROXY", proxy.url.as_str()), far];
    assert_eq!(run(&world, &["whoami"], &all).await.status.code(), Some(0));
    assert_eq!(proxy.asked().len(), 1);

    // Without the proxy, there is no such server; the server of this machine is reached without one.
    let dead = ("HTTP_PROXY", "http://ada:secret@127.0.0.1:9");
    for args in [&["whoami"][..], &send[..]] {
        let direct = run(&world, args, &[far, with, ("NO_PROXY", "ck8s.invalid")]).await;
        assert_eq!(direct.status.code(), Some(5), "{direct:?}");
        let near = run(&world, args, &[dead]).await;
        assert_eq!(near.status.code(), Some(0), "{near:?}");
        let refused = run(&world, args, &[far, dead]).await;
        assert_eq!(refused.status.code(), Some(5), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!said.contains("secret"), "{said}");
    }
    assert!(proxy.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_speak_is_unavailable() {
    let world = World::start(Setup::without_worker()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let answers: [&[u8]; 3] = [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"];
        for answer in answers.iter().cycle() {
            let Ok((mut client, _)) = listener.accept().await else {
                return;
            };
            let _ = client.write_all(answer).await;
        }
    });
    for _ in 0..3 {
        let output = run(&world, &["whoami"], &[("CK8S_URL", &url)]).await;
        assert_eq!(output.status.code(), Some(5), "{output:?}");
    }
    let path = format!("{}/prefix", world.ready.url);
    let output = run(&world, &["whoami"], &[("CK8S_URL", &path)]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/prefix"), "{said}");
}
