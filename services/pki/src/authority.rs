//! The authority that signs certificates: a key and a certificate that every process of the mesh trusts. It signs a
//! public key and a name, and ignores what else a request asks for.
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber,
};
use time::OffsetDateTime;

use crate::{Bundle, Identity, PkiError, write_private, write_public};

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";

/// How long an authority is valid: ten years, since nothing renews it.
const AUTHORITY_VALIDITY: Duration = Duration::from_secs(3650 * 24 * 3600);
/// Certificates are valid from so long before they are signed, for clocks that are behind.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// What X.509 allows for a common name.
const MAX_COMMON_NAME_CHARS: usize = 64;

/// An authority, with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A fresh key and the request for its certificate, both in PEM. Has no `Debug`.
pub struct Request {
    /// The private key, which is not sent.
    pub key: String,
    /// The request, which is sent to the authority.
    pub csr: String,
}

/// A signed certificate, in PEM.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The authority to trust.
    pub authority: String,
    /// When it ends.
    pub until: SystemTime,
}

impl Request {
    /// Makes a fresh key.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new() -> Result<Self, PkiError> {
        let unusable = PkiError::unusable("a fresh key");
        let key = KeyPair::generate().map_err(|e| unusable(&e))?;
        let csr = CertificateParams::default()
            .serialize_request(&key)
            .and_then(|csr| csr.pem())
            .map_err(|e| unusable(&e))?;
        Ok(Self {
            key: key.serialize_pem(),
            csr,
        })
    }

    /// Returns the files of this key with its certificate.
    #[must_use]
    pub fn bundle(self, issued: &Issued) -> Bundle {
        Bundle {
            certificate: issued.certificate.clone().into_bytes(),
            key: self.key.into_bytes(),
            authority: issued.authority.clone().into_bytes(),
        }
    }
}

impl Authority {
    /// Makes a new authority. Returns its certificate and its key, in PEM.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<(String, String), PkiError> {
        let unusable = PkiError::unusable("a fresh authority");
        let key = KeyPair::generate().map_err(|e| unusable(&e))?;
        let now = SystemTime::now();
        let mut params = params(
            "ck8s mesh authority",
            now - MAX_CLOCK_SKEW,
            now + AUTHORITY_VALIDITY,
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|e| unusable(&e))?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// Reads the contents of `ca.crt` and `ca.key`.
    ///
    /// # Errors
    /// Names the one that cannot be used.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(key).map_err(|e| PkiError::unusable("ca.key")(&e))?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key)
            .map_err(|e| PkiError::unusable("ca.crt")(&e))?;
        Ok(Self {
            issuer,
            certificate: certificate.to_owned(),
        })
    }

    /// Reads `ca.crt` and `ca.key` of a directory.
    ///
    /// # Errors
    /// Names the one that is missing or cannot be used.
    pub fn read(dir: &Path) -> Result<Self, PkiError> {
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read_to_string(&path).map_err(|source| PkiError::File { path, source })
        };
        Self::from_pem(&read(CERTIFICATE)?, &read(KEY)?)
    }

    /// Makes an authority in a directory unless there is one. Returns whether it made one.
    ///
    /// # Errors
    /// What is there cannot be used, or nothing can be written.
    pub fn ensure(dir: &Path) -> Result<bool, PkiError> {
        if dir.join(CERTIFICATE).exists() || dir.join(KEY).exists() {
            return Self::read(dir).map(|_| false);
        }
        let (certificate, key) = Self::generate()?;
        fs::create_dir_all(dir).map_err(|source| PkiError::File {
            path: dir.to_owned(),
            source,
        })?;
        write_private(&dir.join(KEY), key.as_bytes())?;
        write_public(&dir.join(CERTIFICATE), certificate.as_bytes())?;
        Ok(true)
    }

    /// Signs the key of a request, for this name and no other.
    ///
    /// # Errors
    /// The request cannot be read, or does not prove that its sender has the key.
    pub fn sign(&self, csr: &str, identity: &Identity, life: Duration) -> Result<Issued, PkiError> {
        let request = CertificateSigningRequestParams::from_pem(csr)
            .map_err(|e| PkiError::unusable("the certificate request")(&e))?;
        let now = SystemTime::now();
        self.issue(
            &request.public_key,
            identity,
            now - MAX_CLOCK_SKEW,
            now + life,
        )
    }

    /// Makes and signs a key for this name: all files that a process needs.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn bundle(
        &self,
        identity: &Identity,
        from: SystemTime,
        until: SystemTime,
    ) -> Result<Bundle, PkiError> {
        let key = KeyPair::generate().map_err(|e| PkiError::unusable("a fresh key")(&e))?;
        let issued = self.issue(&key, identity, from, until)?;
        Ok(Bundle {
            certificate: issued.certificate.into_bytes(),
            key: key.serialize_pem().into_bytes(),
            authority: issued.authority.into_bytes(),
        })
    }

    fn issue(
        &self,
        key: &impl PublicKeyData,
        identity: &Identity,
        from: SystemTime,
        until: SystemTime,
    ) -> Result<Issued, PkiError> {
        let unusable = PkiError::unusable("the name");
        let uris = identity.uris();
        let mut params = params(&uris[0], from, until);
        for uri in uris {
            let uri = uri.try_into().map_err(|e: rcgen::Error| unusable(&e))?;
            params.subject_alt_names.push(SanType::URI(uri));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        let certificate = params
            .signed_by(key, &self.issuer)
            .map_err(|e| PkiError::unusable("the public key")(&e))?;
        Ok(Issued {
            certificate: certificate.pem(),
            authority: self.certificate.clone(),
            until,
        })
    }
}

fn params(name: &str, from: SystemTime, until: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    // Nobody reads the common name: the URI counts.
    subject.push(
        DnType::CommonName,
        name.chars().take(MAX_COMMON_NAME_CHARS).collect::<String>(),
    );
    params.distinguished_name = subject;
    params.not_before = OffsetDateTime::from(from);
    params.not_after = OffsetDateTime::from(until);
    let mut serial: [u8; 16] = rand::random();
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params
}
