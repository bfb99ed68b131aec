//! `ck8s delivery send`: a webhook, signed and posted as GitHub does it, and what becomes of it.
use std::time::Duration;

use ck8s_proto::{
    ingress::v1::{Delivery, DeliveryState, GetDeliveryRequest},
    runs::v1::Run,
};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{payload::Payload, retarget::retarget, sign, watch};
use crate::{
    Global,
    args::key_value,
    client::{deepest, unreachable},
    fault::{Answer as _, Exit, Fault, one_line},
    global::{Target, Who},
    json::View,
    output::{self, Format},
    session::Session,
};

/// The longest that a server may take to acknowledge; GitHub itself waits 10 s.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long to look for what became of a delivery; with `--wait`, [`PATIENT`].
const BRIEF: Duration = Duration::from_secs(5);
const PATIENT: Duration = Duration::from_secs(60);
/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// What to send.
#[derive(Args, Clone, Debug)]
pub struct Send {
    /// GitHub's name of the event: issues, push, issue_comment, ...
    #[arg(long)]
    pub event: String,
    /// The payload (-: standard input). Of a collection such as index.json of @octokit/webhooks-examples, FILE#N or
    /// FILE#ACTION is one of the event's examples.
    #[arg(long, value_name = "FILE")]
    pub payload: String,
    /// The webhook secret; without it, the one of `ck8s up`'s demo repository.
    #[arg(long, env = "CK8S_WEBHOOK_SECRET", hide_env_values = true, value_parser = secret)]
    pub secret: Option<SecretString>,
    /// The delivery's id; without it, a new one.
    #[arg(long, value_name = "ID")]
    pub delivery: Option<String>,
    /// Send it as this repository's (id or owner/name), whatever the payload says.
    #[arg(long)]
    pub repository: Option<String>,
    /// Sets a value of the payload by its dotted path, as JSON or else as text; may be given again.
    #[arg(long, value_name = "PATH=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Wait until the run has ended: 0 if it succeeded, else 1.
    #[arg(long)]
    pub wait: bool,
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

/// What a server answers to a webhook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    pub(super) code: String,
    message: String,
    delivery_id: String,
}

/// The answer, and what became of the delivery: one object.
#[derive(Serialize)]
struct Report {
    status: u16,
    code: String,
    message: String,
    delivery_id: String,
    delivery: Option<View>,
    run: Option<View>,
}

pub(crate) async fn run(args: Send, global: &Global) -> Result<Exit, Fault> {
    let mut payload = Payload::read(&args.payload, &args.event)?;
    for (path, value) in &args.set {
        payload.set(path, value)?;
    }
    let target = global.target()?;
    let session = match target.who {
        Who::Nobody => None,
        Who::Token(_) | Who::SignedIn(..) => Some(Session::connect(&target, global.output).await?),
    };
    let asked = args.repository.as_deref();
    retarget(&mut payload, asked, &target, session.as_ref()).await?;
    let secret = webhook_secret(&args, &target)?;
    let delivery = args
        .delivery
        .clone()
        .unwrap_or_else(|| Uuid::new_v4().to_string());
    let (status, body) = post(&target.url, &args.event, &delivery, &secret, payload).await?;
    let mut report = Report {
        status,
        code: body.code,
        message: body.message,
        delivery_id: if body.delivery_id.is_empty() {
            delivery
        } else {
            body.delivery_id
        },
        delivery: None,
        run: None,
    };
    if global.output == Format::Table {
        output::say(&format!(
            "{status} {}: {} (delivery {})",
            report.code,
            one_line(&report.message),
            report.delivery_id
        ))?;
    }
    let mut exit = exit(status);
    if let (Exit::Done, Some(session)) = (exit, &session) {
        let patience = if args.wait { PATIENT } else { BRIEF };
        let handled = handled(session, &report.delivery_id, patience).await?;
        exit = told(session, &handled, args.wait, &mut report).await?;
        report.delivery = Some(View::of(&handled));
    }
    if global.output != Format::Table {
        global.output.value(&report)?;
    }
    if !(200..300).contains(&status) {
        let what = format!("cannot deliver {}", report.delivery_id);
        let why = format!("the server answered {status} {}", report.code);
        return Err(Fault::new(exit, what, why, remedy(status)));
    }
    Ok(exit)
}

fn webhook_secret(args: &Send, target: &Target) -> Result<SecretString, Fault> {
    let given = args.secret.clone();
    let known = || {
        target
            .ready
            .as_ref()
            .and_then(|ready| ready.webhook_secret.clone())
    };
    given.or_else(known).ok_or_else(|| {
        let todo = "give --secret or set CK8S_WEBHOOK_SECRET";
        Fault::usage(
            "cannot sign the delivery",
            "no webhook secret is known",
            todo,
        )
    })
}

/// Posts as GitHub does; the HTTP status and the answer.
pub(super) async fn post(
    url: &str,
    event: &str,
    delivery: &str,
    secret: &SecretString,
    payload: Payload,
) -> Result<(u16, Body), Fault> {
    let hook = payload.repository().map(|r| r.external_id);
    let body = payload.into_bytes();
    let mut request = http(url)?
        .post(format!("{url}/api/v1/webhooks/github"))
        .header("user-agent", "GitHub-Hookshot/ck8s")
        .header("accept", "*/*")
        .header("content-type", "application/json")
        .header("x-github-event", event)
        .header("x-github-delivery", delivery)
        .header("x-github-hook-id", "1")
        .header("x-hub-signature", sign::sha1(secret.expose_secret(), &body))
        .header(
            "x-hub-signature-256",
            sign::sha256(secret.expose_secret(), &body),
        );
    if let Some(id) = hook {
        request = request
            .header("x-github-hook-installation-target-type", "repository")
            .header("x-github-hook-installation-target-id", id);
    }
    let answer = request
        .body(body)
        .send()
        .await
        .map_err(|e| unheard(url, delivery, &e))?;
    let status = answer.status();
    let text = answer
        .bytes()
        .await
        .map_err(|e| unheard(url, delivery, &e))?;
    let body = serde_json::from_slice(&text).unwrap_or_else(|_| Body {
        code: status
            .canonical_reason()
            .unwrap_or("UNKNOWN")
            .to_uppercase()
            .replace(' ', "_"),
        message: "the answer is not ck8s's: something else may listen there".to_owned(),
        delivery_id: String::new(),
    });
    Ok((status.as_u16(), body))
}

/// A client of the server's plain HTTP; it follows nobody elsewhere.
pub(super) fn http(url: &str) -> Result<reqwest::Client, Fault> {
    let mut client = reqwest::Client::builder()
        .timeout(DEADLINE)
        .redirect(reqwest::redirect::Policy::none());
    if url.starts_with("http:") {
        // Nothing is encrypted here, so a machine without root certificates will do.
        client = client.tls_certs_only([]);
    }
    client.build().map_err(|e| unreachable(url, &e))
}

/// No answer: nobody is there, or what is there speaks otherwise.
fn unheard(url: &str, delivery: &str, why: &reqwest::Error) -> Fault {
    if why.is_connect() {
        return unreachable(url, why);
    }
    let what = format!("cannot tell whether {url} took the delivery");
    let todo = format!("send it again with --delivery {delivery}: it counts once");
    Fault::new(Exit::Unavailable, what, deepest(why), todo)
}

/// What helps against an HTTP status.
fn remedy(status: u16) -> &'static str {
    match status {
        401 => "give that repository's webhook secret with --secret or CK8S_WEBHOOK_SECRET",
        404 => "name a server of ck8s with --url or CK8S_URL",
        413 => "GitHub itself sends at most 25 MB",
        429 | 502..=504 => "send it again later with the same --delivery: it counts once",
        _ => "look at the payload and the event",
    }
}

fn exit(status: u16) -> Exit {
    match status {
        200..300 => Exit::Done,
        401 | 403 => Exit::NotAllowed,
        404 => Exit::NotFound,
        429 | 502..=504 => Exit::Unavailable,
        _ => Exit::Failed,
    }
}

/// The delivery once it was handled, or as it is when patience ends.
pub(super) async fn handled(
    session: &Session,
    delivery: &str,
    patience: Duration,
) -> Result<Delivery, Fault> {
    let until = Instant::now() + patience;
    loop {
        let request = session.client.ask(GetDeliveryRequest {
            delivery: delivery.to_owned(),
        });
        let answer = session.client.ingress().get_delivery(request).await;
        let found = answer
            .or_say(format!("cannot get delivery {delivery}"))?
            .delivery
            .unwrap_or_default();
        if found.state() != DeliveryState::Received || Instant::now() > until {
            return Ok(found);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Says what became of the delivery, and follows its run where that was asked for.
async fn told(
    session: &Session,
    delivery: &Delivery,
    wait: bool,
    report: &mut Report,
) -> Result<Exit, Fault> {
    let reason = one_line(&delivery.reason);
    let table = session.format == Format::Table;
    let say = |text: String| if table { output::say(&text) } else { Ok(()) };
    match delivery.state() {
        DeliveryState::RunCreated => {
            say(format!("run {}", delivery.run_id))?;
            if wait {
                return ended(session, &delivery.run_id, report).await;
            }
            return Ok(Exit::Done);
        }
        DeliveryState::Ignored => say(format!("ignored: {reason}"))?,
        DeliveryState::Failed => {
            say(format!("failed: {reason}"))?;
            return Ok(Exit::Failed);
        }
        DeliveryState::Received | DeliveryState::Unspecified => {
            say("not handled yet; `ck8s delivery get` shows what becomes of it".to_owned())?;
        }
    }
    // Who waits for a run wants one.
    Ok(if wait { Exit::Failed } else { Exit::Done })
}

async fn ended(session: &Session, run: &str, report: &mut Report) -> Result<Exit, Fault> {
    if session.format == Format::Table {
        return watch::one(session, run).await;
    }
    let ended: Run = watch::until_end(session, run, |_| Ok(())).await?;
    report.run = Some(View::of(&ended));
    Ok(watch::exit(&ended))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn an_http_status_has_its_exit_status() {
        let done = [200, 202].map(|status| (status, Exit::Done));
        let failed = [400, 413, 415, 500].map(|status| (status, Exit::Failed));
        let unavailable = [429, 503].map(|status| (status, Exit::Unavailable));
        let others = [(401, Exit::NotAllowed), (404, Exit::NotFound)];
        for (status, expected) in done
            .into_iter()
            .chain(failed)
            .chain(unavailable)
            .chain(others)
        {
            assert_eq!(exit(status), expected, "{status}");
        }
    }

    /// Takes one request, gives one answer; the request's head and body come back.
    fn server(
        listener: TcpListener,
        answer: &'static str,
    ) -> std::thread::JoinHandle<(String, Vec<u8>)> {
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            (head, body)
        })
    }

    #[tokio::test]
    async fn it_posts_as_github_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("payload.json");
        let bytes = b"{ \"repository\": {\"id\": 7, \"full_name\": \"a/b\"} }\n";
        std::fs::write(&file, bytes).unwrap();
        let payload = Payload::read(file.to_str().unwrap(), "push").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = "HTTP/1.1 202 Accepted\r\ncontent-length: 62\r\n\r\n\
                      {\"code\":\"ACCEPTED\",\"message\":\"stored\",\"delivery_id\":\"d-1\"    }";
        let server = server(listener, answer);
        let (status, body) = post(&url, "push", "d-1", &"s".into(), payload)
            .await
            .unwrap();
        assert_eq!(
            (status, body.code.as_str(), body.delivery_id.as_str()),
            (202, "ACCEPTED", "d-1")
        );
        let (head, sent) = server.join().unwrap();
        assert_eq!(sent, bytes);
        assert!(
            head.starts_with("POST /api/v1/webhooks/github HTTP/1.1\r\n"),
            "{head}"
        );
        for line in [
            "user-agent: GitHub-Hookshot/ck8s".to_owned(),
            "content-type: application/json".to_owned(),
            "x-github-event: push".to_owned(),
            "x-github-delivery: d-1".to_owned(),
            "x-github-hook-installation-target-id: 7".to_owned(),
            format!("x-hub-signature-256: {}", sign::sha256("s", bytes)),
            format!("x-hub-signature: {}", sign::sha1("s", bytes)),
        ] {
            assert!(
                head.contains(&format!("{line}\r\n")),
                "{line} is missing in {head}"
            );
        }
    }
}
