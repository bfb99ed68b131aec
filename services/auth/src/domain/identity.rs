//! Who the provider says somebody is, and which of it counts.

/// The address of whoever has a one-time link. No provider can verify it.
pub(crate) const LOCAL_ADMIN: &str = "admin@localhost";

/// Somebody, as the provider knows them.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The provider's id: it stays theirs.
    pub id: String,
    /// What the provider calls them: it may be somebody else's tomorrow.
    pub login: String,
    pub emails: Vec<Email>,
}

/// One of their addresses.
#[derive(Clone, Debug)]
pub(crate) struct Email {
    pub address: String,
    /// The provider saw that mail to it reaches them.
    pub verified: bool,
    pub primary: bool,
}

impl Identity {
    /// The addresses that count, the primary one first: verified, and of ASCII alone, since letters exist that look the same without
    /// case and are not.
    pub fn verified(&self) -> Vec<&str> {
        let counts = |email: &&Email| {
            email.verified
                && email.address.is_ascii()
                && !email.address.eq_ignore_ascii_case(LOCAL_ADMIN)
        };
        let mut emails: Vec<&Email> = self.emails.iter().filter(counts).collect();
        emails.sort_by_key(|email| !email.primary);
        emails.iter().map(|email| email.address.as_str()).collect()
    }

    /// Whether a verified address is what they lack, as far as can be said without saying who is allowed.
    pub fn has_unverified(&self) -> bool {
        self.emails.is_empty() || self.emails.iter().any(|email| !email.verified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(address: &str, verified: bool, primary: bool) -> Email {
        Email {
            address: address.to_owned(),
            verified,
            primary,
        }
    }

    #[test]
    fn only_verified_addresses_count() {
        let mut ada = Identity {
            id: "1".into(),
            login: "ada".into(),
            emails: vec![
                email("b@example.com", true, false),
                email("A@example.com", true, true),
                email("\u{212a}@example.com", true, false),
                email("Admin@LocalHost", true, false),
            ],
        };
        assert_eq!(ada.verified(), ["A@example.com", "b@example.com"]);
        assert!(!ada.has_unverified());
        ada.emails.push(email("c@example.com", false, false));
        assert!(ada.has_unverified());
        assert_eq!(ada.verified().len(), 2);
    }
}
