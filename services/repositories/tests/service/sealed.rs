//! No secret is stored in the clear anywhere in the database.
use ck8s_proto::repositories::v1 as pb;
use sqlx::AssertSqlSafe;

use crate::world::World;

#[tokio::test]
async fn no_table_holds_a_secret_in_the_clear() {
    let mut w = World::new().await;
    let app = w.app();
    let random = w.add(app).await.webhook_secret;
    let rotate = pb::RotateWebhookSecretRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        repository: "acme/app".into(),
        webhook_secret: "a chosen webhook secret".into(),
        overlap_seconds: 0,
    };
    w.admin
        .rotate_webhook_secret(rotate)
        .await
        .expect("rotates");
    let set = pb::SetSecretRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        repository: "acme/app".into(),
        name: "TOKEN".into(),
        value: "the value of a run's secret".into(),
        binding: None,
    };
    w.admin.set_secret(set).await.expect("sets");
    let set = pb::SetProjectSecretRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        project: w.project.slug.clone(),
        name: "SHARED".into(),
        value: "the value of a project's secret".into(),
    };
    w.admin.set_project_secret(set).await.expect("sets");

    let secrets = [
        &random,
        "a chosen webhook secret",
        "the value of a run's secret",
        "the value of a project's secret",
    ];
    let needles: Vec<String> = secrets
        .iter()
        .flat_map(|s| [(*s).to_owned(), hex::encode(s)])
        .collect();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&w.owner)
    .await
    .expect("tables");
    assert!(tables.len() > 10, "{tables:?}");
    let name = ["acme/app".to_owned(), hex::encode("acme/app")];
    let mut found = [0, 0];
    for table in tables {
        let sql = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
        let dump: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&w.owner)
            .await
            .expect("a dump");
        for row in dump {
            for (name, found) in name.iter().zip(&mut found) {
                *found += usize::from(row.contains(name.as_str()));
            }
            for needle in &needles {
                assert!(!row.contains(needle.as_str()), "{table} holds {needle}");
            }
        }
    }
    assert!(
        found.iter().all(|n| *n > 0),
        "the search finds what is there: {found:?}"
    );
}
