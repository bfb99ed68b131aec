//! `/auth/…`: what a browser needs to sign in and to keep its session. The auth service decides who somebody is; here
//! are the redirects, the cookies and the pages.
mod cookies;
mod endpoints;
mod error_page;
mod finished;
mod request;
mod session;
mod sign_in;

pub(crate) use self::endpoints::AuthEndpoints;
