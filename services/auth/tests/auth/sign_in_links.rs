//! Sign-in links: a code works once, before it expires.
use ck8s_proto::auth::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{browser_sign_in::edge, server::TestServer};

async fn redeem(server: &TestServer, code: &str) -> Result<pb::RedeemLinkResponse, Status> {
    let request = pb::RedeemLinkRequest {
        code: code.to_owned(),
    };
    let redeemed = server.auth_client().redeem_link(request).await?;
    Ok(redeemed.into_inner())
}

#[tokio::test]
async fn of_concurrent_redemptions_of_a_code_one_gets_a_session() {
    let server = TestServer::start().await;
    let code = server.auth.bootstrap().create_link().await.unwrap();
    let tries = (0..8).map(|_| redeem(&server, &code));
    let answers = futures::future::join_all(tries).await;
    let (got, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((got.len(), refused.len()), (1, 7));
    let refused = refused[0].as_ref().unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let reason = refused.get_details_error_info().unwrap().reason;
    assert_eq!(reason, "LINK_REFUSED");

    let redeemed = got[0].as_ref().unwrap();
    let session = redeemed.session.clone().unwrap();
    assert_eq!(session.access_token, redeemed.token);
    assert_eq!(session.access_expire_time, redeemed.expire_time);
    let request = pb::AuthenticateRequest {
        token: redeemed.token.clone(),
    };
    let who = edge(&server)
        .authenticate(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(who.session_id, session.id);
    let person = who.person.unwrap();
    assert!(person.platform_admin);
    assert_eq!(person.name, "admin@localhost");
    let lives =
        redeemed.expire_time.unwrap().seconds - time::OffsetDateTime::now_utc().unix_timestamp();
    assert!((840..=900).contains(&lives), "{lives}");
    assert_eq!(server.events("sign_in.succeeded").await, 1);
    assert_eq!(server.events("link.redeemed").await, 1);
    assert_eq!(server.events("link.refused").await, 7);
}

#[tokio::test]
async fn an_expired_code_and_an_unknown_one_get_the_same_answer() {
    let server = TestServer::start().await;
    let code = server.auth.bootstrap().create_link().await.unwrap();
    server.sql("UPDATE auth.links SET expires_at = now()").await;
    let old = redeem(&server, &code).await.unwrap_err();
    assert_eq!(server.events("link.refused").await, 1);
    for made_up in ["", "x", &"A".repeat(43)] {
        let refused = redeem(&server, made_up).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message(), refused.details()),
            (old.code(), old.message(), old.details())
        );
    }
    // An unknown code is not recorded, so strangers cannot fill the audit trail.
    assert_eq!(server.events("link.refused").await, 1);
    assert_eq!(server.events("token.created").await, 1);
}
