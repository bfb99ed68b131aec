//! The request for each method: it names real objects and can be sent again and again.
use ck8s_proto::{
    auth::v1 as auth, ingress::v1 as ingress, repositories::v1 as repositories, runs::v1 as runs,
};
use ck8s_tests::{Fleet, Webhook, labeled, new_id, script, until};
use prost::Message;
use tonic::Code;

/// A services.yaml whose trigger matches no delivery here.
const SERVICES: &str = "version: 1\ntriggers: [{name: a, on: {event: push}, run: {command: x}}]\n";

/// Each method of the contract, and its status for a caller who may call it and reaches the object; none if its handler
/// decides.
pub(crate) const METHODS: &[(&str, Option<Code>)] = &[
    ("/ck8s.auth.v1.AuthService/Authenticate", None),
    ("/ck8s.auth.v1.AuthService/RecordDenial", None),
    ("/ck8s.auth.v1.AuthService/WhoAmI", Some(Code::Ok)),
    ("/ck8s.auth.v1.AuthService/RedeemLink", None),
    ("/ck8s.auth.v1.AuthService/StartSignIn", None),
    ("/ck8s.auth.v1.AuthService/FinishSignIn", None),
    ("/ck8s.auth.v1.AuthService/StartDeviceSignIn", None),
    ("/ck8s.auth.v1.AuthService/PollDeviceSignIn", None),
    ("/ck8s.auth.v1.AuthService/RefreshSession", None),
    ("/ck8s.auth.v1.AuthService/SignOut", None),
    ("/ck8s.auth.v1.AuthService/ListSigningKeys", None),
    ("/ck8s.auth.v1.AuthService/RotateSigningKey", None),
    ("/ck8s.auth.v1.AuthService/Reseal", Some(Code::Ok)),
    ("/ck8s.auth.v1.AuthService/ListUsers", Some(Code::Ok)),
    (
        "/ck8s.auth.v1.AuthService/AddUser",
        Some(Code::InvalidArgument),
    ),
    (
        "/ck8s.auth.v1.AuthService/UpdateUser",
        Some(Code::InvalidArgument),
    ),
    ("/ck8s.auth.v1.AuthService/RemoveUser", Some(Code::NotFound)),
    (
        "/ck8s.auth.v1.AuthService/CreateToken",
        Some(Code::InvalidArgument),
    ),
    ("/ck8s.auth.v1.AuthService/ListTokens", Some(Code::Ok)),
    (
        "/ck8s.auth.v1.AuthService/RevokeToken",
        Some(Code::NotFound),
    ),
    ("/ck8s.auth.v1.AuthService/JoinWorker", None),
    ("/ck8s.auth.v1.AuthService/RenewWorkerCertificate", None),
    ("/ck8s.auth.v1.ProjectsService/ListProjects", Some(Code::Ok)),
    ("/ck8s.auth.v1.ProjectsService/GetProject", Some(Code::Ok)),
    (
        "/ck8s.auth.v1.ProjectsService/CreateProject",
        Some(Code::InvalidArgument),
    ),
    (
        "/ck8s.auth.v1.ProjectsService/UpdateProject",
        Some(Code::Ok),
    ),
    (
        "/ck8s.auth.v1.ProjectsService/DeleteProject",
        Some(Code::InvalidArgument),
    ),
    ("/ck8s.auth.v1.ProjectsService/ListMembers", Some(Code::Ok)),
    (
        "/ck8s.auth.v1.ProjectsService/AddMember",
        Some(Code::NotFound),
    ),
    (
        "/ck8s.auth.v1.ProjectsService/UpdateMember",
        Some(Code::NotFound),
    ),
    (
        "/ck8s.auth.v1.ProjectsService/RemoveMember",
        Some(Code::NotFound),
    ),
    ("/ck8s.ingress.v1.IngressService/IngestWebhook", None),
    (
        "/ck8s.ingress.v1.IngressService/ListDeliveries",
        Some(Code::Ok),
    ),
    (
        "/ck8s.ingress.v1.IngressService/GetDelivery",
        Some(Code::Ok),
    ),
    (
        "/ck8s.ingress.v1.IngressService/ReplayDelivery",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/ListRepositories",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/GetRepository",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/Reseal",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/AddRepository",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/UpdateRepository",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/RemoveRepository",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/RotateWebhookSecret",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/RotateCredential",
        None,
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/CheckRepository",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/MendRepository",
        Some(Code::FailedPrecondition),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/SetSecret",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/SetProjectSecret",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/ListProjectSecrets",
        Some(Code::Ok),
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/ResolveRepositories",
        None,
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/ListScheduledRepositories",
        None,
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/NoteDelivery",
        None,
    ),
    ("/ck8s.repositories.v1.RepositoriesService/MayWrite", None),
    (
        "/ck8s.repositories.v1.RepositoriesService/ListHookDeliveries",
        None,
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/RedeliverHookDeliveries",
        None,
    ),
    (
        "/ck8s.repositories.v1.RepositoriesService/OpenSecrets",
        None,
    ),
    ("/ck8s.runs.v1.LeaseService/Lease", None),
    ("/ck8s.runs.v1.LeaseService/AppendLog", None),
    ("/ck8s.runs.v1.LeaseService/OpenRunSecrets", None),
    ("/ck8s.runs.v1.LeaseService/FilterSweepable", None),
    ("/ck8s.runs.v1.RunsService/ListRuns", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/GetRun", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/CreateRuns", None),
    ("/ck8s.runs.v1.RunsService/StartRun", Some(Code::Ok)),
    (
        "/ck8s.runs.v1.RunsService/CancelRun",
        Some(Code::FailedPrecondition),
    ),
    ("/ck8s.runs.v1.RunsService/RetryRun", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/ExplainRun", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/WatchRuns", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/ListFlowEvents", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/ReadLog", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/ListSlots", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/SetSlots", Some(Code::Ok)),
    (
        "/ck8s.runs.v1.RunsService/ReleaseSlot",
        Some(Code::FailedPrecondition),
    ),
    ("/ck8s.runs.v1.RunsService/ListWorkers", Some(Code::Ok)),
    (
        "/ck8s.runs.v1.RunsService/DrainWorker",
        Some(Code::NotFound),
    ),
    ("/ck8s.runs.v1.RunsService/AuthenticateRun", None),
];

/// The object that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// An object of the project in which the callers have their roles.
    Own,
    /// An object of another project.
    Others,
    /// An object that does not exist.
    None,
}

/// The ids of a project and of what is in it.
pub(crate) struct Place {
    pub project: String,
    repository: String,
    /// A run that waits for a worker; there is none.
    pub live_run: String,
    ended_run: String,
    delivery: String,
}

/// Everything that requests name.
pub(crate) struct Places {
    pub own: Place,
    pub others: Place,
    /// A project in which some callers have a role.
    pub elsewhere: String,
    /// Another run of the own project.
    pub other_live_run: String,
}

impl Places {
    pub(crate) async fn make(fleet: &Fleet) -> Self {
        let own = place(fleet, "own", 71).await;
        let other = fleet.admin.start(&own.project, script("true")).await;
        Self {
            others: place(fleet, "others", 72).await,
            elsewhere: fleet.admin.project("elsewhere", 1).await,
            other_live_run: other.id,
            own,
        }
    }
}

async fn place(fleet: &Fleet, slug: &str, external_id: i64) -> Place {
    let api = &fleet.admin;
    let project = api.project(slug, 4).await;
    let name = format!("acme/{slug}");
    let (repository, secret) = api.repository(&project, &name, external_id, SERVICES).await;
    let live = api.start(&project, script("true")).await;
    let ended = api.start(&project, script("true")).await;
    api.cancel(&ended.id).await.expect("is canceled");
    let body = labeled(external_id, &name, 1, "nothing").to_string();
    let webhook = Webhook::new("issues", body.into_bytes(), &secret);
    let sent = webhook.send_to(&fleet.edge(0)).await.expect("is sent");
    assert_eq!(sent.status, 202, "{}", sent.text);
    let delivery = until("the delivery is there", async || {
        let mut all = api.all_deliveries().await.into_iter();
        all.find(|d| d.delivery_id == webhook.delivery())
    })
    .await;
    assert_eq!(delivery.project_id, project);
    Place {
        project,
        repository: repository.id,
        live_run: live.id,
        ended_run: ended.id,
        delivery: delivery.id,
    }
}

/// A request.
pub(crate) struct TestRequest {
    pub bytes: Vec<u8>,
    /// The kind of object that it names; empty if it names none.
    pub kind: &'static str,
    /// The name in it.
    pub names: String,
    /// The status for a caller who may call; none if the handler decides.
    pub answer: Option<Code>,
}

/// Returns whether a method's requests can name an object of a project.
pub(crate) fn names_an_object(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    !kind_of(name, Object::Others).is_empty()
}

fn kind_of(name: &str, object: Object) -> &'static str {
    match name {
        "ListRuns" | "ListSlots" | "ListRepositories" | "ListDeliveries" => match object {
            Object::Own => "",
            Object::Others | Object::None => "project",
        },
        "GetProject" | "UpdateProject" | "ListMembers" | "AddMember" | "UpdateMember"
        | "RemoveMember" | "CreateToken" | "WatchRuns" | "SetSlots" | "ReleaseSlot"
        | "StartRun" | "AddRepository" | "SetProjectSecret" | "ListProjectSecrets" => "project",
        "GetRun" | "CancelRun" | "RetryRun" | "ExplainRun" | "ListFlowEvents" | "ReadLog" => "run",
        "GetRepository"
        | "UpdateRepository"
        | "RemoveRepository"
        | "RotateCredential"
        | "CheckRepository"
        | "MendRepository"
        | "RotateWebhookSecret"
        | "SetSecret" => "repository",
        "GetDelivery" | "ReplayDelivery" => "delivery",
        _ => "",
    }
}

/// Returns the request of a method that names such an object.
pub(crate) async fn request(
    fleet: &Fleet,
    places: &Places,
    path: &str,
    object: Object,
) -> TestRequest {
    let name = path.rsplit('/').next().unwrap_or_default();
    let kind = kind_of(name, object);
    let place = match object {
        Object::Others => &places.others,
        Object::Own | Object::None => &places.own,
    };
    let names = match (object, kind) {
        (Object::None, _) => new_id(),
        (_, "project") => place.project.clone(),
        (_, "run") if matches!(name, "CancelRun" | "RetryRun") => place.ended_run.clone(),
        (_, "run") => place.live_run.clone(),
        (_, "repository") if name == "RemoveRepository" => passing(fleet, &place.project).await,
        (_, "repository") => place.repository.clone(),
        (_, "delivery") => place.delivery.clone(),
        _ => String::new(),
    };
    let found = METHODS.iter().find(|(method, _)| *method == path);
    TestRequest {
        bytes: bytes(name, &names),
        kind,
        names,
        answer: found.expect("it is in the table").1,
    }
}

/// Adds a repository that may be removed.
async fn passing(fleet: &Fleet, project: &str) -> String {
    let (name, external_id) = any_repository();
    let external_id = external_id.parse().expect("a number");
    let added = fleet
        .admin
        .repository(project, &name, external_id, SERVICES);
    added.await.0.id
}

fn any_repository() -> (String, String) {
    let id: u32 = rand::random();
    (
        format!("acme/r{}", new_id()),
        format!("{}", u64::from(id) + 1000),
    )
}

fn bytes(method: &str, names: &str) -> Vec<u8> {
    auth_bytes(method, names)
        .or_else(|| repositories_bytes(method, names))
        .or_else(|| runs_bytes(method, names))
        .unwrap_or_default()
}

fn auth_bytes(method: &str, names: &str) -> Option<Vec<u8>> {
    let (project, request_id) = (names.to_owned(), new_id());
    let user = "nobody@example.com".to_owned();
    let role = ck8s_proto::policy::v1::ProjectRole::Read.into();
    Some(match method {
        "GetProject" => auth::GetProjectRequest { project }.encode_to_vec(),
        "UpdateProject" => auth::UpdateProjectRequest {
            request_id,
            project,
            name: "Renamed".to_owned(),
            etag: String::new(),
        }
        .encode_to_vec(),
        "DeleteProject" => auth::DeleteProjectRequest {
            project: "own".to_owned(),
            confirm_slug: "other".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "ListMembers" => auth::ListMembersRequest {
            project,
            ..Default::default()
        }
        .encode_to_vec(),
        "AddMember" => auth::AddMemberRequest {
            request_id,
            project,
            user,
            role,
        }
        .encode_to_vec(),
        "UpdateMember" => auth::UpdateMemberRequest {
            request_id,
            project,
            user,
            role,
        }
        .encode_to_vec(),
        "RemoveMember" => auth::RemoveMemberRequest {
            request_id,
            project,
            user,
        }
        .encode_to_vec(),
        "CreateToken" => auth::CreateTokenRequest {
            project,
            ..Default::default()
        }
        .encode_to_vec(),
        "RemoveUser" => auth::RemoveUserRequest { request_id, user }.encode_to_vec(),
        "RevokeToken" => auth::RevokeTokenRequest {
            request_id,
            token: "no such token".to_owned(),
        }
        .encode_to_vec(),
        _ => return None,
    })
}

fn repositories_bytes(method: &str, names: &str) -> Option<Vec<u8>> {
    let (repository, request_id) = (names.to_owned(), new_id());
    Some(match method {
        "ListRepositories" => repositories::ListRepositoriesRequest {
            project: names.to_owned(),
            page_size: 200,
            ..Default::default()
        }
        .encode_to_vec(),
        "GetRepository" => repositories::GetRepositoryRequest {
            repository,
            project_ids: Vec::new(),
        }
        .encode_to_vec(),
        "AddRepository" => {
            let (full_name, external_id) = any_repository();
            repositories::AddRepositoryRequest {
                request_id,
                project: names.to_owned(),
                full_name,
                external_id,
                services_text: SERVICES.to_owned(),
                ..Default::default()
            }
            .encode_to_vec()
        }
        "UpdateRepository" => repositories::UpdateRepositoryRequest {
            request_id,
            repository,
            default_branch: "main".to_owned(),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["default_branch".to_owned()],
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "RemoveRepository" => repositories::RemoveRepositoryRequest {
            request_id,
            repository,
        }
        .encode_to_vec(),
        "RotateWebhookSecret" => repositories::RotateWebhookSecretRequest {
            request_id,
            repository,
            ..Default::default()
        }
        .encode_to_vec(),
        "RotateCredential" => repositories::RotateCredentialRequest {
            request_id,
            repository,
            credential: Some(repositories::rotate_credential_request::Credential::Token(
                "nobody's".to_owned(),
            )),
        }
        .encode_to_vec(),
        "CheckRepository" => repositories::CheckRepositoryRequest { repository }.encode_to_vec(),
        "MendRepository" => repositories::MendRepositoryRequest {
            request_id,
            repository,
        }
        .encode_to_vec(),
        "SetProjectSecret" => repositories::SetProjectSecretRequest {
            request_id,
            project: names.to_owned(),
            name: "API_KEY".to_owned(),
            value: "hush".to_owned(),
        }
        .encode_to_vec(),
        "ListProjectSecrets" => repositories::ListProjectSecretsRequest {
            project: names.to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "SetSecret" => repositories::SetSecretRequest {
            request_id,
            repository,
            name: "TOKEN".to_owned(),
            value: "of no use".to_owned(),
            binding: None,
        }
        .encode_to_vec(),
        _ => return None,
    })
}

fn runs_bytes(method: &str, names: &str) -> Option<Vec<u8>> {
    let (run_id, project_id, request_id) = (names.to_owned(), names.to_owned(), new_id());
    Some(match method {
        "ListRuns" => runs::ListRunsRequest {
            project_id,
            page_size: 200,
            ..Default::default()
        }
        .encode_to_vec(),
        "GetRun" => runs::GetRunRequest { run_id }.encode_to_vec(),
        "StartRun" => runs::StartRunRequest {
            request_id,
            project: names.to_owned(),
            spec: Some(script("true")),
            ..Default::default()
        }
        .encode_to_vec(),
        "CancelRun" => runs::CancelRunRequest {
            request_id,
            run_id,
            message: String::new(),
        }
        .encode_to_vec(),
        "RetryRun" => runs::RetryRunRequest { request_id, run_id }.encode_to_vec(),
        "ExplainRun" => runs::ExplainRunRequest { run_id }.encode_to_vec(),
        "WatchRuns" => runs::WatchRunsRequest {
            project_id,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListFlowEvents" => runs::ListFlowEventsRequest {
            run_id,
            ..Default::default()
        }
        .encode_to_vec(),
        "ReadLog" => runs::ReadLogRequest {
            run_id,
            ..Default::default()
        }
        .encode_to_vec(),
        "ListSlots" => runs::ListSlotsRequest {
            project: names.to_owned(),
            page_size: 200,
            ..Default::default()
        }
        .encode_to_vec(),
        "SetSlots" => runs::SetSlotsRequest {
            request_id,
            project: names.to_owned(),
            slots: 4,
        }
        .encode_to_vec(),
        "ReleaseSlot" => runs::ReleaseSlotRequest {
            request_id,
            project: names.to_owned(),
            number: 9,
            force: false,
        }
        .encode_to_vec(),
        "DrainWorker" => runs::DrainWorkerRequest {
            request_id,
            worker_id: "no-such-worker".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "ListDeliveries" => ingress::ListDeliveriesRequest {
            project_id,
            page_size: 200,
            ..Default::default()
        }
        .encode_to_vec(),
        "GetDelivery" => ingress::GetDeliveryRequest {
            delivery: names.to_owned(),
        }
        .encode_to_vec(),
        "ReplayDelivery" => ingress::ReplayDeliveryRequest {
            request_id,
            delivery: names.to_owned(),
        }
        .encode_to_vec(),
        _ => return None,
    })
}
