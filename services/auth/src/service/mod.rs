//! Use cases: check, open a transaction, change, record the flow event, keep the result for a repeated call, commit.
mod admission;
mod auth;
mod browser_sign_in;
mod call;
mod certificate_signer;
mod denials;
mod device_sign_in;
mod initial_credentials;
mod members;
mod platform_admins;
mod projects;
mod reseal;
mod sessions;
mod sign_in;
mod sign_in_links;
mod signing_keys;
#[cfg(feature = "fuzz")]
mod token_reading;
mod token_records;
mod tokens;
mod users;
mod worker_certificates;

pub use auth::Auth;
pub use initial_credentials::Bootstrap;
pub use platform_admins::AdminGrant;
#[cfg(feature = "fuzz")]
pub use token_reading::{AccessTokenReading, read_access_token};

pub(crate) use call::Call;
pub(crate) use certificate_signer::CertificateSigner;
pub(crate) use denials::DENIALS_PER_MINUTE;
pub(crate) use projects::ProjectUpdate;
pub(crate) use reseal::ResealOutcome;
pub(crate) use sessions::AccessTokenBearer;
pub(crate) use sign_in::SignIn;
pub(crate) use users::UserUpdate;
