//! Wake-ups: a LISTEN that survives a lost connection. A lost notification loses nothing: readers rescan after a
//! reconnection.
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::{DbError, pool::parse};

/// Bounds the pause between two attempts to reconnect.
const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(5);

/// The pause after the first attempt; each next one is twice as long.
const MIN_RECONNECT_PAUSE: Duration = Duration::from_millis(20);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a reader was woken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wake {
    /// Somebody sent NOTIFY.
    Notified {
        /// The channel.
        channel: String,
        /// What came with it; may be empty.
        payload: String,
    },
    /// The connection was lost and is open again: notifications in between were missed. Rescan.
    Reconnected,
}

/// Listens on channels with a connection of its own.
pub struct Listener {
    url: String,
    channels: Vec<String>,
    inner: Option<PgListener>,
}

impl Listener {
    /// Connects and listens on the channels.
    ///
    /// # Errors
    /// The address is wrong or the server is away.
    pub async fn connect(url: &str, channels: &[&str]) -> Result<Self, DbError> {
        let channels: Vec<String> = channels.iter().map(|&channel| channel.into()).collect();
        let inner = open(url, &channels).await?;
        Ok(Self {
            url: url.to_owned(),
            channels,
            inner: Some(inner),
        })
    }

    /// Waits for the next wake-up, and reconnects as long as it takes. Cancel safe.
    pub async fn next(&mut self) -> Wake {
        if let Some(inner) = &mut self.inner {
            match inner.try_recv().await {
                Ok(Some(notification)) => {
                    return Wake::Notified {
                        channel: notification.channel().to_owned(),
                        payload: notification.payload().to_owned(),
                    };
                }
                Ok(None) => tracing::debug!("the listening connection was lost"),
                Err(error) => tracing::warn!(%error, "the listening connection failed"),
            }
            self.inner = None;
        }
        let mut pause = MIN_RECONNECT_PAUSE;
        loop {
            match open(&self.url, &self.channels).await {
                Ok(inner) => {
                    self.inner = Some(inner);
                    return Wake::Reconnected;
                }
                Err(error) => tracing::debug!(%error, "cannot listen yet"),
            }
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(MAX_RECONNECT_PAUSE);
        }
    }
}

async fn open(url: &str, channels: &[String]) -> Result<PgListener, DbError> {
    let options = parse(url)?.application_name("ck8s_listener");
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(DbError::Connect)?;
    let mut listener = PgListener::connect_with(&pool)
        .await
        .map_err(DbError::Connect)?;
    listener.eager_reconnect(false);
    listener
        .listen_all(channels.iter().map(String::as_str))
        .await
        .map_err(DbError::Connect)?;
    Ok(listener)
}
