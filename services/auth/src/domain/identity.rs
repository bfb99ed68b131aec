//! Identities: what the provider tells about a person, and which of their addresses count.

/// The address of the user of one-time links. No provider can verify it.
pub(crate) const LOCAL_ADMIN_EMAIL: &str = "admin@localhost";

/// A person's account at the provider.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The account's id, which never changes.
    pub id: String,
    /// The account's name, which may belong to another account tomorrow.
    pub login: String,
    pub emails: Vec<Email>,
}

/// An address of an account.
#[derive(Clone, Debug)]
pub(crate) struct Email {
    pub address: String,
    /// The provider has verified that mail to it reaches the person.
    pub verified: bool,
    pub primary: bool,
}

impl Identity {
    /// Returns the addresses that count, the primary one first. They are verified, and consist of ASCII only: other
    /// alphabets have letters that equal an ASCII letter when case is ignored.
    pub(crate) fn verified_addresses(&self) -> Vec<&str> {
        let counts = |email: &&Email| {
            email.verified
                && email.address.is_ascii()
                && !email.address.eq_ignore_ascii_case(LOCAL_ADMIN_EMAIL)
        };
        let mut emails: Vec<&Email> = self.emails.iter().filter(counts).collect();
        emails.sort_by_key(|email| !email.primary);
        emails.iter().map(|email| email.address.as_str()).collect()
    }

    /// Reports whether verifying an address could help this person. It does not depend on the allow-list, so it tells
    /// nothing about it.
    pub(crate) fn has_unverified_address(&self) -> bool {
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
    fn only_verified_ascii_addresses_count() {
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
        assert_eq!(ada.verified_addresses(), ["A@example.com", "b@example.com"]);
        assert!(!ada.has_unverified_address());
        ada.emails.push(email("c@example.com", false, false));
        assert!(ada.has_unverified_address());
        assert_eq!(ada.verified_addresses().len(), 2);
    }
}
