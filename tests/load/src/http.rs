//! Webhooks over keep-alive connections at little cost of its own: prepared bytes are sent, and only the status line is
//! read.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use uuid::Uuid;

/// A webhook without its delivery id: head, then the id, then the rest.
#[derive(Clone)]
pub(crate) struct Prepared {
    head: Arc<[u8]>,
    rest: Arc<[u8]>,
}

impl Prepared {
    /// Signs a payload for a server's address.
    pub(crate) fn new(authority: &str, secret: &str, body: &[u8]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(body);
        let head = format!(
            "POST /api/v1/webhooks/github HTTP/1.1\r\nhost: {authority}\r\nuser-agent: GitHub-Hookshot/load\r\ncontent-type: application/json\r\n\
             x-github-event: issues\r\nx-hub-signature-256: sha256={}\r\ncontent-length: {}\r\nx-github-delivery: ",
            hex::encode(mac.finalize().into_bytes()),
            body.len()
        );
        let mut rest = b"\r\n\r\n".to_vec();
        rest.extend_from_slice(body);
        Self {
            head: head.into_bytes().into(),
            rest: rest.into(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.head.len() + 36 + self.rest.len());
        bytes.extend_from_slice(&self.head);
        bytes.extend_from_slice(Uuid::new_v4().to_string().as_bytes());
        bytes.extend_from_slice(&self.rest);
        bytes
    }
}

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(authority: &str) -> Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends one webhook and returns the status of the answer.
    pub(crate) async fn post(&mut self, prepared: &Prepared) -> Result<u16> {
        self.stream.write_all(&prepared.bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some(status) = whole_answer(&self.buffer)? {
                return Ok(status);
            }
        }
    }
}

/// Returns the status of a response that has arrived completely.
fn whole_answer(bytes: &[u8]) -> Result<Option<u16>> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
    let length: usize = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length:"))
        .context("an answer without content-length")?
        .trim()
        .parse()?;
    if bytes.len() < end + 4 + length {
        return Ok(None);
    }
    Ok(Some(head.get(9..12).context("a status line")?.parse()?))
}

/// The result of a round of load.
pub(crate) struct Round {
    pub(crate) accepted: usize,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Vec<Duration>,
}

/// Sends webhooks over many connections for a while. Every response must have the expected status.
pub(crate) async fn load(
    authority: &str,
    prepared: &Prepared,
    connections: usize,
    time: Duration,
    expected: u16,
) -> Result<Round> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(authority).await?);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in open {
        let prepared = prepared.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while began.elapsed() < time {
                let sent = Instant::now();
                let status = connection.post(&prepared).await?;
                if status != expected {
                    bail!("a webhook was answered {status}");
                }
                latencies.push(sent.elapsed());
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done??);
    }
    Ok(Round {
        accepted: latencies.len(),
        elapsed: began.elapsed(),
        latencies,
    })
}
