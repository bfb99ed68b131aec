//! `ck8s whoami`: who the server takes us for, and what they may where.
use ck8s_proto::{
    auth::v1::{Person, WhoAmIRequest, WhoAmIResponse},
    policy::v1::ProjectRole,
};

use crate::{
    Global,
    client::Slugs,
    fault::{Answer, Exit, Fault},
    session::Session,
    table::{Rows, facts, word},
};

pub(crate) async fn run(global: &Global) -> Result<Exit, Fault> {
    let session = Session::open(global).await?;
    show(&session).await?;
    Ok(Exit::Done)
}

/// Asks the server.
pub(super) async fn ask(session: &Session) -> Result<WhoAmIResponse, Fault> {
    let request = session.client.ask(WhoAmIRequest {});
    let answer = session.client.auth().who_am_i(request).await;
    answer.or_say("cannot say who you are")
}

/// Asks, and shows the answer.
pub(super) async fn show(session: &Session) -> Result<(), Fault> {
    let answer = ask(session).await?;
    let slugs = match &answer.person {
        Some(person) if !person.memberships.is_empty() => Some(session.client.slugs().await),
        _ => None,
    };
    session
        .format
        .one(&answer, || about(&answer, &session.url, slugs.as_ref()))
}

fn about(answer: &WhoAmIResponse, url: &str, slugs: Option<&Slugs>) -> String {
    let person = answer.person.clone().unwrap_or_default();
    let kind = match word(answer.caller().as_str_name(), "CALLER") {
        kind if kind == "admin" => "platform admin".to_owned(),
        kind => kind,
    };
    let mut text = facts(&[
        ("Name", answer.name.clone()),
        ("Kind", kind),
        ("User", person.user_id.clone()),
        ("Server", url.to_owned()),
        ("Everywhere", role(person.everywhere())),
    ]);
    text.push_str(&projects(answer.person.as_ref(), slugs));
    text
}

/// A person's projects and roles.
fn projects(person: Option<&Person>, slugs: Option<&Slugs>) -> String {
    let Some(person) = person else {
        return String::new();
    };
    if person.memberships.is_empty() {
        let all = person.platform_admin || person.everywhere() != ProjectRole::Unspecified;
        return if all {
            String::new()
        } else {
            "\nmember of no project: ask a project's admin to add you\n".to_owned()
        };
    }
    let mut rows = Rows::new(&["PROJECT", "ROLE"]);
    for membership in &person.memberships {
        let id = membership.project_id.as_str();
        let name = slugs.map_or(id, |slugs| slugs.of(id));
        rows.row([name.to_owned(), role(membership.role())]);
    }
    format!("\n{rows}")
}

fn role(role: ProjectRole) -> String {
    word(role.as_str_name(), "PROJECT_ROLE")
}

#[cfg(test)]
mod tests {
    use ck8s_proto::{auth::v1::Membership, policy::v1::Caller};

    use super::*;

    fn person(memberships: Vec<Membership>) -> WhoAmIResponse {
        WhoAmIResponse {
            caller: Caller::Person.into(),
            name: "ada".into(),
            person: Some(Person {
                user_id: "u".into(),
                name: "ada".into(),
                memberships,
                ..Default::default()
            }),
        }
    }

    #[test]
    fn a_persons_projects_and_roles_are_shown() {
        let member = Membership {
            project_id: "p1".into(),
            role: ProjectRole::ReadWrite.into(),
        };
        let text = about(&person(vec![member]), "http://h", None);
        assert_eq!(
            text,
            "Name        ada\nKind        person\nUser        u\nServer      http://h\n\nPROJECT  ROLE\np1       read write"
        );
    }

    #[test]
    fn who_is_member_of_nothing_is_told_what_helps() {
        assert!(about(&person(vec![]), "http://h", None).contains("ask a project's admin"));
        let token = WhoAmIResponse {
            caller: Caller::Admin.into(),
            name: "ci".into(),
            person: None,
        };
        let text = about(&token, "http://h", None);
        assert!(
            text.contains("platform admin") && !text.contains("member of"),
            "{text}"
        );
    }
}
