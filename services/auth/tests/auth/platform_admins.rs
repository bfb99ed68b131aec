//! Platform admins that are made at the database: the first one, and the way back in.
use ck8s_auth::{AdminGrant, AuthError};
use ck8s_proto::auth::v1 as pb;
use ck8s_tests::Account;

use crate::{
    browser_sign_in::{reason, set_account, sign_in, start},
    server::TestServer,
};

async fn is_admin(server: &TestServer, email: &str) -> bool {
    sqlx::query_scalar("SELECT count(*) = 1 FROM auth.users WHERE platform_admin AND email = $1")
        .bind(email)
        .fetch_one(&server.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_first_admin_is_added_once() {
    let server = TestServer::start().await;
    server.allow("ada@example.com").await;
    // The local admin does not count as the first one.
    let code = server.auth.bootstrap().create_link().await.unwrap();
    let redeem = pb::RedeemLinkRequest { code };
    server.auth_client().redeem_link(redeem).await.unwrap();
    assert!(is_admin(&server, "admin@localhost").await);
    assert!(
        server
            .auth
            .bootstrap()
            .ensure_first_admin("ADA@example.com")
            .await
            .unwrap()
    );
    assert!(is_admin(&server, "ada@example.com").await);
    assert!(
        !server
            .auth
            .bootstrap()
            .ensure_first_admin("bob@example.com")
            .await
            .unwrap()
    );
    assert!(!is_admin(&server, "bob@example.com").await);
    let odd = server
        .auth
        .bootstrap()
        .ensure_first_admin("nobody")
        .await
        .unwrap_err();
    assert!(matches!(odd, AuthError::Invalid(_)));
}

#[tokio::test]
async fn an_operator_can_let_an_admin_back_in() {
    let (server, github) = start().await;
    let granted = server
        .auth
        .bootstrap()
        .grant_admin("ada@example.com", false)
        .await
        .unwrap();
    assert_eq!(
        granted,
        AdminGrant {
            promoted: true,
            identity_forgotten: false
        }
    );
    sign_in(&server, &github).await.unwrap();
    // The account at the provider was deleted, and another one has the same address.
    set_account(&github, Account::new(2, "ada", "ada@example.com"));
    assert_eq!(
        reason(&sign_in(&server, &github).await.unwrap_err()),
        "OTHER_IDENTITY"
    );
    let granted = server
        .auth
        .bootstrap()
        .grant_admin("Ada@example.com", false)
        .await
        .unwrap();
    assert_eq!(
        granted,
        AdminGrant {
            promoted: false,
            identity_forgotten: false
        }
    );
    assert!(sign_in(&server, &github).await.is_err());
    let granted = server
        .auth
        .bootstrap()
        .grant_admin("ada@example.com", true)
        .await
        .unwrap();
    assert_eq!(
        granted,
        AdminGrant {
            promoted: false,
            identity_forgotten: true
        }
    );
    assert_eq!(
        server
            .text("SELECT count(*)::text FROM auth.sessions")
            .await,
        "0"
    );
    sign_in(&server, &github).await.unwrap();
    assert_eq!(
        server
            .text("SELECT external_id FROM auth.users WHERE login = 'ada'")
            .await,
        "2"
    );
}
