//! The methods of the contract, and what a caller who may call each gets.
use tonic::Code;

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
        "/ck8s.repositories.v1.RepositoriesService/ReadPromptSources",
        None,
    ),
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
    ("/ck8s.runs.v1.AgentService/GetTask", None),
    ("/ck8s.runs.v1.AgentService/AppendActivities", None),
    ("/ck8s.runs.v1.AgentService/ReportOutcome", None),
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
    ("/ck8s.runs.v1.RunsService/ListActivities", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/WatchActivities", Some(Code::Ok)),
    ("/ck8s.runs.v1.RunsService/GetPrompt", Some(Code::NotFound)),
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
