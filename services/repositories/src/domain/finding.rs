//! What a check of a repository found.

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Ok,
    Wrong,
    /// The provider did not say.
    Unknown,
}

/// One thing that was checked, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was checked: token, permissions, hook, delivery, services_yaml, rate_limit.
    pub subject: &'static str,
    pub standing: Standing,
    pub message: String,
    /// What to do about it; empty: nothing.
    pub remedy: String,
}

impl Finding {
    /// Something that is as it should be.
    pub(crate) fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(subject, Standing::Ok, message)
    }

    /// Something that nobody could say.
    pub(crate) fn unknown(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(subject, Standing::Unknown, message)
    }

    /// Something that is not as it should be, and what helps.
    pub(crate) fn wrong(
        subject: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(subject, Standing::Wrong, message).with_remedy(remedy)
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    fn new(subject: &'static str, standing: Standing, message: impl Into<String>) -> Self {
        Self {
            subject,
            standing,
            message: message.into(),
            remedy: String::new(),
        }
    }
}
