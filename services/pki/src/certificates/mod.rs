//! The certificates of a process: files that are read again when they change, and the TLS settings that follow from
//! them.
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig, ServerConnection,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{Bundle, Identity, PkiError, authority::MAX_CLOCK_SKEW, verify::RoleVerifier};

/// How often the files are read: a renewed certificate is used this soon.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);
/// The protocol over TLS.
const H2: &[u8] = b"h2";

/// The certificates of a directory; a clone is the same.
#[derive(Clone)]
pub struct Certificates {
    dir: Arc<Path>,
    current: watch::Sender<Arc<Loaded>>,
}

struct Loaded {
    bundle: Bundle,
    identity: Identity,
    chain: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    server: Arc<ServerConfig>,
    validity: Validity,
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// Its first moment.
    pub from: SystemTime,
    /// Its last moment.
    pub until: SystemTime,
}

/// Who is at the other end of an accepted connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Whom its certificate names.
    pub identity: Identity,
    /// When its certificate ends.
    pub until: SystemTime,
}

impl Peer {
    /// Returns the peer of a connection whose handshake is done.
    ///
    /// # Errors
    /// Its certificate names nobody of the mesh.
    pub fn of(connection: &ServerConnection) -> Result<Self, PkiError> {
        let first = connection
            .peer_certificates()
            .and_then(<[CertificateDer<'_>]>::first);
        let certificate = first.ok_or(PkiError::NoName)?;
        Ok(Self {
            identity: Identity::of_certificate(certificate)?,
            until: validity_of(certificate)?.until,
        })
    }
}

impl Certificates {
    /// Reads a directory.
    ///
    /// # Errors
    /// Names the file that is missing or cannot be used.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let loaded = Loaded::new(Bundle::read(dir)?)?;
        Ok(Self {
            dir: dir.into(),
            current: watch::channel(Arc::new(loaded)).0,
        })
    }

    /// Returns whom they name.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.now().identity.clone()
    }

    /// From when until when they are valid.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.now().validity
    }

    /// When to renew them: after two thirds of their validity.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        let Validity { from, until } = self.now().validity;
        let life = until.duration_since(from).unwrap_or_default();
        until - life.saturating_sub(MAX_CLOCK_SKEW) / 3
    }

    /// Returns their directory.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.dir.to_path_buf()
    }

    /// Returns the TLS settings for a connection that is accepted now.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        self.now().server.clone()
    }

    /// Returns the TLS settings for a connection that is now made to a role.
    ///
    /// # Errors
    /// The files cannot be used; those of the server side were made of the same files, so this does not happen.
    pub fn client(&self, role: &str) -> Result<ClientConfig, PkiError> {
        self.now().client(role)
    }

    /// Returns a receiver that tells when the certificates change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<impl Sized + use<>> {
        self.current.subscribe()
    }

    /// Reads the files again and again until `shutdown`.
    pub async fn watch(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(RELOAD_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.reload() {
                tracing::warn!(%error, "the certificate of the mesh cannot be reloaded; the former one is used");
            }
        }
    }

    /// Reads the files, and uses them if they changed.
    ///
    /// # Errors
    /// Names the file that cannot be used; the former ones stay in use.
    pub fn reload(&self) -> Result<(), PkiError> {
        let bundle = Bundle::read(&self.dir)?;
        if bundle == self.now().bundle {
            return Ok(());
        }
        let loaded = Loaded::new(bundle)?;
        tracing::info!(identity = %loaded.identity, "the certificate of the mesh has changed");
        self.current.send_replace(Arc::new(loaded));
        Ok(())
    }

    fn now(&self) -> Arc<Loaded> {
        self.current.borrow().clone()
    }
}

impl Loaded {
    fn new(bundle: Bundle) -> Result<Self, PkiError> {
        let chain = certificates("tls.crt", &bundle.certificate)?;
        let mut roots = RootCertStore::empty();
        for authority in certificates("ca.crt", &bundle.authority)? {
            roots
                .add(authority)
                .map_err(|e| PkiError::unusable("ca.crt")(&e))?;
        }
        let roots = Arc::new(roots);
        let server = server(&chain, &bundle, &roots)?;
        Ok(Self {
            identity: Identity::of_certificate(&chain[0])?,
            validity: validity_of(&chain[0])?,
            chain,
            roots,
            server: Arc::new(server),
            bundle,
        })
    }

    fn client(&self, role: &str) -> Result<ClientConfig, PkiError> {
        let unusable = PkiError::unusable("tls.crt");
        let verifier = RoleVerifier {
            role: role.to_owned(),
            roots: self.roots.clone(),
            provider: provider(),
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|e| unusable(&e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(self.chain.clone(), key(&self.bundle)?)
            .map_err(|e| unusable(&e))?;
        config.alpn_protocols = vec![H2.to_vec()];
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn server(
    chain: &[CertificateDer<'static>],
    bundle: &Bundle,
    roots: &Arc<RootCertStore>,
) -> Result<ServerConfig, PkiError> {
    let unusable = PkiError::unusable("tls.crt with tls.key");
    let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
        .build()
        .map_err(|e| PkiError::unusable("ca.crt")(&e))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| unusable(&e))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain.to_vec(), key(bundle)?)
        .map_err(|e| unusable(&e))?;
    config.alpn_protocols = vec![H2.to_vec()];
    // A resumed session would not check whether the client's certificate is still valid.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let unusable = PkiError::unusable(what);
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| unusable(&e))?;
    if certificates.is_empty() {
        return Err(unusable(&"it holds no certificate"));
    }
    Ok(certificates)
}

fn key(bundle: &Bundle) -> Result<PrivateKeyDer<'static>, PkiError> {
    PrivateKeyDer::from_pem_slice(&bundle.key).map_err(|e| PkiError::unusable("tls.key")(&e))
}

fn validity_of(der: &[u8]) -> Result<Validity, PkiError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|e| PkiError::unusable("tls.crt")(&e))?;
    let validity = certificate.validity();
    let moment = |seconds: i64| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    };
    Ok(Validity {
        from: moment(validity.not_before.timestamp()),
        until: moment(validity.not_after.timestamp()),
    })
}

#[cfg(test)]
mod tests;
