//! The guard in front of real connections: TCP, where only the bearer counts, and the mesh, where only the connection does.
use std::{collections::HashMap, net::SocketAddr, time::Duration};

use ck8s_types::{ProjectId, ProjectRole, RunId, TokenId, UserId};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::sync::mpsc::Sender;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Server},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};
use tonic_types::StatusExt;

use super::*;
use crate::{
    caller::{Credential, Projects},
    mesh::Mesh,
    server::routes_with_standard,
};

const OPEN: &str = "/ck8s.auth.v1.AuthService/JoinWorker";
const ADMIN_ONLY: &str = "/ck8s.auth.v1.ProjectsService/CreateProject";

/// Whose tokens are which, as a table that a test can change.
#[derive(Default)]
struct Table {
    tokens: Mutex<HashMap<String, Caller>>,
    down: std::sync::atomic::AtomicBool,
    denials: Mutex<Vec<(UserId, String)>>,
}

impl Table {
    fn with(tokens: &[(&str, Caller)]) -> Arc<Self> {
        let tokens = tokens
            .iter()
            .map(|(t, c)| ((*t).to_owned(), c.clone()))
            .collect();
        Arc::new(Self {
            tokens: Mutex::new(tokens),
            ..Self::default()
        })
    }
}

#[async_trait::async_trait]
impl Identify for Table {
    async fn identify(&self, bearer: &str) -> Result<Caller, IdentifyError> {
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(IdentifyError::Unavailable);
        }
        let tokens = self.tokens.lock();
        tokens.get(bearer).cloned().ok_or(IdentifyError::Unknown)
    }

    async fn denied(&self, user_id: UserId, method: &str) {
        let mut denials = self.denials.lock();
        denials.push((user_id, method.to_owned()));
    }
}

fn admin() -> Caller {
    Caller::Admin {
        name: "me".into(),
        person: None,
    }
}

/// A member of one project.
fn person(project: ProjectId, role: ProjectRole) -> Caller {
    Caller::Person {
        name: "octo".to_owned(),
        person: SignedIn {
            user_id: UserId::new(),
            with: Credential::Token(TokenId::new()),
        },
        projects: Arc::new(Projects {
            everywhere: None,
            by_project: [(project, role)].into(),
        }),
    }
}

fn mesh_guard(identity: Arc<Table>) -> GuardLayer {
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).unwrap();
    GuardLayer::new(Arc::new(policy), identity)
}

/// A guard behind a listener that strangers reach.
fn guard(identity: Arc<Table>) -> GuardLayer {
    mesh_guard(identity).public()
}

/// A request as the server library hands it to the layer.
fn request(path: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = format!("http://test{path}").parse().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append(*name, value);
    }
    request
}

/// The status of a call to a handler that answers who it saw, as an error message.
async fn seen(guard: GuardLayer, request: Request<Body>) -> (Code, String) {
    let echo = tower::service_fn(|request: Request<Body>| async move {
        let caller = request.extensions().get::<Caller>().cloned();
        let actor = caller.map_or_else(|| "nobody".to_owned(), |c| c.actor());
        Ok::<_, std::convert::Infallible>(Status::new(Code::Ok, actor).into_http::<Body>())
    });
    let response = tower::ServiceExt::oneshot(guard.layer(echo), request)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let status = Status::from_header_map(response.headers()).unwrap();
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn only_a_valid_known_bearer_is_believed_and_all_others_get_the_same_answer() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    let good = request(ADMIN_ONLY, &[("authorization", "bearer ck8s_adm_good")]);
    let (code, actor) = seen(guard(table.clone()), good).await;
    assert_eq!((code, actor.as_str()), (Code::Ok, "token:me"));

    let unknown = request(ADMIN_ONLY, &[("authorization", "Bearer ck8s_adm_bad")]);
    let expected = seen(guard(table.clone()), unknown).await;
    assert_eq!(expected.0, Code::Unauthenticated);
    let bad = [
        "",
        "Bearer",
        "Bearer ",
        "Basic ck8s_adm_good",
        "Bearer  ck8s_adm_good",
        "Bearer ck8s_adm_good x",
        "ck8s_adm_good",
        "Bearer\tck8s_adm_good",
    ];
    for path in [ADMIN_ONLY, OPEN, "/no.Such/Method"] {
        for header in bad {
            let got = seen(
                guard(table.clone()),
                request(path, &[("authorization", header)]),
            );
            assert_eq!(got.await, expected, "{path} {header:?}");
        }
        let twice = [
            ("authorization", "Bearer ck8s_adm_good"),
            ("authorization", "Bearer ck8s_adm_good"),
        ];
        assert_eq!(
            seen(guard(table.clone()), request(path, &twice)).await,
            expected
        );
    }
    for path in [ADMIN_ONLY, "/no.Such/Method"] {
        assert_eq!(
            seen(guard(table.clone()), request(path, &[])).await,
            expected
        );
    }
    let open = seen(guard(table.clone()), request(OPEN, &[])).await;
    assert_eq!(open, (Code::Ok, "anonymous".to_owned()));
}

#[tokio::test]
async fn known_callers_learn_what_they_may_not_do_and_what_is_not_served() {
    let run = Caller::Run {
        run_id: RunId::new(),
        project_id: ProjectId::new(),
    };
    let table = Table::with(&[("ck8s_run_x", run)]);
    let bearer = [("authorization", "Bearer ck8s_run_x")];
    let (code, _) = seen(guard(table.clone()), request(ADMIN_ONLY, &bearer)).await;
    assert_eq!(code, Code::PermissionDenied);
    let (code, _) = seen(guard(table), request("/no.Such/Method", &bearer)).await;
    assert_eq!(code, Code::Unimplemented);
}

#[tokio::test]
async fn while_tokens_cannot_be_checked_callers_learn_when_to_try_again() {
    let table = Table::with(&[]);
    table.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let refuse = guard(table).layer(tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    }));
    let bearer = request(ADMIN_ONLY, &[("authorization", "Bearer ck8s_adm_x")]);
    let response = tower::ServiceExt::oneshot(refuse, bearer).await.unwrap();
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_panic_is_internal_and_a_late_handler_is_cut_off() {
    let panics = tower::service_fn(|_: Request<Body>| async {
        let boom = std::hint::black_box(true);
        assert!(!boom, "the secret of the panic");
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let guarded = guard(Table::with(&[])).layer(panics);
    let response = tower::ServiceExt::oneshot(guarded, request(OPEN, &[]))
        .await
        .unwrap();
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("secret"));

    let late = tower::service_fn(|_: Request<Body>| async {
        std::future::pending::<Result<Response<Body>, std::convert::Infallible>>().await
    });
    let guarded = guard(Table::with(&[])).layer(late);
    let hurried = request(OPEN, &[("grpc-timeout", "20m")]);
    let response = tower::ServiceExt::oneshot(guarded, hurried).await.unwrap();
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stream_that_panics_ends_with_internal() {
    let body = tokio_stream::once(1).map(|n| -> Result<hyper::body::Frame<Bytes>, Status> {
        let boom = std::hint::black_box(n);
        assert_eq!(boom, 2, "boom");
        Ok(hyper::body::Frame::data(Bytes::new()))
    });
    let body = Arc::new(Mutex::new(Some(Body::new(
        http_body_util::StreamBody::new(body),
    ))));
    let streams = tower::service_fn(move |_: Request<Body>| {
        let body = body.lock().take().unwrap();
        async move { Ok::<_, std::convert::Infallible>(Response::new(body)) }
    });
    let guarded = guard(Table::with(&[])).layer(streams);
    let response = tower::ServiceExt::oneshot(guarded, request(OPEN, &[]))
        .await
        .unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "13");
}

#[tokio::test]
async fn inside_grpc_web_a_refusal_is_a_grpc_web_answer() {
    let router = echo_routes()
        .into_axum_router()
        .layer(guard(Table::with(&[])))
        .layer(tonic_web::GrpcWebLayer::new());
    for (path, code) in [(ADMIN_ONLY, "16"), (OPEN, "0")] {
        let request = Request::post(format!("http://test{path}"))
            .header("content-type", "application/grpc-web+proto")
            .body(axum::body::Body::empty())
            .unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request)
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()["content-type"],
            "application/grpc-web+proto"
        );
        assert_eq!(response.headers()["grpc-status"], code, "{path}");
    }
}

/// A guarded server with health and reflection on a port of its own.
async fn serve_tcp(identity: Arc<Table>) -> (SocketAddr, Channel) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = Server::builder()
        .layer(guard(identity))
        .add_routes(routes());
    tokio::spawn(server.serve_with_incoming(incoming));
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    (address, endpoint.connect_lazy())
}

fn routes() -> Routes {
    routes_with_standard(Routes::default(), &Default::default()).unwrap()
}

type Asked = ReceiverStream<ServerReflectionRequest>;

fn reflect(bearer: Option<&str>) -> (Sender<ServerReflectionRequest>, tonic::Request<Asked>) {
    let (ask, asked) = tokio::sync::mpsc::channel(1);
    let mut request = tonic::Request::new(ReceiverStream::new(asked));
    if let Some(bearer) = bearer {
        let value = format!("Bearer {bearer}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    (ask, request)
}

fn list_services() -> ServerReflectionRequest {
    ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    }
}

#[tokio::test]
async fn health_is_open_and_reflection_is_not() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    table.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let (_, channel) = serve_tcp(table.clone()).await;
    let mut health = HealthClient::new(channel.clone());
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    table.down.store(false, std::sync::atomic::Ordering::SeqCst);

    let mut reflection = ServerReflectionClient::new(channel);
    let (_ask, nobody) = reflect(None);
    let refused = reflection.server_reflection_info(nobody).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(
        refused.get_details_error_info().unwrap().reason,
        "UNAUTHENTICATED"
    );

    let (ask, known) = reflect(Some("ck8s_adm_good"));
    ask.send(list_services()).await.unwrap();
    let mut answers = reflection
        .server_reflection_info(known)
        .await
        .unwrap()
        .into_inner();
    let text = format!("{:?}", answers.message().await.unwrap().unwrap());
    assert!(text.contains("ck8s.runs.v1.RunsService"), "{text}");
}

#[tokio::test]
async fn a_revoked_token_ends_its_open_streams() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    let (_, channel) = serve_tcp(table.clone()).await;
    let mut reflection = ServerReflectionClient::new(channel);
    let (ask, known) = reflect(Some("ck8s_adm_good"));
    ask.send(list_services()).await.unwrap();
    let mut answers = reflection
        .server_reflection_info(known)
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap();

    // Nobody can be asked for a while: the stream lives on.
    table.down.store(true, std::sync::atomic::Ordering::SeqCst);
    tokio::time::timeout(Duration::from_millis(1200), answers.message())
        .await
        .expect_err("the stream ended");
    table.tokens.lock().clear();
    table.down.store(false, std::sync::atomic::Ordering::SeqCst);
    let ended = tokio::time::timeout(Duration::from_secs(2), answers.message())
        .await
        .expect("the stream outlived its token");
    let ended = ended.unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated);
    assert_eq!(
        ended.get_details_error_info().unwrap().reason,
        "TOKEN_ENDED"
    );
}

#[tokio::test]
async fn a_stream_ends_when_the_rights_of_its_caller_change_and_not_for_a_new_name() {
    let project = ProjectId::new();
    let before = person(project, ProjectRole::Admin);
    let Caller::Person {
        person: who,
        projects,
        ..
    } = before.clone()
    else {
        panic!("a person");
    };
    let table = Table::with(&[("ck8s_usr_x", before)]);
    let (_, channel) = serve_tcp(table.clone()).await;
    let (ask, known) = reflect(Some("ck8s_usr_x"));
    ask.send(list_services()).await.unwrap();
    let mut reflection = ServerReflectionClient::new(channel);
    let mut answers = reflection
        .server_reflection_info(known)
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap();

    let set = |name: &str, projects: Arc<Projects>| {
        let caller = Caller::Person {
            name: name.to_owned(),
            person: who,
            projects,
        };
        let mut tokens = table.tokens.lock();
        tokens.insert("ck8s_usr_x".to_owned(), caller);
    };
    set("cat", projects);
    tokio::time::timeout(Duration::from_millis(900), answers.message())
        .await
        .expect_err("another name ended the stream");
    set("cat", Arc::default());
    let ended = tokio::time::timeout(Duration::from_secs(1), answers.message())
        .await
        .expect("the stream outlived its role")
        .unwrap_err();
    assert_eq!(ended.code(), Code::PermissionDenied);
    let info = ended.get_details_error_info().unwrap();
    assert_eq!(info.reason, "ACCESS_CHANGED");
}

/// The answer of a handler that does with the caller's access what it is told.
async fn handled(
    guard: GuardLayer,
    token: &str,
    path: &str,
    ask: impl Fn(&Access) -> Result<(), Status> + Clone + Send + 'static,
) -> Status {
    let handler = tower::service_fn(move |request: Request<Body>| {
        let access = request.extensions().get::<Access>().cloned();
        let asked = ask(&access.unwrap());
        async move {
            let response = match asked {
                Ok(()) => Response::new(Body::empty()),
                Err(status) => status.into_http(),
            };
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let bearer = request(path, &[("authorization", &format!("Bearer {token}"))]);
    let response = tower::ServiceExt::oneshot(guard.layer(handler), bearer);
    let response = response.await.unwrap();
    Status::from_header_map(response.headers()).unwrap_or_else(|| Status::ok(""))
}

#[tokio::test]
async fn a_handler_that_answers_a_person_without_checking_their_access_is_a_fault_of_ours() {
    const READ: &str = "/ck8s.runs.v1.RunsService/GetRun";
    const ANYONE: &str = "/ck8s.auth.v1.AuthService/ListTokens";
    let project = ProjectId::new();
    let table = Table::with(&[
        ("ck8s_usr_x", person(project, ProjectRole::Read)),
        ("ck8s_adm_x", admin()),
    ]);
    let guard = guard(table);
    let forgets = |_: &Access| Ok(());
    let asks = move |access: &Access| access.project(project, || Status::not_found("hidden"));
    let answer = handled(guard.clone(), "ck8s_usr_x", READ, forgets).await;
    assert_eq!(answer.code(), Code::Internal);
    for (token, path) in [("ck8s_adm_x", READ), ("ck8s_usr_x", ANYONE)] {
        let answer = handled(guard.clone(), token, path, forgets).await;
        assert_eq!(answer.code(), Code::Ok, "{token} {path}");
    }
    let answer = handled(guard.clone(), "ck8s_usr_x", READ, asks).await;
    assert_eq!(answer.code(), Code::Ok);
    let relay = handled(guard.relay(), "ck8s_usr_x", READ, forgets).await;
    assert_eq!(
        relay.code(),
        Code::Ok,
        "the guard of the other process looks"
    );
}

#[tokio::test]
async fn each_refusal_of_a_person_is_recorded_once_a_minute() {
    const START: &str = "/ck8s.runs.v1.RunsService/StartRun";
    let (reads, writes) = (ProjectId::new(), ProjectId::new());
    let octo = person(writes, ProjectRole::ReadWrite);
    let Caller::Person { person: who, .. } = octo else {
        panic!("a person");
    };
    let both = Projects {
        everywhere: None,
        by_project: [(reads, ProjectRole::Read), (writes, ProjectRole::ReadWrite)].into(),
    };
    let octo = Caller::Person {
        name: "octo".to_owned(),
        person: who,
        projects: Arc::new(both),
    };
    let table = Table::with(&[("ck8s_usr_x", octo), ("ck8s_adm_x", admin())]);
    let guard = guard(table.clone());
    let start = move |access: &Access| access.project(reads, || Status::not_found("hidden"));
    let hidden = |access: &Access| access.project(ProjectId::new(), || Status::not_found("hidden"));
    for _ in 0..3 {
        let answer = handled(guard.clone(), "ck8s_usr_x", START, start).await;
        assert_eq!(
            answer.get_details_error_info().unwrap().reason,
            "ROLE_NEEDED"
        );
        let answer = handled(guard.clone(), "ck8s_usr_x", ADMIN_ONLY, start).await;
        assert_eq!(
            answer.get_details_error_info().unwrap().reason,
            "NOT_ALLOWED"
        );
        handled(
            guard.clone(),
            "ck8s_usr_x",
            "/ck8s.runs.v1.RunsService/GetRun",
            hidden,
        )
        .await;
        // Automation is no person.
        handled(
            guard.clone(),
            "ck8s_adm_x",
            "/ck8s.runs.v1.RunsService/CreateRuns",
            start,
        )
        .await;
    }
    let mut expected = [START, ADMIN_ONLY].map(|path| (who.user_id, path.to_owned()));
    expected.sort();
    let told = async {
        loop {
            let mut told = table.denials.lock().clone();
            told.sort();
            if told.len() >= expected.len() {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(5), told).await;
    assert_eq!(told.unwrap(), expected);
}

#[tokio::test]
async fn on_the_mesh_the_connection_says_who_calls_and_no_header_does() {
    let table = Table::with(&[("ck8s_adm_good", admin())]);
    let mesh = Mesh::new();
    let down = CancellationToken::new();
    let edge = mesh.channel("edge");
    let serving = tokio::spawn({
        let (mesh, guard, down) = (mesh.clone(), mesh_guard(table), down.clone());
        async move { mesh.serve(echo_routes(), guard, down).await }
    });
    // A role in a header is only a header. A token counts for a call that the edge hands on, and for no other role's.
    let (ingest, create) = (
        "/ck8s.ingress.v1.IngressService/IngestWebhook",
        "/ck8s.runs.v1.RunsService/CreateRuns",
    );
    let forged = ("x-ck8s-role", "ingress");
    let good = ("authorization", "Bearer ck8s_adm_good");
    let bad = ("authorization", "Bearer ck8s_adm_bad");
    let ingress = mesh.channel("ingress");
    for (from, path, headers, expected, seen) in [
        (&edge, ingest, &[forged][..], Code::Ok, "service:edge"),
        (&edge, create, &[forged], Code::PermissionDenied, ""),
        (&edge, ADMIN_ONLY, &[forged], Code::PermissionDenied, ""),
        (&edge, ADMIN_ONLY, &[good, forged], Code::Ok, "token:me"),
        (&edge, ADMIN_ONLY, &[bad], Code::Unauthenticated, ""),
        (&edge, ingest, &[good], Code::PermissionDenied, ""),
        (&edge, OPEN, &[], Code::Ok, "anonymous"),
        (&ingress, ADMIN_ONLY, &[good], Code::PermissionDenied, ""),
        (&ingress, create, &[good], Code::Ok, "service:ingress"),
        (&ingress, OPEN, &[], Code::PermissionDenied, ""),
    ] {
        let response = tower::ServiceExt::oneshot(from.clone(), request(path, headers))
            .await
            .unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), expected, "{path} {headers:?}");
        if expected == Code::Ok {
            assert_eq!(status.message(), seen, "{path} {headers:?}");
        }
    }
    down.cancel();
    serving.await.unwrap().unwrap();
    let after = tower::ServiceExt::oneshot(mesh.channel("edge"), request(ADMIN_ONLY, &[])).await;
    assert!(after.is_err());
}

#[tokio::test]
async fn a_peer_of_the_mesh_counts_for_nothing_on_a_public_listener() {
    let mut with_peer = request("/ck8s.ingress.v1.IngressService/IngestWebhook", &[]);
    with_peer.extensions_mut().insert(MeshPeer::role("edge"));
    let (code, _) = seen(guard(Table::with(&[])), with_peer).await;
    assert_eq!(code, Code::Unauthenticated);
}

/// Counts the calls that metrics count.
#[derive(Default)]
struct CallCount(Arc<std::sync::atomic::AtomicU64>);

impl metrics::Recorder for CallCount {
    fn describe_counter(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }
    fn describe_gauge(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }
    fn describe_histogram(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }

    fn register_counter(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        match key.name() {
            "ck8s_grpc_requests_total" => metrics::Counter::from_arc(self.0.clone()),
            _ => metrics::Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }

    fn register_histogram(
        &self,
        _: &metrics::Key,
        _: &metrics::Metadata<'_>,
    ) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}

#[tokio::test]
async fn a_handler_that_the_edge_reaches_in_its_own_process_is_guarded_once() {
    const READ: &str = "/ck8s.runs.v1.RunsService/GetRun";
    let counted = CallCount::default();
    let _recorder = metrics::set_default_local_recorder(&counted);
    let project = ProjectId::new();
    let table = Table::with(&[("ck8s_usr_x", person(project, ProjectRole::Read))]);
    let bearer = [("authorization", "Bearer ck8s_usr_x")];
    let calls = || counted.0.load(std::sync::atomic::Ordering::Relaxed);
    for (checks, expected) in [(false, Code::Internal), (true, Code::Ok)] {
        let handler = move |request: axum::extract::Request| async move {
            if checks {
                let access = request.extensions().get::<Access>().unwrap();
                let checked = access.project(project, || Status::not_found("hidden"));
                checked.unwrap();
            }
            Response::new(axum::body::Body::empty())
        };
        let routes: Routes = axum::Router::new().fallback(handler).into();
        let guard = mesh_guard(table.clone());
        let services = Mesh::new().services(routes, &guard.public(), &guard.relay());
        let before = calls();
        let response = tower::ServiceExt::oneshot(services, request(READ, &bearer));
        let response = response.await.unwrap();
        let status = Status::from_header_map(response.headers());
        let code = status.map_or(Code::Ok, |status| status.code());
        assert_eq!(code, expected, "checks: {checks}");
        drop(response);
        assert_eq!(calls(), before + 1);
    }
}

/// Routes that answer every path with who was seen, as the message of an OK status.
fn echo_routes() -> Routes {
    let echo = |request: axum::extract::Request| async move {
        let caller = request.extensions().get::<Caller>().cloned();
        let actor = caller.map_or_else(|| "nobody".to_owned(), |c| c.actor());
        Status::new(Code::Ok, actor).into_http::<axum::body::Body>()
    };
    axum::Router::new().fallback(echo).into()
}
