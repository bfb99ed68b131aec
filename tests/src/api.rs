//! The contract's clients with a token, and the calls that many scenarios make.
use std::time::Duration;

use ck8s_proto::{
    auth::v1::{
        CreateProjectRequest, CreateTokenRequest, RevokeTokenRequest, Token, TokenKind,
        auth_service_client::AuthServiceClient, projects_service_client::ProjectsServiceClient,
    },
    ingress::v1::{Delivery, ListDeliveriesRequest, ingress_service_client::IngressServiceClient},
    repositories::v1::{
        AddRepositoryRequest, ListRepositoriesRequest, Repository, SetSecretRequest,
        repositories_service_client::RepositoriesServiceClient,
    },
    runs::v1::{
        CancelRunRequest, ExplainRunRequest, ExplainRunResponse, FlowEvent, GetRunRequest,
        ListFlowEventsRequest, ListRunsRequest, ListSlotsRequest, ListWorkersRequest, LogStream,
        ReadLogRequest, RetryRunRequest, Run, RunReason, RunSpec, RunState, SetSlotsRequest, Slot,
        StartRunRequest, WaitCause, Worker, WorkerState, lease_service_client::LeaseServiceClient,
        runs_service_client::RunsServiceClient,
    },
};
use tonic::{
    Code, Request, Response, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{WAIT_TIMEOUT, new_id, until};

/// Bounds a response: a page of logs or payloads is large.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Adds the token to each call.
#[derive(Clone)]
pub struct Bearer(Option<AsciiMetadataValue>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}

type Authorized = InterceptedService<Channel, Bearer>;

/// The server's contract, for one caller.
#[derive(Clone)]
pub struct Api {
    /// Where the server is.
    pub url: String,
    channel: Channel,
    bearer: Bearer,
}

/// Returns the spec of a shell command, for the process executor.
#[must_use]
pub fn script(text: &str) -> RunSpec {
    RunSpec {
        command: vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()],
        ..RunSpec::default()
    }
}

/// Returns whether a run has ended.
#[must_use]
pub fn ended(run: &Run) -> bool {
    matches!(
        run.state(),
        RunState::Succeeded | RunState::Failed | RunState::Canceled
    )
}

/// Returns the response of a call that changes nothing. A server that is busy or starting is called again.
///
/// # Panics
/// When it refuses, or does not answer in time.
#[track_caller]
fn read_response<T>(
    call: impl AsyncFn() -> Result<Response<T>, Status>,
) -> impl Future<Output = T> {
    let at = std::panic::Location::caller();
    async move {
        let started = std::time::Instant::now();
        loop {
            match call().await {
                Ok(answer) => return answer.into_inner(),
                Err(status)
                    if status.code() == Code::Unavailable && started.elapsed() < WAIT_TIMEOUT =>
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(status) => panic!("{status:?} ({at})"),
            }
        }
    }
}

macro_rules! clients {
    ($($name:ident: $client:ident),*) => { $(
        /// The service's client.
        #[must_use]
        pub fn $name(&self) -> $client<Authorized> {
            $client::with_interceptor(self.channel.clone(), self.bearer.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
        }
    )* };
}

impl Api {
    clients!(runs: RunsServiceClient, leases: LeaseServiceClient, ingress: IngressServiceClient, repositories: RepositoriesServiceClient,
        auth: AuthServiceClient, projects: ProjectsServiceClient);

    /// Makes a caller with this token. It connects when it is first used, and again after a break.
    ///
    /// # Panics
    /// When the address is none.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        let value =
            AsciiMetadataValue::try_from(format!("Bearer {token}")).expect("a token is ASCII");
        Self {
            bearer: Bearer(Some(value)),
            ..Self::anonymous(url)
        }
    }

    /// Makes an anonymous caller.
    ///
    /// # Panics
    /// When the address is none.
    #[must_use]
    pub fn anonymous(url: &str) -> Self {
        let endpoint = Endpoint::from_shared(url.to_owned())
            .expect("an address")
            .connect_timeout(Duration::from_secs(5));
        Self {
            url: url.to_owned(),
            channel: endpoint.connect_lazy(),
            bearer: Bearer(None),
        }
    }

    /// Makes a caller without a token over a channel that identifies it.
    #[must_use]
    pub fn over(channel: Channel) -> Self {
        Self {
            url: String::new(),
            channel,
            bearer: Bearer(None),
        }
    }

    /// Returns the same caller at another replica.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            bearer: self.bearer.clone(),
            ..Self::anonymous(url)
        }
    }

    /// Creates a project with this many slots, and returns its id.
    pub async fn project(&self, slug: &str, slots: i32) -> String {
        let request = CreateProjectRequest {
            request_id: new_id(),
            slug: slug.to_owned(),
            name: String::new(),
        };
        let made = self
            .projects()
            .create_project(request)
            .await
            .expect("a project");
        self.set_slots(slug, slots).await;
        made.into_inner().project.expect("the project").id
    }

    /// Sets a project's slots.
    pub async fn set_slots(&self, project: &str, slots: i32) {
        let request = SetSlotsRequest {
            request_id: new_id(),
            project: project.to_owned(),
            slots,
        };
        self.runs().set_slots(request).await.expect("slots are set");
    }

    /// Adds a repository with this services.yaml, and returns it and its webhook secret.
    pub async fn repository(
        &self,
        project: &str,
        full_name: &str,
        external_id: i64,
        services_text: &str,
    ) -> (Repository, String) {
        let request = AddRepositoryRequest {
            request_id: new_id(),
            project: project.to_owned(),
            full_name: full_name.to_owned(),
            external_id: external_id.to_string(),
            default_branch: "main".to_owned(),
            services_text: services_text.to_owned(),
            webhook_secret: String::new(),
            ..Default::default()
        };
        let made = self
            .repositories()
            .add_repository(request)
            .await
            .expect("a repository")
            .into_inner();
        (
            made.repository.expect("the repository"),
            made.webhook_secret,
        )
    }

    /// Returns the names of all repositories, sorted.
    pub async fn repositories_named(&self) -> Vec<String> {
        let request = ListRepositoriesRequest {
            page_size: 200,
            ..ListRepositoriesRequest::default()
        };
        let answer = self.repositories().list_repositories(request).await;
        let all = answer.expect("repositories").into_inner().repositories;
        let mut names: Vec<String> = all.into_iter().map(|r| r.full_name).collect();
        names.sort();
        names
    }

    /// Sets a secret of a repository.
    pub async fn set_secret(&self, repository: &str, name: &str, value: &str) {
        let request = SetSecretRequest {
            request_id: new_id(),
            repository: repository.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            binding: None,
        };
        self.repositories()
            .set_secret(request)
            .await
            .expect("a secret is set");
    }

    /// Creates a token, and returns it and its secret.
    pub async fn token(&self, name: &str, kind: TokenKind) -> (Token, String) {
        let request = CreateTokenRequest {
            request_id: new_id(),
            name: name.to_owned(),
            kind: kind.into(),
            ..Default::default()
        };
        let made = self
            .auth()
            .create_token(request)
            .await
            .expect("a token")
            .into_inner();
        (made.token.expect("the token"), made.secret)
    }

    /// Revokes a token.
    pub async fn revoke(&self, name: &str) {
        let request = RevokeTokenRequest {
            request_id: new_id(),
            token: name.to_owned(),
        };
        self.auth().revoke_token(request).await.expect("is revoked");
    }

    /// Starts a run of a project, and returns it.
    pub async fn start(&self, project: &str, spec: RunSpec) -> Run {
        let request = StartRunRequest {
            request_id: new_id(),
            project: project.to_owned(),
            spec: Some(spec),
            ..Default::default()
        };
        self.runs()
            .start_run(request)
            .await
            .expect("is started")
            .into_inner()
            .run
            .expect("the run")
    }

    /// Starts a run of a repository.
    pub async fn start_in(&self, repository: &str, spec: RunSpec) -> Run {
        let request = StartRunRequest {
            request_id: new_id(),
            repository: repository.to_owned(),
            spec: Some(spec),
            ..Default::default()
        };
        self.runs()
            .start_run(request)
            .await
            .expect("is started")
            .into_inner()
            .run
            .expect("the run")
    }

    /// Cancels a run.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn cancel(&self, run: &str) -> Result<Run, Status> {
        let request = CancelRunRequest {
            request_id: new_id(),
            run_id: run.to_owned(),
            message: String::new(),
        };
        Ok(self
            .runs()
            .cancel_run(request)
            .await?
            .into_inner()
            .run
            .expect("the run"))
    }

    /// Retries a run.
    pub async fn retry(&self, run: &str) -> Run {
        let request = RetryRunRequest {
            request_id: new_id(),
            run_id: run.to_owned(),
        };
        self.runs()
            .retry_run(request)
            .await
            .expect("is started again")
            .into_inner()
            .run
            .expect("the run")
    }

    /// Returns a run as it is now.
    pub async fn run(&self, id: &str) -> Run {
        let request = GetRunRequest {
            run_id: id.to_owned(),
        };
        read_response(async || self.runs().get_run(request.clone()).await)
            .await
            .run
            .expect("the run")
    }

    /// Waits until a run satisfies a condition.
    ///
    /// # Panics
    /// The time is over, or the run has ended otherwise.
    #[track_caller]
    pub fn wait<'a>(
        &'a self,
        id: &'a str,
        what: &'a str,
        good: impl Fn(&Run) -> bool + 'a,
    ) -> impl Future<Output = Run> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let started = std::time::Instant::now();
            loop {
                let run = self.run(id).await;
                if good(&run) {
                    return run;
                }
                assert!(!ended(&run), "the run ended before {what} ({at}): {run:?}");
                assert!(
                    started.elapsed() < WAIT_TIMEOUT,
                    "waited {WAIT_TIMEOUT:?} for {what} ({at}): {run:?}"
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Waits until a run is running.
    #[track_caller]
    pub fn wait_running<'a>(&'a self, id: &'a str) -> impl Future<Output = Run> + 'a {
        self.wait(id, "it runs", |r| r.state() == RunState::Running)
    }

    /// Waits until a run has ended.
    #[track_caller]
    pub fn wait_end<'a>(&'a self, id: &'a str) -> impl Future<Output = Run> + 'a {
        self.wait(id, "its end", ended)
    }

    /// Waits until a run has ended in this state, for this reason.
    #[track_caller]
    pub fn ends<'a>(
        &'a self,
        id: &'a str,
        state: RunState,
        reason: RunReason,
    ) -> impl Future<Output = Run> + 'a {
        self.wait(id, "its end", move |r| {
            (r.state(), r.reason()) == (state, reason)
        })
    }

    /// Returns every run of a project, or of all projects if it is empty; newest first.
    pub async fn all_runs(&self, project_id: &str) -> Vec<Run> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListRunsRequest {
                project_id: project_id.to_owned(),
                page_size: 200,
                page_token,
                ..Default::default()
            };
            let page = read_response(async || self.runs().list_runs(request.clone()).await).await;
            all.extend(page.runs);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    /// Returns every delivery.
    pub async fn all_deliveries(&self) -> Vec<Delivery> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListDeliveriesRequest {
                page_size: 200,
                page_token,
                ..Default::default()
            };
            let page =
                read_response(async || self.ingress().list_deliveries(request.clone()).await).await;
            all.extend(page.deliveries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    /// Returns the flow events of a run.
    pub async fn events(&self, run: &str) -> Vec<FlowEvent> {
        let request = ListFlowEventsRequest {
            run_id: run.to_owned(),
            page_size: 200,
            page_token: String::new(),
        };
        read_response(async || self.runs().list_flow_events(request.clone()).await)
            .await
            .events
    }

    /// Returns the kinds of a run's flow events.
    pub async fn kinds(&self, run: &str) -> Vec<String> {
        self.events(run).await.into_iter().map(|e| e.kind).collect()
    }

    /// Explains why a run waits.
    pub async fn explain(&self, run: &str) -> ExplainRunResponse {
        let request = ExplainRunRequest {
            run_id: run.to_owned(),
        };
        read_response(async || self.runs().explain_run(request.clone()).await).await
    }

    /// Waits until a run waits for this cause.
    pub async fn waits_for(&self, run: &str, cause: WaitCause) -> ExplainRunResponse {
        until(&format!("{cause:?}"), async || {
            let answer = self.explain(run).await;
            answer
                .reasons
                .iter()
                .any(|r| r.cause() == cause)
                .then_some(answer)
        })
        .await
    }

    /// Returns a run's log as it is stored.
    pub async fn log(&self, run: &str) -> String {
        self.read(run, |_| true).await
    }

    /// Returns what the run's workload has written, without ck8s's own lines.
    pub async fn output(&self, run: &str) -> String {
        self.read(run, |stream| stream == LogStream::Output).await
    }

    async fn read(&self, run: &str, wanted: impl Fn(LogStream) -> bool) -> String {
        let request = ReadLogRequest {
            run_id: run.to_owned(),
            ..Default::default()
        };
        let mut stream = self
            .runs()
            .read_log(request)
            .await
            .expect("a log")
            .into_inner();
        let mut text = Vec::new();
        while let Some(piece) = stream.message().await.expect("a piece of the log") {
            for chunk in piece.chunks.into_iter().filter(|c| wanted(c.stream())) {
                text.extend_from_slice(&chunk.data);
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Returns a project's slots.
    pub async fn slots(&self, project: &str) -> Vec<Slot> {
        let request = ListSlotsRequest {
            project: project.to_owned(),
            page_size: 200,
            page_token: String::new(),
        };
        read_response(async || self.runs().list_slots(request.clone()).await)
            .await
            .slots
    }

    /// Returns all workers.
    pub async fn workers(&self) -> Vec<Worker> {
        let request = ListWorkersRequest {
            page_size: 200,
            page_token: String::new(),
        };
        read_response(async || self.runs().list_workers(request.clone()).await)
            .await
            .workers
    }

    /// Waits until a worker is in this state.
    pub async fn worker_is(&self, id: &str, state: WorkerState) -> Worker {
        until(&format!("worker {id} is {state:?}"), async || {
            self.workers()
                .await
                .into_iter()
                .find(|w| w.id == id && w.state() == state)
        })
        .await
    }
}
