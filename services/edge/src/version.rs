//! Which build of the program this is.
use serde::Serialize;

/// Which build of the program this is.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    /// The package's version.
    pub version: String,
    /// The git revision; empty if it is not known.
    pub revision: String,
    /// The time of the build, UTC; empty if it is not known.
    pub build_time: String,
}

impl Default for Version {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: env!("CK8S_REVISION").to_owned(),
            build_time: env!("CK8S_BUILD_TIME").to_owned(),
        }
    }
}
