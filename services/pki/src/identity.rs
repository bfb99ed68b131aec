//! The identity that a certificate names: roles of the mesh, or one worker, as URIs in the style of SPIFFE.
use std::fmt;

use ck8s_types::WorkerId;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use crate::PkiError;

/// Our trust domain.
const DOMAIN: &str = "spiffe://ck8s/";
/// The prefix of a worker's path. No role has this name.
const WORKER: &str = "worker/";

/// Whom a certificate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A process of these roles; it may act as any of them.
    Roles(Vec<String>),
    /// A worker node.
    Worker(WorkerId),
}

impl Identity {
    /// A process of one role.
    #[must_use]
    pub fn role(name: &str) -> Self {
        Self::Roles(vec![name.to_owned()])
    }

    /// Whether it may act as this role.
    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        matches!(self, Self::Roles(roles) if roles.iter().any(|role| role == name))
    }

    /// Returns the names as URIs.
    #[must_use]
    pub fn uris(&self) -> Vec<String> {
        match self {
            Self::Roles(roles) => roles.iter().map(|role| format!("{DOMAIN}{role}")).collect(),
            Self::Worker(id) => vec![format!("{DOMAIN}{WORKER}{id}")],
        }
    }

    /// Reads whom a certificate in DER names. It does not check who signed it.
    ///
    /// # Errors
    /// It is no certificate, names nobody of ours, or names a worker and somebody else.
    pub fn of_certificate(der: &[u8]) -> Result<Self, PkiError> {
        let unusable = PkiError::unusable("the certificate");
        let (_, certificate) = X509Certificate::from_der(der).map_err(|e| unusable(&e))?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|e| unusable(&e))?;
        let uris = names.iter().flat_map(|names| &names.value.general_names);
        let uris = uris.filter_map(|name| match name {
            GeneralName::URI(uri) => uri.strip_prefix(DOMAIN),
            _ => None,
        });
        Self::of_paths(uris)
    }

    fn of_paths<'a>(paths: impl Iterator<Item = &'a str>) -> Result<Self, PkiError> {
        let (mut roles, mut worker) = (Vec::new(), None);
        for path in paths {
            match path.strip_prefix(WORKER).map(str::parse::<WorkerId>) {
                Some(Ok(id)) if worker.is_none() => worker = Some(id),
                Some(_) => return Err(PkiError::Ambiguous),
                None if is_role(path) => roles.push(path.to_owned()),
                None => {}
            }
        }
        match (worker, roles.is_empty()) {
            (Some(id), true) => Ok(Self::Worker(id)),
            (Some(_), false) => Err(PkiError::Ambiguous),
            (None, false) => Ok(Self::Roles(roles)),
            (None, true) => Err(PkiError::NoName),
        }
    }
}

fn is_role(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase())
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uris().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_roles_or_one_worker() {
        let of = |paths: &[&str]| Identity::of_paths(paths.iter().copied());
        assert_eq!(of(&["runs"]).unwrap(), Identity::role("runs"));
        assert!(of(&["edge", "runs", "x/y"]).unwrap().has_role("runs"));
        let worker = of(&["worker/node-1"]).unwrap();
        assert_eq!(worker, Identity::Worker("node-1".parse().unwrap()));
        assert_eq!(worker.uris(), ["spiffe://ck8s/worker/node-1"]);
        assert!(!worker.has_role("worker"));
        for bad in [
            &["worker/a", "worker/b"][..],
            &["worker/a", "runs"],
            &["worker/a b"],
        ] {
            assert!(matches!(of(bad), Err(PkiError::Ambiguous)), "{bad:?}");
        }
        for none in [&[][..], &["Runs"], &["runs/x"], &[""]] {
            assert!(matches!(of(none), Err(PkiError::NoName)), "{none:?}");
        }
    }
}
