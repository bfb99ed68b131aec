//! The configuration of a server: secrets come from the environment only, so that no argument list shows them.
use std::{env, time::Duration};

use anyhow::{Context, Result, bail};
use ck8s_edge::EdgeConfig;
use ck8s_runs::RunsConfig;
use ck8s_sealing::KeyRing;
use secrecy::{ExposeSecret, SecretString};

use crate::limits;

/// The part of the memory that connections may take.
const CONNECTION_MEMORY_PART: u64 = 4;
/// What a connection takes: its buffers and its task.
const CONNECTION_BYTES: u64 = 16 * 1024;

/// Settings of a server that have defaults.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Tuning")]
pub(crate) struct Tuning {
    /// How long a lease lives without a heartbeat.
    #[arg(long, env = "CK8S_LEASE_TTL_MS", value_name = "MS", value_parser = clap::value_parser!(u64).range(100..))]
    lease_ttl_ms: Option<u64>,
    /// How often a worker sends a heartbeat.
    #[arg(long, env = "CK8S_HEARTBEAT_INTERVAL_MS", value_name = "MS", value_parser = clap::value_parser!(u64).range(10..))]
    heartbeat_interval_ms: Option<u64>,
    /// How long a lease without a worker waits to be taken over.
    #[arg(long, env = "CK8S_TAKEOVER_TIMEOUT_MS", value_name = "MS", value_parser = clap::value_parser!(u64).range(100..))]
    takeover_timeout_ms: Option<u64>,
    /// The slots of a project whose slots nobody has set.
    #[arg(long, env = "CK8S_DEFAULT_SLOTS", value_name = "N", value_parser = clap::value_parser!(i32).range(0..=10_000))]
    default_slots: Option<i32>,
    /// The largest log of one attempt; the rest is dropped, which the log says.
    #[arg(long, env = "CK8S_LOG_CAP_BYTES", value_name = "BYTES", value_parser = clap::value_parser!(i64).range(1024..))]
    log_cap_bytes: Option<i64>,
    /// Webhooks that one address may send in a second; 0: as many as it likes.
    #[arg(long, env = "CK8S_WEBHOOK_RATE", value_name = "N")]
    webhook_rate: Option<u32>,
    /// The memory that this process may count on, for the budgets of what strangers send; by default the limit of its
    /// control group, else the machine's memory.
    #[arg(long, env = "CK8S_MEMORY_BYTES", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(67_108_864..))]
    memory_bytes: Option<u64>,
    /// Connections to the public listener at once; by default as many as memory and open files allow.
    #[arg(long, env = "CK8S_MAX_CONNECTIONS", value_name = "N", value_parser = clap::value_parser!(u32).range(16..))]
    max_connections: Option<u32>,
    /// How long the public listener still answers when the process is told to end and is not ready any more, so that
    /// whoever sends to it has gone elsewhere before it closes.
    #[arg(
        long,
        env = "CK8S_LINGER_MS",
        value_name = "MS",
        default_value_t = 0,
        hide_default_value = true
    )]
    linger_ms: u64,
}

impl Tuning {
    /// Returns how long the public listener still answers after SIGTERM.
    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }

    /// Returns the edge's configuration.
    pub(crate) fn edge(&self) -> EdgeConfig {
        let mut config = EdgeConfig::default();
        if let Some(rate) = self.webhook_rate {
            config.webhook_rate = rate;
        }
        if let Some(bytes) = self.memory_bytes.or_else(limits::memory_bytes) {
            config.memory_bytes = bytes;
        }
        let by_memory = config.memory_bytes / CONNECTION_MEMORY_PART / CONNECTION_BYTES;
        // The rest is for the database, other roles and files.
        let by_files = limits::open_files() / 4 * 3;
        let max = self
            .max_connections
            .map_or(by_memory.min(by_files), u64::from);
        config.max_connections = usize::try_from(max).unwrap_or(usize::MAX);
        config
    }

    /// Returns the runs service's configuration.
    pub(crate) fn runs(&self, run_token_key: [u8; 32]) -> Result<RunsConfig> {
        let mut config = RunsConfig::new(run_token_key);
        if let Some(ms) = self.lease_ttl_ms {
            config.lease_ttl = Duration::from_millis(ms);
        }
        if let Some(ms) = self.heartbeat_interval_ms {
            config.heartbeat_interval = Duration::from_millis(ms);
        }
        if let Some(ms) = self.takeover_timeout_ms {
            config.takeover_timeout = Duration::from_millis(ms);
        }
        if let Some(slots) = self.default_slots {
            config.default_slots = slots;
        }
        if let Some(bytes) = self.log_cap_bytes {
            config.log_cap_bytes = bytes;
        }
        if config.heartbeat_interval * 2 > config.lease_ttl {
            bail!(
                "a lease lives {:?} and heartbeats come every {:?}: a lease must live at least two of them (CK8S_LEASE_TTL_MS, CK8S_HEARTBEAT_INTERVAL_MS)",
                config.lease_ttl,
                config.heartbeat_interval
            );
        }
        Ok(config)
    }
}

/// The secrets of a server: each role has its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    /// Seals what is stored, for the roles repositories and auth: `id:base64key,...`.
    pub(crate) key_ring: Option<SecretString>,
    /// Signs the runs' own tokens, for the role runs: 64 hexadecimal digits.
    pub(crate) run_token_key: Option<SecretString>,
    /// Checks events that belong to no repository.
    pub(crate) webhook_secret: Option<SecretString>,
    /// The OAuth app's, for the role auth.
    pub(crate) github_client_secret: Option<SecretString>,
}

impl Secrets {
    /// Reads `CK8S_KEY_RING`, `CK8S_RUN_TOKEN_KEY`, `CK8S_WEBHOOK_SECRET`, `CK8S_GITHUB_CLIENT_SECRET`, as far as they
    /// are set.
    pub(crate) fn from_env() -> Self {
        Self {
            key_ring: secret("CK8S_KEY_RING"),
            run_token_key: secret("CK8S_RUN_TOKEN_KEY"),
            webhook_secret: secret("CK8S_WEBHOOK_SECRET"),
            github_client_secret: secret("CK8S_GITHUB_CLIENT_SECRET"),
        }
    }

    /// Returns the key ring.
    pub(crate) fn key_ring(&self) -> Result<KeyRing> {
        let text = self.key_ring.as_ref().context(
            "CK8S_KEY_RING is not set: it seals stored secrets; make one with: echo \"k1:$(openssl rand -base64 32)\"",
        )?;
        KeyRing::from_text(text.expose_secret()).context("CK8S_KEY_RING")
    }

    /// Returns the key that signs the runs' tokens.
    pub(crate) fn run_token_key(&self) -> Result<[u8; 32]> {
        let text = self.run_token_key.as_ref().context(
            "CK8S_RUN_TOKEN_KEY is not set: it signs the runs' tokens, the same for all replicas; make one with: openssl rand -hex 32",
        )?;
        let mut key = [0; 32];
        // The parser's own error could show a part of the key.
        if hex::decode_to_slice(text.expose_secret().trim(), &mut key).is_err() {
            bail!(
                "CK8S_RUN_TOKEN_KEY is not 64 hexadecimal digits: make one with: openssl rand -hex 32"
            );
        }
        Ok(key)
    }
}

/// Returns the database's address from `CK8S_DATABASE_URL`, else `DATABASE_URL`.
pub(crate) fn database_url() -> Option<SecretString> {
    secret("CK8S_DATABASE_URL").or_else(|| secret("DATABASE_URL"))
}

fn secret(name: &str) -> Option<SecretString> {
    env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
        .map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_must_outlive_two_heartbeats() {
        let mut tuning = Tuning {
            lease_ttl_ms: Some(3000),
            heartbeat_interval_ms: Some(1500),
            takeover_timeout_ms: None,
            default_slots: Some(7),
            log_cap_bytes: None,
            webhook_rate: None,
            memory_bytes: None,
            max_connections: None,
            linger_ms: 0,
        };
        assert_eq!(tuning.runs([0; 32]).unwrap().default_slots, 7);
        tuning.heartbeat_interval_ms = Some(1501);
        assert!(tuning.runs([0; 32]).is_err());
    }

    #[test]
    fn an_error_does_not_show_a_bad_key() {
        let secrets = Secrets {
            run_token_key: Some("c0ffee".into()),
            ..Secrets::default()
        };
        let error = secrets.run_token_key().unwrap_err().to_string();
        assert!(!error.contains("c0ffee"), "{error}");
    }
}
