//! Signs certificates of workers with the authority in a directory.
use ck8s_pki::{Authority, Identity, Issued, PkiError};
use ck8s_types::WorkerId;

use crate::{config::CertificateConfig, error::AuthError};

/// Signs with the authority in a directory. It reads the files for every signature, because they may be replaced.
#[derive(Debug)]
pub(crate) struct CertificateSigner(CertificateConfig);

impl CertificateSigner {
    /// Checks that the authority can be used now.
    pub(crate) fn open(config: CertificateConfig) -> Result<Self, PkiError> {
        Authority::read(&config.authority_dir)?;
        Ok(Self(config))
    }

    /// Signs a request for a certificate of this worker.
    pub(crate) fn sign(&self, worker: &WorkerId, request: &str) -> Result<Issued, AuthError> {
        let authority = Authority::read(&self.0.authority_dir).map_err(AuthError::Authority)?;
        let identity = Identity::Worker(worker.clone());
        authority
            .sign(request, &identity, self.0.ttl)
            .map_err(AuthError::CertificateRequest)
    }
}
