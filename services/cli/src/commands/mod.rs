//! One file for each noun of the command line, or a folder where a noun has large verbs.
pub(crate) mod completion;
pub(crate) mod delivery;
pub(crate) mod keys;
pub(crate) mod list_filter;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod member;
pub(crate) mod project;
pub(crate) mod project_secret;
pub(crate) mod repo;
pub(crate) mod run;
pub(crate) mod slot;
pub(crate) mod smoke;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod whoami;
pub(crate) mod worker;
