//! RotateWebhookSecret.
use ck8s_proto::repositories::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::world::{World, refusal};

fn rotate(secret: &str, overlap_seconds: i64) -> pb::RotateWebhookSecretRequest {
    pb::RotateWebhookSecretRequest {
        request_id: Uuid::now_v7().to_string(),
        repository: "acme/app".into(),
        webhook_secret: secret.into(),
        overlap_seconds,
    }
}

#[tokio::test]
async fn the_previous_secret_stays_valid_until_its_end_and_no_longer() {
    let mut w = World::new().await;
    let app = w.app();
    let first = w.add(app).await;
    let request = rotate("", 0);
    let second = w
        .admin
        .rotate_webhook_secret(request.clone())
        .await
        .expect("rotates")
        .into_inner();
    assert_eq!(second.webhook_secret.len(), 64);
    let repository = second.repository.expect("a repository");
    let ends = repository.previous_secret_expire_time.expect("an end");
    let changed = repository.update_time.expect("a time");
    assert_eq!(ends.seconds - changed.seconds, 86_400);
    assert_ne!(
        repository.etag,
        first.repository.expect("a repository").etag
    );

    let resolved = w.resolve(&["1"]).await.remove(0);
    assert_eq!(
        resolved.webhook_secrets,
        [second.webhook_secret.clone(), first.webhook_secret]
    );
    assert_eq!(resolved.expire_time, Some(ends));
    let again = w
        .admin
        .rotate_webhook_secret(request)
        .await
        .expect("repeats")
        .into_inner();
    assert_eq!(again.webhook_secret, "");
    assert_eq!(w.secrets_of("1").await.len(), 2);

    let third = w
        .admin
        .rotate_webhook_secret(rotate("chosen by hand 1", 60))
        .await;
    let third = third.expect("rotates").into_inner();
    assert_eq!(third.webhook_secret, "chosen by hand 1");
    assert_eq!(
        w.secrets_of("1").await,
        [third.webhook_secret.clone(), second.webhook_secret],
        "one before at most"
    );

    let sql =
        "UPDATE repositories.webhook_secrets SET expires_at = now() WHERE expires_at IS NOT NULL";
    sqlx::query(sql)
        .execute(&w.owner)
        .await
        .expect("time passes");
    let resolved = w.resolve(&["1"]).await.remove(0);
    assert_eq!(resolved.webhook_secrets, [third.webhook_secret]);
    assert_eq!(resolved.expire_time, None);
    let repository = resolved.repository.expect("a repository");
    assert_eq!(repository.previous_secret_expire_time, None);
    assert_eq!(
        w.kinds().await,
        [
            "repository.added",
            "repository.secret_rotated",
            "repository.secret_rotated"
        ]
    );
}

#[tokio::test]
async fn bad_rotations_are_refused() {
    let mut w = World::new().await;
    let app = w.app();
    w.add(app).await;
    for (request, says) in [
        (
            rotate("short", 0),
            "webhook_secret: must have at least 16 characters",
        ),
        (
            rotate("", -1),
            "overlap_seconds: must be 0 to 2,592,000 (30 days)",
        ),
    ] {
        let (code, _, message) = refusal(w.admin.rotate_webhook_secret(request).await);
        assert_eq!((code, message.as_str()), (Code::InvalidArgument, says));
    }
    assert_eq!(w.secrets_of("1").await.len(), 1);
}
