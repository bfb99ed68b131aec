//! The HTTP request of a webhook, as GitHub makes it.
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{payload::Payload, signature};
use crate::{
    client::unreachable_server,
    error::{CliError, ExitStatus, root_cause},
    proxy::Proxy,
};

/// Bounds a request to the server's plain HTTP; GitHub itself waits 10 s.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// A webhook to send.
pub(crate) struct WebhookRequest<'a> {
    /// The event, as GitHub names it.
    pub(crate) event: &'a str,
    /// The delivery's id.
    pub(crate) delivery_id: &'a str,
    /// Signs the payload.
    pub(crate) secret: &'a SecretString,
    /// The body.
    pub(crate) payload: Payload,
}

/// The server's response to a webhook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WebhookResponse {
    /// The HTTP status.
    #[serde(skip)]
    pub(crate) status: u16,
    /// What became of the delivery, as one word.
    pub(crate) code: String,
    /// The same as a sentence.
    pub(crate) message: String,
    /// The delivery's id; empty if the server does not name it.
    pub(crate) delivery_id: String,
}

impl WebhookRequest<'_> {
    /// Posts the webhook to a server.
    pub(crate) async fn post(self, url: &str) -> Result<WebhookResponse, CliError> {
        let repository = self.payload.repository();
        let body = self.payload.into_bytes();
        let secret = self.secret.expose_secret();
        let mut request = http_client(url)?
            .post(format!("{url}/api/v1/webhooks/github"))
            .header("user-agent", "GitHub-Hookshot/ck8s")
            .header("accept", "*/*")
            .header("content-type", "application/json")
            .header("x-github-event", self.event)
            .header("x-github-delivery", self.delivery_id)
            .header("x-github-hook-id", "1")
            .header("x-hub-signature", signature::sha1(secret, &body))
            .header("x-hub-signature-256", signature::sha256(secret, &body));
        if let Some(repository) = repository {
            request = request
                .header("x-github-hook-installation-target-type", "repository")
                .header(
                    "x-github-hook-installation-target-id",
                    repository.external_id,
                );
        }
        let failed = |error| no_response(url, self.delivery_id, &error);
        let response = request.body(body).send().await.map_err(failed)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(failed)?;
        let response = serde_json::from_slice(&bytes).unwrap_or_else(|_| foreign_response(status));
        Ok(WebhookResponse {
            status: status.as_u16(),
            ..response
        })
    }
}

/// Stands for the response of a server that is not ck8s.
fn foreign_response(status: reqwest::StatusCode) -> WebhookResponse {
    let reason = status.canonical_reason().unwrap_or("UNKNOWN");
    WebhookResponse {
        code: reason.to_uppercase().replace(' ', "_"),
        message: "the answer is not ck8s's: something else may listen there".to_owned(),
        ..WebhookResponse::default()
    }
}

/// Makes a client of the server's plain HTTP; it follows no redirects, and uses the same proxy as every command.
pub(crate) fn http_client(url: &str) -> Result<reqwest::Client, CliError> {
    let mut client = reqwest::Client::builder()
        .timeout(HTTP_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    let proxy = url.parse().ok().and_then(|url| Proxy::of(&url));
    if proxy.is_none() {
        client = client.no_proxy();
    }
    if url.starts_with("http:") && !proxy.is_some_and(|proxy| proxy.has_tls()) {
        // Plain HTTP needs no root certificates, and the machine may have none.
        client = client.tls_certs_only([]);
    }
    client
        .build()
        .map_err(|error| unreachable_server(url, &error))
}

/// Makes the error of a request without a response.
fn no_response(url: &str, delivery: &str, error: &reqwest::Error) -> CliError {
    if error.is_connect() {
        return unreachable_server(url, error);
    }
    let what = format!("cannot tell whether {url} took the delivery");
    let hint = format!("send it again with --delivery {delivery}: it counts once");
    CliError::new(ExitStatus::Unavailable, what, root_cause(error), hint)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request, and returns its head and body.
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
    async fn a_webhook_is_posted_as_github_posts_it() {
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
        let request = WebhookRequest {
            event: "push",
            delivery_id: "d-1",
            secret: &"s".into(),
            payload,
        };
        let response = request.post(&url).await.unwrap();
        let WebhookResponse {
            status,
            code,
            delivery_id,
            ..
        } = response;
        assert_eq!(
            (status, code.as_str(), delivery_id.as_str()),
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
            format!("x-hub-signature-256: {}", signature::sha256("s", bytes)),
            format!("x-hub-signature: {}", signature::sha1("s", bytes)),
        ] {
            assert!(
                head.contains(&format!("{line}\r\n")),
                "{line} is missing in {head}"
            );
        }
    }
}
