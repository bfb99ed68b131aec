//! The errors of the service, and the status that each becomes.
mod auth;
mod sign_in;
mod start;

pub use auth::AuthError;
pub use sign_in::SignInError;
pub use start::StartError;
