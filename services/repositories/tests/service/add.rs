//! AddRepository and GetRepository.
use ck8s_proto::repositories::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::world::{SERVICES, World, refusal};

type Spoil = fn(&mut pb::AddRepositoryRequest);

#[tokio::test]
async fn a_repository_is_added_with_a_random_secret_that_is_shown_once() {
    let mut w = World::new().await;
    let request = w.app();
    let answer = w.add(request.clone()).await;
    let repository = answer.repository.expect("a repository");
    assert_eq!(answer.webhook_secret.len(), 64);
    assert_eq!(repository.project_id, w.project.id);
    assert_eq!(repository.full_name, "acme/app");
    assert_eq!(repository.external_id, "1");
    assert_eq!(repository.default_branch, "main");
    assert_eq!(repository.services_text, SERVICES);
    assert_eq!(repository.provider(), pb::Provider::Github);
    let triggers = &repository.services.as_ref().expect("services").triggers;
    assert_eq!(
        triggers[0].spec.as_ref().expect("a spec").command,
        ["/bin/sh", "-c", "x"]
    );
    assert_eq!(w.secrets_of("1").await, [answer.webhook_secret]);

    for name in [repository.id.as_str(), "acme/app", "ACME/App"] {
        let request = pb::GetRepositoryRequest {
            repository: name.into(),
            project_ids: Vec::new(),
        };
        let got = w.admin.get_repository(request.clone()).await.expect(name);
        assert_eq!(got.into_inner().repository.as_ref(), Some(&repository));
        let got = w.runs.get_repository(request).await.expect(name);
        assert_eq!(got.into_inner().repository.as_ref(), Some(&repository));
    }

    let again = w.add(request).await;
    assert_eq!(again.repository, Some(repository));
    assert_eq!(again.webhook_secret, "", "a repeat never shows it");
    let events = w.events().await;
    assert_eq!(events.len(), 1);
    let (kind, actor, message, data) = &events[0];
    assert_eq!(kind, "repository.added");
    assert!(actor.starts_with("token:"), "{actor}");
    assert_eq!(message, "repository acme/app added");
    assert_eq!(data["full_name"], "acme/app");
}

#[tokio::test]
async fn a_chosen_secret_and_the_id_of_a_project_are_accepted() {
    let mut w = World::new().await;
    let mut request = w.app();
    request.project = w.other_project.id.clone();
    request.webhook_secret = "correct horse battery".into();
    request.default_branch = "trunk".into();
    request.services_text = String::new();
    let answer = w.add(request).await;
    assert_eq!(answer.webhook_secret, "correct horse battery");
    let repository = answer.repository.expect("a repository");
    assert_eq!(repository.project_id, w.other_project.id);
    assert_eq!(repository.default_branch, "trunk");
    assert_eq!(repository.services, Some(pb::Services::default()));
    assert_eq!(w.secrets_of("1").await, ["correct horse battery"]);
}

#[tokio::test]
async fn a_repository_that_exists_is_refused_with_what_exists() {
    let mut w = World::new().await;
    let first = w.app();
    w.add(first).await;
    let mut same_id = w.app();
    same_id.full_name = "acme/other".into();
    assert_eq!(
        refusal(w.admin.add_repository(same_id).await),
        (
            Code::AlreadyExists,
            "REPOSITORY_EXISTS".into(),
            "a repository with external_id \"1\" exists".into()
        )
    );
    let mut same_name = w.app();
    same_name.external_id = "2".into();
    same_name.full_name = "Acme/APP".into();
    assert_eq!(
        refusal(w.admin.add_repository(same_name).await),
        (
            Code::AlreadyExists,
            "REPOSITORY_EXISTS".into(),
            "a repository named \"Acme/APP\" exists".into()
        )
    );
    assert_eq!(w.kinds().await, ["repository.added"]);
}

#[tokio::test]
async fn bad_fields_are_named_and_nothing_is_stored() {
    let mut w = World::new().await;
    let bad: [(&str, Spoil); 8] = [
        ("request_id: not a valid request id", |r| {
            r.request_id = "x".into();
        }),
        ("project: must name a project", |r| {
            r.project = String::new();
        }),
        ("full_name: must be owner/name", |r| {
            r.full_name = "acme".into();
        }),
        ("external_id: must be GitHub's numeric repository id", |r| {
            r.external_id = "x".into();
        }),
        ("default_branch: is no branch's name", |r| {
            r.default_branch = "a b".into();
        }),
        ("webhook_secret: must have at least 16 characters", |r| {
            r.webhook_secret = "hushhush".into();
        }),
        ("services_text: line 1: version is missing", |r| {
            r.services_text = "triggers: []".into();
        }),
        (
            "services_text: line 2: unknown key \"x\" (known: version, defaults, environments, triggers)",
            |r| {
                r.services_text = "version: 1\nx: 1".into();
            },
        ),
    ];
    for (says, spoil) in bad {
        let mut request = w.app();
        spoil(&mut request);
        assert_eq!(
            refusal(w.admin.add_repository(request).await),
            (Code::InvalidArgument, "INVALID_FIELD".into(), says.into())
        );
    }
    let mut request = w.app();
    request.project = "nope".into();
    let (code, reason, _) = refusal(w.admin.add_repository(request).await);
    assert_eq!(
        (code, reason.as_str()),
        (Code::NotFound, "PROJECT_NOT_FOUND")
    );
    assert!(w.resolve(&["1"]).await.is_empty());
    assert!(w.events().await.is_empty());
}

#[tokio::test]
async fn a_request_id_belongs_to_one_call_and_concurrent_repeats_add_one_repository() {
    let mut w = World::new().await;
    let request = w.app();
    let calls = (0..8).map(|_| {
        let (mut admin, request) = (w.admin.clone(), request.clone());
        tokio::spawn(async move { admin.add_repository(request).await })
    });
    let mut shown = 0;
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.expect("joins").expect("is added").into_inner();
        shown += usize::from(!answer.webhook_secret.is_empty());
    }
    assert_eq!(shown, 1);
    let remove = pb::RemoveRepositoryRequest {
        request_id: request.request_id,
        repository: "acme/app".into(),
    };
    let (code, reason, message) = refusal(w.admin.remove_repository(remove).await);
    assert_eq!(code, Code::InvalidArgument);
    assert_eq!(reason, "REQUEST_ID_REUSED");
    assert!(
        message.contains("was used for another request"),
        "{message}"
    );
    assert_eq!(w.kinds().await, ["repository.added"]);
}

#[tokio::test]
async fn only_callers_that_the_contract_names_are_let_in() {
    let mut w = World::new().await;
    let request = w.app();
    assert_eq!(
        refusal(w.ingress.add_repository(request).await).0,
        Code::PermissionDenied
    );
    let open = pb::OpenSecretsRequest {
        repository_id: Uuid::now_v7().to_string(),
        names: vec![],
        origin: None,
    };
    assert_eq!(
        refusal(w.admin.open_secrets(open.clone()).await).0,
        Code::PermissionDenied
    );
    assert_eq!(
        refusal(w.ingress.open_secrets(open).await).0,
        Code::PermissionDenied
    );
    let resolve = pb::ResolveRepositoriesRequest::default();
    assert_eq!(
        refusal(w.admin.resolve_repositories(resolve.clone()).await).0,
        Code::PermissionDenied
    );
    assert_eq!(
        refusal(w.runs.resolve_repositories(resolve).await).0,
        Code::PermissionDenied
    );
    let missing = pb::GetRepositoryRequest {
        repository: "acme/none".into(),
        project_ids: Vec::new(),
    };
    let (code, reason, message) = refusal(w.admin.get_repository(missing).await);
    assert_eq!(
        (code, reason.as_str()),
        (Code::NotFound, "REPOSITORY_NOT_FOUND")
    );
    assert_eq!(message, "no repository \"acme/none\"");
}
