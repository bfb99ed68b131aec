//! Which trigger a delivery matches, or, in words, what was closest.
use super::{
    payload::{Payload, Subject},
    run::{self, Wanted},
    trigger::Trigger,
};

/// Whose comments may trigger: those who can write.
const WRITERS: [&str; 3] = ["OWNER", "MEMBER", "COLLABORATOR"];
/// More characters than people read; it lies in the delivery's row.
const LONGEST_REASON: usize = 500;

/// A delivery, as triggers see it.
#[derive(Clone, Copy)]
pub(crate) struct Happening<'a> {
    pub(crate) event: &'a str,
    pub(crate) payload: &'a Payload<'a>,
    /// owner/name.
    pub(crate) repository: &'a str,
    /// Its provider is asked later who may write: what the payload says of that does not count.
    pub(crate) asked_later: bool,
}

/// What a delivery leads to.
#[derive(Debug)]
pub(crate) enum Decision {
    /// A run.
    Run(Box<Wanted>),
    /// None, and why.
    Ignored(String),
}

/// Why a trigger does not match; ordered by how close it was.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Miss {
    Event,
    Action(String),
    Label(String),
    Comment(String),
    Branch(String),
    Path(String),
    Refused(String),
}

impl Miss {
    const fn rank(&self) -> u8 {
        match self {
            Self::Event => 0,
            Self::Action(_) => 1,
            Self::Label(_) => 2,
            Self::Comment(_) => 3,
            Self::Branch(_) => 4,
            Self::Path(_) => 5,
            Self::Refused(_) => 6,
        }
    }

    fn into_words(self) -> Option<String> {
        match self {
            Self::Event => None,
            Self::Action(words)
            | Self::Label(words)
            | Self::Comment(words)
            | Self::Branch(words)
            | Self::Path(words)
            | Self::Refused(words) => Some(words),
        }
    }
}

/// The first trigger that matches wins.
pub(crate) fn decide(triggers: &[Trigger], happening: Happening<'_>) -> Decision {
    let mut closest: Option<(&Trigger, Miss)> = None;
    for trigger in triggers {
        match miss(trigger, happening) {
            None => return start(trigger, happening),
            Some(miss) => {
                if closest.as_ref().is_none_or(|(_, c)| miss.rank() > c.rank()) {
                    closest = Some((trigger, miss));
                }
            }
        }
    }
    let event = happening.event;
    let reason = match closest.and_then(|(t, miss)| Some((t, miss.into_words()?))) {
        Some((trigger, words)) => format!("trigger {:?} {words}", trigger.name),
        None if triggers.is_empty() => "the repository has no triggers".to_owned(),
        None => format!("no trigger for event {event:?}"),
    };
    Decision::Ignored(run::clean(&reason, LONGEST_REASON))
}

fn start(trigger: &Trigger, happening: Happening<'_>) -> Decision {
    match &trigger.spec {
        Ok(spec) => Decision::Run(Box::new(run::wanted(trigger, spec, happening))),
        Err(fault) => {
            let reason = format!("trigger {:?} cannot run: {fault}", trigger.name);
            Decision::Ignored(run::clean(&reason, LONGEST_REASON))
        }
    }
}

fn miss(trigger: &Trigger, happening: Happening<'_>) -> Option<Miss> {
    if trigger.event != happening.event {
        return Some(Miss::Event);
    }
    action(trigger, happening.payload)
        .or_else(|| label(trigger, happening.payload))
        .or_else(|| comment(trigger, happening.payload))
        .or_else(|| branch(trigger, happening))
        .or_else(|| path(trigger, happening))
        .or_else(|| refused(trigger, happening))
}

fn action(trigger: &Trigger, payload: &Payload<'_>) -> Option<Miss> {
    let got = payload.action.as_str();
    let by_default = ["created"].map(str::to_owned);
    // A command is given once: editing or deleting its comment does not give it again, unless that is asked for.
    let wanted: &[String] = match trigger.actions.as_slice() {
        [] if trigger.comment.is_empty() => return None,
        [] => &by_default,
        actions => actions,
    };
    (!wanted.iter().any(|action| action == got))
        .then(|| Miss::Action(format!("wants action {}, got {}", any_of(wanted), one(got))))
}

fn label(trigger: &Trigger, payload: &Payload<'_>) -> Option<Miss> {
    if trigger.labels.is_empty() {
        return None;
    }
    let wanted = |name: &str| trigger.labels.iter().any(|label| label == name);
    let got: Vec<&str> = match &payload.label.0 {
        // What was taken away is not there any more; a trigger that names the action means just that.
        Some(_) if payload.action.as_str() == "unlabeled" && trigger.actions.is_empty() => {
            Vec::new()
        }
        Some(label) => vec![label.name.as_str()],
        None => subject(payload)
            .map(|s| {
                s.labels
                    .0
                    .iter()
                    .filter_map(|l| Some(l.0.as_ref()?.name.as_str()))
                    .collect()
            })
            .unwrap_or_default(),
    };
    if got.iter().any(|name| wanted(name)) {
        return None;
    }
    let got = match got.as_slice() {
        [] => "none".to_owned(),
        names => any_of(&names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>()),
    };
    Some(Miss::Label(format!(
        "wants label {}, got {got}",
        any_of(&trigger.labels)
    )))
}

fn comment(trigger: &Trigger, payload: &Payload<'_>) -> Option<Miss> {
    if trigger.comment.is_empty() {
        return None;
    }
    let body = payload.comment.0.as_ref().map_or("", |c| c.body.as_str());
    (body.split_whitespace().next() != Some(trigger.comment.as_str())).then(|| {
        Miss::Comment(format!(
            "wants a comment that starts with {:?}",
            trigger.comment
        ))
    })
}

fn branch(trigger: &Trigger, happening: Happening<'_>) -> Option<Miss> {
    let payload = happening.payload;
    if happening.event == "push" && payload.deleted.0 {
        let gone = payload.git_ref.as_str();
        return Some(Miss::Branch(format!(
            "has nothing to run on: {} was deleted",
            one(gone)
        )));
    }
    if trigger.branches.is_empty() {
        return None;
    }
    let wants = || any_of(&trigger.branches.words());
    match branch_of(happening) {
        None => Some(Miss::Branch(format!(
            "wants branch {}, the delivery has none",
            wants()
        ))),
        Some(branch) => (!trigger.branches.fit(branch))
            .then(|| Miss::Branch(format!("wants branch {}, got {}", wants(), one(branch)))),
    }
}

fn path(trigger: &Trigger, happening: Happening<'_>) -> Option<Miss> {
    if trigger.paths.is_empty() {
        return None;
    }
    let mut files = 0_usize;
    for commit in happening
        .payload
        .commits
        .0
        .iter()
        .filter_map(|c| c.0.as_ref())
    {
        for list in [&commit.added, &commit.modified, &commit.removed] {
            files += list.0.len();
            if list.0.iter().any(|file| trigger.paths.fit(file.as_str())) {
                return None;
            }
        }
    }
    let wants = any_of(&trigger.paths.words());
    Some(Miss::Path(format!(
        "wants a changed file in {wants}, none of {files} fits"
    )))
}

/// A bot did it.
pub(super) fn is_bot(payload: &Payload<'_>) -> bool {
    let kind = payload
        .sender
        .0
        .as_ref()
        .map_or("", |user| user.kind.as_str());
    kind == "Bot" || payload.sender_login().ends_with("[bot]")
}

fn refused(trigger: &Trigger, happening: Happening<'_>) -> Option<Miss> {
    let payload = happening.payload;
    let login = payload.sender_login();
    if !trigger.allow_bots && is_bot(payload) {
        return Some(Miss::Refused(format!(
            "does not allow bots, and {} is one",
            one(login)
        )));
    }
    if happening.asked_later {
        return None;
    }
    let association = match (&payload.comment.0, subject(payload)) {
        (Some(comment), _) => comment.author_association.as_str(),
        // Anybody may open an issue or a pull request: what its author does to it needs write access too. Labels and the like set by
        // others need it at GitHub already.
        (None, Some(subject)) if is_author(subject, login) => {
            match subject.author_association.as_str() {
                "" => return None,
                association => association,
            }
        }
        _ => return None,
    };
    (!WRITERS.contains(&association)).then(|| {
        Miss::Refused(format!(
            "needs write access: {} is {}",
            one(login),
            one(association)
        ))
    })
}

fn is_author(subject: &Subject<'_>, login: &str) -> bool {
    subject
        .user
        .0
        .as_ref()
        .is_some_and(|author| author.login.as_str() == login)
}

/// The pull request or the issue.
pub(super) fn subject<'a>(payload: &'a Payload<'a>) -> Option<&'a Subject<'a>> {
    payload.pull_request.0.as_ref().or(payload.issue.0.as_ref())
}

/// The branch that was pushed to, or that a pull request goes to.
pub(super) fn branch_of(happening: Happening<'_>) -> Option<&str> {
    if happening.event == "push" {
        return happening
            .payload
            .git_ref
            .as_str()
            .strip_prefix("refs/heads/");
    }
    let base = happening.payload.pull_request.0.as_ref()?.base.0.as_ref()?;
    Some(base.name.as_str()).filter(|name| !name.is_empty())
}

fn one(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        format!("{text:?}")
    }
}

fn any_of(texts: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut words: Vec<String> = texts
        .iter()
        .take(SHOWN)
        .map(|text| format!("{text:?}"))
        .collect();
    if texts.len() > SHOWN {
        words.push(format!("{} more", texts.len() - SHOWN));
    }
    words.join(" or ")
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
