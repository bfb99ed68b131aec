//! Row 8: webhook → container running on a real cluster, against a Job made with kubectl.
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    args::Args,
    http::{Connection, Prepared},
    payload,
    server::BenchServer,
    stats::{Table, median, say},
};

/// Measures the row.
pub(crate) async fn measure(args: &Args, table: &mut Table) -> Result<()> {
    let Some(kubeconfig) = &args.kubeconfig else {
        say("row 8 is left out: it needs --kubeconfig");
        return Ok(());
    };
    let config = kubeconfig.to_str().context("a path")?;
    let server = BenchServer::start(
        &args.binary,
        &["--executor", "kubernetes", "--kubeconfig", config],
    )
    .await?;
    let slug = format!("load-{}", std::process::id());
    let project = server.project(&slug, 10).await?;
    let services = format!(
        "version: 1\ntriggers:\n  - name: load\n    on: {{event: issues, actions: [labeled]}}\n    run: {{image: \"{}\", command: [sleep, \"1\"]}}\n",
        args.image
    );
    let secret = server.repository_with(&project, 77, services).await?;
    let prepared = Prepared::new(
        server.authority(),
        &secret,
        &payload::issues_labeled(77, "run:load"),
    );
    let mut connection = Connection::open(server.authority()).await?;
    let namespace = format!("ck8s-{slug}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first run creates the namespace and does not count.
    ours_once(kubeconfig, &namespace, &mut connection, &prepared).await?;
    for n in 0..args.rounds {
        theirs.push(theirs_once(kubeconfig, &namespace, &args.image, n).await?);
        ours.push(ours_once(kubeconfig, &namespace, &mut connection, &prepared).await?);
    }
    kubectl(
        kubeconfig,
        &["delete", "namespace", &namespace, "--wait=false"],
    )
    .await?;
    table.row(
        "8",
        "webhook → container running / a Job made with kubectl, same image",
        format!("{:.2} / {:.2} s", median(&ours), median(&theirs)),
        format!("{:.2} × (gate 1.2 ×)", median(&ours) / median(&theirs)),
    );
    Ok(())
}

async fn ours_once(
    kubeconfig: &Path,
    namespace: &str,
    connection: &mut Connection,
    prepared: &Prepared,
) -> Result<f64> {
    let mut watch = Watch::start(kubeconfig).await?;
    let began = Instant::now();
    ensure!(
        connection.post(prepared).await? == 202,
        "the webhook was not accepted"
    );
    watch.running(namespace, "run-").await?;
    let took = began.elapsed().as_secs_f64();
    settle(kubeconfig, namespace).await?;
    Ok(took)
}

async fn theirs_once(kubeconfig: &Path, namespace: &str, image: &str, n: usize) -> Result<f64> {
    let name = format!("bare-{n}");
    let job = format!(
        r#"{{"apiVersion":"batch/v1","kind":"Job","metadata":{{"name":"{name}","namespace":"{namespace}"}},"spec":{{"backoffLimit":0,"template":{{"spec":{{"restartPolicy":"Never",
        "containers":[{{"name":"run","image":"{image}","imagePullPolicy":"IfNotPresent","command":["sleep","1"]}}]}}}}}}}}"#
    );
    let file = std::env::temp_dir().join(format!("{namespace}-{name}.json"));
    std::fs::write(&file, job)?;
    let mut watch = Watch::start(kubeconfig).await?;
    let began = Instant::now();
    kubectl(
        kubeconfig,
        &["create", "-f", file.to_str().context("a path")?],
    )
    .await?;
    watch.running(namespace, &name).await?;
    let took = began.elapsed().as_secs_f64();
    kubectl(kubeconfig, &["delete", "job", &name, "-n", namespace]).await?;
    std::fs::remove_file(file)?;
    settle(kubeconfig, namespace).await?;
    Ok(took)
}

/// Waits until the namespace has no pod, so that rounds do not overlap.
async fn settle(kubeconfig: &Path, namespace: &str) -> Result<()> {
    let began = Instant::now();
    while !kubectl(kubeconfig, &["get", "pods", "-n", namespace, "-o", "name"])
        .await?
        .trim()
        .is_empty()
    {
        ensure!(began.elapsed() < Duration::from_secs(60), "pods do not go");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn kubectl(kubeconfig: &Path, args: &[&str]) -> Result<String> {
    let out = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(args)
        .output()
        .await?;
    ensure!(
        out.status.success(),
        "kubectl {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    Ok(String::from_utf8(out.stdout)?)
}

/// A watch of pods, which both sides are measured with.
struct Watch {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    async fn start(kubeconfig: &Path) -> Result<Self> {
        let format = r#"jsonpath={.metadata.namespace}/{.metadata.name} {.status.phase}{"\n"}"#;
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["get", "pods", "-A", "--watch", "-o", format])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("standard output")?).lines();
        // Let kubectl list pods before the first measured step.
        tokio::time::sleep(Duration::from_millis(700)).await;
        Ok(Self {
            _child: child,
            lines,
        })
    }

    /// Waits until a pod of that name runs or has run.
    async fn running(&mut self, namespace: &str, prefix: &str) -> Result<()> {
        let wanted = format!("{namespace}/{prefix}");
        timeout(Duration::from_secs(60), async {
            while let Some(line) = self.lines.next_line().await? {
                if line.starts_with(&wanted)
                    && (line.ends_with(" Running") || line.ends_with(" Succeeded"))
                {
                    return Ok(());
                }
            }
            anyhow::bail!("kubectl ended its watch")
        })
        .await?
    }
}
