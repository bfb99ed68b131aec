//! Handlers must check access; refusals are recorded; a local handler behind the edge is guarded once.
use super::*;

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

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
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
        assert_eq!(reason(&answer), "ROLE_NEEDED");
        let answer = handled(guard.clone(), "ck8s_usr_x", ADMIN_ONLY, start).await;
        assert_eq!(reason(&answer), "NOT_ALLOWED");
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
