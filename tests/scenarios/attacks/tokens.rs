//! Calls of strangers: made-up tokens, and large messages to methods that need none.
use std::net::IpAddr;

use ck8s_proto::{auth::v1::TokenKind, runs::v1::RunState};
use tonic::{Code, Request, transport::Endpoint};

use super::*;

/// A caller from an address that the others do not have.
fn stranger(target: &Target) -> Api {
    let endpoint = Endpoint::from_shared(target.world.ready.url.clone()).expect("an address");
    let from = IpAddr::from([127, 0, 1, 2]);
    Api::over(endpoint.local_address(Some(from)).connect_lazy())
}

async fn call_as(api: &Api, token: &str) -> Code {
    let mut request = Request::new(ListRunsRequest {
        states: vec![RunState::Running.into()],
        ..ListRunsRequest::default()
    });
    let bearer = format!("Bearer {token}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", bearer);
    let called = api.runs().list_runs(request).await;
    called.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_tokens() {
    let target = Target::start().await;
    let strangers: Vec<Api> = (0..8).map(|_| stranger(&target)).collect();
    let made_up = |kind: &str, rest: &str| {
        let id = ck8s_tests::new_id().replace('-', "");
        format!("{kind}{id}{rest}")
    };
    for (what, kind, rest) in [
        ("made-up API tokens from one address", "ck8s_adm_", ""),
        ("made-up access tokens from one address", "e", ".x.y"),
    ] {
        let limited = AtomicBool::new(false);
        let attack = flood(64, async |n| {
            match call_as(&strangers[n % 8], &made_up(kind, rest)).await {
                Code::ResourceExhausted => limited.store(true, Relaxed),
                Code::Unauthenticated | Code::Unavailable => {}
                // HTTP/2 ends a connection on which a thousand calls were refused before their messages came.
                Code::Unknown => {}
                other => panic!("{other:?}"),
            }
            1
        });
        // Meanwhile somebody comes with a token that was never seen before.
        let newcomer = async {
            let name = made_up("new-", "");
            let (_, token) = target.world.admin.token(&name, TokenKind::Admin).await;
            let code = call_as(&Api::anonymous(&target.world.ready.url), &token).await;
            assert_eq!(
                code,
                Code::Ok,
                "a new token is looked up among made-up ones"
            );
        };
        let both = async { tokio::join!(attack, newcomer).0 };
        target.suffers(what, both).await;
        assert!(limited.load(Relaxed), "they are counted by address");
    }
}
