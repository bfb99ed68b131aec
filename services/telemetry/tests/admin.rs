//! The private listener shows what was counted, and that the process lives.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_telemetry::Admin;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn metrics_and_health_are_served_until_shutdown() {
    let admin = Admin::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let base = format!("http://{}", admin.address().unwrap());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(admin.serve(|| async { vec!["database"] }, shutdown.clone()));
    metrics::counter!("ck8s_test_total", "code" => "ok").increment(2);
    metrics::histogram!("ck8s_test_seconds").record(0.003);

    let text = |path: &str| {
        let url = format!("{base}{path}");
        async move { reqwest::get(url).await.unwrap().text().await.unwrap() }
    };
    assert_eq!(text("/healthz").await, "ok\n");
    let readiness = r#"{"status":"not ready","missing":["database"]}"#;
    assert_eq!(text("/readyz").await, readiness);
    let metrics = text("/metrics").await;
    assert!(
        metrics.contains("ck8s_test_total{code=\"ok\"} 2"),
        "{metrics}"
    );
    assert!(
        metrics.contains("ck8s_test_seconds_bucket{le=\"0.005\"} 1"),
        "{metrics}"
    );

    let large = reqwest::Client::new()
        .get(format!("{base}/healthz"))
        .header("x-large", "x".repeat(100_000));
    assert_eq!(large.send().await.unwrap().status(), 431);

    shutdown.cancel();
    serving.await.unwrap();
    assert!(reqwest::get(format!("{base}/healthz")).await.is_err());
}
