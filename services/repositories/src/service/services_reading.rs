//! What this service makes of a services.yaml, without a database: the entrance for whoever wants to see what a text
//! from outside is taken for, above all the fuzzers (tests/fuzz).
use ck8s_proto::repositories::v1 as pb;
use ck8s_types::Invalid;

use crate::{convert, domain::services_yaml};

/// Reads a services.yaml as the service does.
///
/// # Errors
/// [`Invalid`], with the line and what is wrong there.
pub fn read_services(text: &str) -> Result<pb::Services, Invalid> {
    services_yaml::parse(text).map(|services| convert::services(&services))
}
