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
