//! Accounts of people, the OAuth app, and access tokens of the app.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A person with an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The id, which nobody else ever gets.
    pub id: u64,
    /// The name, which may change and then belong to somebody else.
    pub login: String,
    /// Their addresses.
    pub emails: Vec<Email>,
}

/// An address of a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Email {
    /// As they wrote it.
    pub email: String,
    /// Whether it is verified.
    pub verified: bool,
    /// Whether it is the primary one.
    pub primary: bool,
}

impl Account {
    /// Creates an account with one address, primary and verified.
    #[must_use]
    pub fn new(id: u64, login: &str, email: &str) -> Self {
        Self {
            id,
            login: login.to_owned(),
            emails: vec![Email {
                email: email.to_owned(),
                verified: true,
                primary: true,
            }],
        }
    }

    /// Adds an address.
    #[must_use]
    pub fn and(mut self, email: &str, verified: bool) -> Self {
        self.emails.push(Email {
            email: email.to_owned(),
            verified,
            primary: false,
        });
        self
    }

    /// Makes no address verified.
    #[must_use]
    pub fn unverified(mut self) -> Self {
        for email in &mut self.emails {
            email.verified = false;
        }
        self
    }
}

/// The OAuth app.
#[derive(Clone, Debug)]
pub struct App {
    /// Public.
    pub client_id: String,
    /// Secret.
    pub client_secret: String,
    /// The callback: browsers may be sent there or below, on this machine with any port.
    pub callback: String,
}

/// An access token.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) user_id: u64,
    pub(crate) scopes: BTreeSet<String>,
}
