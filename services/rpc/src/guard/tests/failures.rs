//! Panics, late handlers, and refusals inside gRPC-web.
use super::*;

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

/// The reflection of the library repeats what it was asked for, and a client takes 16 KiB of headers.
#[tokio::test]
async fn a_long_error_of_a_library_does_not_end_the_connection_of_others() {
    let (_, channel) = serve_tcp(Table::with(&[("ck8s_adm_good", admin())])).await;
    let mut reflection = ServerReflectionClient::new(channel);
    let (asking, known) = reflect(Some("ck8s_adm_good"));
    asking.send(list_services()).await.unwrap();
    let opened = reflection.server_reflection_info(known).await.unwrap();
    let mut others = opened.into_inner();
    others.message().await.unwrap().unwrap();

    let (ask, known) = reflect(Some("ck8s_adm_good"));
    let symbol = MessageRequest::FileContainingSymbol("x".repeat(100_000));
    let long = ServerReflectionRequest {
        message_request: Some(symbol),
        ..list_services()
    };
    ask.send(long).await.unwrap();
    let opened = reflection.server_reflection_info(known).await;
    let refused = match opened {
        Ok(opened) => opened.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(refused.code(), Code::NotFound, "{:.200}", refused.message());
    assert!(refused.message().len() < 2_000);
    asking.send(list_services()).await.unwrap();
    others.message().await.unwrap().expect("the stream goes on");
}

#[tokio::test]
async fn a_method_that_strangers_may_call_takes_no_large_message() {
    let (_, channel) = serve_tcp(Table::with(&[])).await;
    let mut health = HealthClient::new(channel);
    let service = |bytes: usize| HealthCheckRequest {
        service: "x".repeat(bytes),
    };
    let small = health.check(service(60_000)).await.unwrap_err();
    assert_eq!(small.code(), Code::NotFound, "{small:?}");
    let large = health.check(service(70_000)).await.unwrap_err();
    assert_eq!(large.code(), Code::InvalidArgument, "{large:?}");
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

#[tokio::test]
async fn a_message_that_cannot_be_read_is_the_callers_fault() {
    let (_, health) = tonic_health::server::health_reporter();
    let router = Routes::new(health)
        .into_axum_router()
        .layer(guard(Table::with(&[])))
        .layer(tonic_web::GrpcWebLayer::new());
    let messages: [(&str, &[u8]); 6] = [
        ("application/grpc", b""),
        ("application/grpc", b"\0\0\0\0\x05ab"),
        ("application/grpc", b"\x07\0\0\0\0"),
        ("application/grpc", b"\0\0\0\0\x02\xff\xff"),
        ("application/grpc-web+proto", b"\0\0\0\0\x02\xff\xff"),
        ("application/grpc-web-text+proto", b"!!!!"),
    ];
    for (content_type, message) in messages {
        let request = Request::post("http://test/grpc.health.v1.Health/Check")
            .version(http::Version::HTTP_2)
            .header("content-type", content_type)
            .body(axum::body::Body::from(message))
            .unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request)
            .await
            .unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(
            status.code(),
            Code::InvalidArgument,
            "{message:?} {status:?}"
        );
        let reason = status.get_details_error_info().map(|info| info.reason);
        assert_eq!(reason.as_deref(), Some("MESSAGE_INVALID"));
    }
}

/// Each call's message is small enough; together they are not.
#[tokio::test]
async fn what_calls_hold_together_is_bounded_and_given_back() {
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let held = Arc::new(tokio::sync::Semaphore::new(0));
    let (waits, holds) = (release.clone(), held.clone());
    let handler = tower::service_fn(move |request: Request<Body>| {
        let (mut released, holds) = (waits.subscribe(), holds.clone());
        async move {
            let status = match request.into_body().collect().await {
                Ok(message) => {
                    holds.add_permits(1);
                    let _ = released.recv().await;
                    drop(message);
                    Status::new(Code::Ok, "")
                }
                Err(refused) => refused,
            };
            Ok::<_, std::convert::Infallible>(status.into_http::<Body>())
        }
    });
    let guarded = guard(Table::with(&[("ck8s_adm_good", admin())])).layer(handler);
    let call = || {
        let mut call = request(ADMIN_ONLY, &[("authorization", "Bearer ck8s_adm_good")]);
        let message = Bytes::from(vec![0; crate::mesh::MAX_MESSAGE_BYTES]);
        *call.body_mut() = Body::new(http_body_util::Full::new(message));
        let guarded = guarded.clone();
        async move {
            let response = tower::ServiceExt::oneshot(guarded, call).await.unwrap();
            Status::from_header_map(response.headers()).unwrap().code()
        }
    };
    let holders = [tokio::spawn(call()), tokio::spawn(call())];
    let _both = held.acquire_many(2).await.unwrap();
    assert_eq!(call().await, Code::Unavailable);
    release.send(()).unwrap();
    for holder in holders {
        assert_eq!(holder.await.unwrap(), Code::Ok);
    }
    let next = tokio::spawn(call());
    let _held = held.acquire().await.unwrap();
    release.send(()).unwrap();
    assert_eq!(next.await.unwrap(), Code::Ok);
}
