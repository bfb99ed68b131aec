//! `ck8s whoami`: the caller as the server knows them, and their roles in projects.
use ck8s_proto::{
    auth::v1::{Person, WhoAmIRequest, WhoAmIResponse},
    policy::v1::{Caller, ProjectRole},
};

use crate::{
    GlobalOptions,
    client::ProjectSlugs,
    connection::Connection,
    error::{CliError, ExitStatus, ResponseExt as _},
    table::{TextTable, enum_label, key_values},
};

pub(crate) async fn run(options: &GlobalOptions) -> Result<ExitStatus, CliError> {
    let connection = Connection::open(options).await?;
    show(&connection).await?;
    Ok(ExitStatus::Success)
}

/// Asks the server who the caller is.
pub(super) async fn get(connection: &Connection) -> Result<WhoAmIResponse, CliError> {
    let request = connection.client.request(WhoAmIRequest {});
    let response = connection.client.auth().who_am_i(request).await;
    response.context("cannot say who you are")
}

/// Asks the server who the caller is, and prints it.
pub(super) async fn show(connection: &Connection) -> Result<(), CliError> {
    let response = get(connection).await?;
    let slugs = match &response.person {
        Some(person) if !person.memberships.is_empty() => {
            Some(connection.client.project_slugs().await)
        }
        _ => None,
    };
    connection.format.print_one(&response, || {
        describe(&response, &connection.url, slugs.as_ref())
    })
}

/// Returns the caller's name as a sentence.
///
/// # Errors
/// The caller is not a platform admin.
pub(super) async fn require_admin(connection: &Connection) -> Result<String, CliError> {
    let response = get(connection).await?;
    if response.caller() != Caller::Admin {
        return Err(CliError::new(
            ExitStatus::NotAllowed,
            "cannot use this caller",
            format!("{} is no platform admin", response.name),
            "use a platform admin's token",
        ));
    }
    Ok(format!("{} is a platform admin", response.name))
}

fn describe(response: &WhoAmIResponse, url: &str, slugs: Option<&ProjectSlugs>) -> String {
    let person = response.person.clone().unwrap_or_default();
    let kind = match enum_label(response.caller().as_str_name(), "CALLER") {
        kind if kind == "admin" => "platform admin".to_owned(),
        kind => kind,
    };
    let mut text = key_values(&[
        ("Name", response.name.clone()),
        ("Kind", kind),
        ("User", person.user_id.clone()),
        ("Server", url.to_owned()),
        ("Everywhere", role(person.everywhere())),
    ]);
    text.push_str(&projects(response.person.as_ref(), slugs));
    text
}

/// Formats a person's projects and roles.
fn projects(person: Option<&Person>, slugs: Option<&ProjectSlugs>) -> String {
    let Some(person) = person else {
        return String::new();
    };
    if person.memberships.is_empty() {
        let has_all = person.platform_admin || person.everywhere() != ProjectRole::Unspecified;
        return if has_all {
            String::new()
        } else {
            "\nmember of no project: ask a project's admin to add you\n".to_owned()
        };
    }
    let mut rows = TextTable::new(&["PROJECT", "ROLE"]);
    for membership in &person.memberships {
        let id = membership.project_id.as_str();
        let name = slugs.map_or(id, |slugs| slugs.get(id));
        rows.row([name.to_owned(), role(membership.role())]);
    }
    format!("\n{rows}")
}

/// Returns the name of a role.
fn role(role: ProjectRole) -> String {
    enum_label(role.as_str_name(), "PROJECT_ROLE")
}

#[cfg(test)]
mod tests {
    use ck8s_proto::auth::v1::Membership;

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
        let text = describe(&person(vec![member]), "http://h", None);
        assert_eq!(
            text,
            "Name        ada\nKind        person\nUser        u\nServer      http://h\n\nPROJECT  ROLE\np1       read write"
        );
    }

    #[test]
    fn a_person_without_a_project_is_told_what_helps() {
        assert!(describe(&person(vec![]), "http://h", None).contains("ask a project's admin"));
        let token = WhoAmIResponse {
            caller: Caller::Admin.into(),
            name: "ci".into(),
            person: None,
        };
        let text = describe(&token, "http://h", None);
        assert!(
            text.contains("platform admin") && !text.contains("member of"),
            "{text}"
        );
    }
}
