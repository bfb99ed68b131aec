//! An HTTP/1.1 client over one connection, with which a test decides what is sent and reads a response that comes
//! before the body is sent.
use std::io;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::ReadHalf},
};

use crate::WAIT_TIMEOUT;

/// A connection.
pub struct Http {
    stream: TcpStream,
    host: String,
}

/// A response.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The body as it was received.
    pub text: String,
}

impl HttpResponse {
    /// Returns the body as JSON; null if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Returns the code in the body.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Http {
    /// Connects to `http://host:port`.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(url: &str) -> io::Result<Self> {
        let host = url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host })
    }

    /// Sends one request and returns its response. A connection that the server has closed is an error.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> io::Result<HttpResponse> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let (mut read, mut write) = self.stream.split();
        let sending = async {
            // A response that refuses the body may arrive while the body is sent: then that response counts.
            let _ = write.write_all(head.as_bytes()).await;
            let _ = write.write_all(body).await;
            std::future::pending::<()>().await;
        };
        let answering = tokio::time::timeout(WAIT_TIMEOUT, answer(&mut read));
        tokio::select! {
            answer = answering => answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?,
            () = sending => Err(io::ErrorKind::Other.into()),
        }
    }
}

async fn answer(read: &mut ReadHalf<'_>) -> io::Result<HttpResponse> {
    let mut data = Vec::new();
    let head_end = loop {
        if let Some(at) = data.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        more(read, &mut data).await?;
    };
    let head = String::from_utf8_lossy(&data[..head_end]).into_owned();
    let mut lines = head.lines();
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let status = lines
        .next()
        .and_then(|l| l.split(' ').nth(1)?.parse().ok())
        .ok_or_else(bad)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head_end + length.unwrap_or(0);
    while data.len() < end {
        more(read, &mut data).await?;
    }
    let text = String::from_utf8_lossy(&data[head_end..end]).into_owned();
    Ok(HttpResponse { status, text })
}

async fn more(read: &mut ReadHalf<'_>, data: &mut Vec<u8>) -> io::Result<()> {
    match read.read_buf(data).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
