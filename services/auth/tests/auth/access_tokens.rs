//! Access tokens: which are valid, and that all others get the same answer. The tests sign tokens with the server's own
//! key, so that each is wrong in one respect only.
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ck8s_auth::{Auth, AuthConfig, SignInConfig, StartError};
use ck8s_proto::auth::v1 as pb;
use ck8s_sealing::{KeyRing, Sealed};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Row;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{
    browser_sign_in::{edge, sign_in, start},
    server::{KEY_RING, PUBLIC_URL, TestServer},
};

/// The server's own key.
struct Key {
    kid: String,
    pkcs8: Vec<u8>,
}

impl Key {
    async fn of(server: &TestServer) -> Self {
        let row = sqlx::query(
            "SELECT id::text, sealed, key_id FROM auth.signing_keys WHERE retires_at IS NULL",
        )
        .fetch_one(&server.owner)
        .await
        .unwrap();
        let kid: String = row.get(0);
        let sealed = Sealed {
            bytes: row.get(1),
            key_id: row.get(2),
        };
        let ring = KeyRing::from_text(KEY_RING).unwrap();
        let associated = format!("auth.signing_keys\0{kid}");
        let opened = ring.open(associated.as_bytes(), &sealed).unwrap();
        Self {
            kid,
            pkcs8: opened.expose_secret().to_vec(),
        }
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &EncodingKey::from_ed_der(&self.pkcs8)).unwrap()
    }

    fn header(&self) -> Header {
        Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        }
    }
}

fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

async fn authenticate(
    server: &TestServer,
    token: &str,
) -> Result<pb::AuthenticateResponse, Status> {
    let request = pb::AuthenticateRequest {
        token: token.to_owned(),
    };
    Ok(edge(server).authenticate(request).await?.into_inner())
}

#[tokio::test]
async fn every_invalid_access_token_gets_the_same_answer() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let session = sign_in(&server, &github).await.unwrap().session.unwrap();
    let key = Key::of(&server).await;
    let claims = claims_of(&session.access_token);
    assert_eq!(claims["iss"], PUBLIC_URL);
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        900
    );
    let good = key.sign(&key.header(), &claims);
    assert!(
        authenticate(&server, &good).await.is_ok(),
        "a token that the tests sign is valid"
    );

    let public = Ed25519KeyPair::from_pkcs8(&key.pkcs8).unwrap();
    let public = public.public_key().as_ref().to_vec();
    let hs256 = Header {
        kid: Some(key.kid.clone()),
        ..Header::new(Algorithm::HS256)
    };
    let base64 = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = |alg: &str| {
        let header = base64(json!({ "alg": alg, "typ": "JWT", "kid": key.kid }));
        format!("{header}.{}.", base64(claims.clone()))
    };
    let none_signed = format!("{}{}", none("none"), good.rsplit('.').next().unwrap());
    let now = claims["iat"].as_i64().unwrap();
    let unknown = Header {
        kid: Some(uuid::Uuid::now_v7().to_string()),
        ..key.header()
    };
    let no_kid = Header {
        kid: None,
        ..key.header()
    };
    let stranger = Key {
        kid: key.kid.clone(),
        pkcs8: Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
            .unwrap()
            .as_ref()
            .to_vec(),
    };
    let times = |iat: i64, nbf: i64, exp: i64| {
        let claims = with(&claims, "iat", json!(iat));
        with(&with(&claims, "nbf", json!(nbf)), "exp", json!(exp))
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        key.sign(&key.header(), &claims)
    };
    let mut changed = good.clone().into_bytes();
    let last = changed.len() - 10;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let signed = |claims: &Value| key.sign(&key.header(), claims);
    let tokens = [
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("alg none, signed", none_signed),
        (
            "HS256 with the public key",
            encode(&hs256, &claims, &EncodingKey::from_secret(&public)).unwrap(),
        ),
        ("unknown kid", key.sign(&unknown, &claims)),
        ("no kid", key.sign(&no_kid, &claims)),
        ("another's signature", stranger.sign(&key.header(), &claims)),
        ("changed", String::from_utf8(changed).unwrap()),
        ("expired", signed(&times(now - 900, now - 900, now))),
        ("not yet valid", signed(&times(now, now + 300, now + 900))),
        ("too long a life", signed(&times(now, now, now + 901))),
        (
            "other audience",
            signed(&with(&claims, "aud", json!("other"))),
        ),
        (
            "other issuer",
            signed(&with(&claims, "iss", json!("https://other.example"))),
        ),
        (
            "another user",
            signed(&with(&claims, "sub", json!(uuid::Uuid::now_v7()))),
        ),
        (
            "another session",
            signed(&with(&claims, "sid", json!(uuid::Uuid::now_v7()))),
        ),
        ("no exp", without("exp")),
        ("no nbf", without("nbf")),
        ("no aud", without("aud")),
        ("no iss", without("iss")),
        ("no sub", without("sub")),
        ("empty", String::new()),
        ("dots", "..".into()),
        ("long", "x".repeat(10_000)),
        ("a refresh token", session.refresh_token.clone()),
    ];
    let unknown = authenticate(&server, "ck8s_adm_x").await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unauthenticated);
    for (what, token) in tokens {
        let refused = authenticate(&server, &token).await.expect_err(what);
        assert_eq!(
            (refused.code(), refused.message(), refused.details()),
            (unknown.code(), unknown.message(), unknown.details()),
            "{what}"
        );
    }
    assert!(authenticate(&server, &good).await.is_ok());
}

#[tokio::test]
async fn a_replaced_key_verifies_until_it_is_retired() {
    let (server, github) = start().await;
    server.allow("ada@example.com").await;
    let session = sign_in(&server, &github).await.unwrap().session.unwrap();
    let first = Key::of(&server).await.kid;
    let rotate = |retire_others, request_id: &str| pb::RotateSigningKeyRequest {
        request_id: request_id.to_owned(),
        retire_others,
    };
    let mut client = server.auth_client();
    let id = uuid::Uuid::now_v7().to_string();
    let second = client
        .rotate_signing_key(server.admin(rotate(false, &id)))
        .await
        .unwrap()
        .into_inner()
        .key_id;
    let same = client
        .rotate_signing_key(server.admin(rotate(false, &id)))
        .await
        .unwrap()
        .into_inner()
        .key_id;
    assert_eq!(second, same, "a repeated call makes no third key");
    assert_ne!(first, second);
    assert!(authenticate(&server, &session.access_token).await.is_ok());
    let kids = published(&server).await;
    assert_eq!(kids, [second.clone(), first]);
    let next = sign_in(&server, &github).await.unwrap().session.unwrap();

    client
        .rotate_signing_key(server.admin(rotate(true, "")))
        .await
        .unwrap();
    for token in [&session.access_token, &next.access_token] {
        let refused = authenticate(&server, token).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    assert_eq!(published(&server).await.len(), 1);
    // The sessions continue.
    let request = pb::RefreshSessionRequest {
        refresh_token: next.refresh_token,
    };
    let refreshed = client.refresh_session(request).await.unwrap().into_inner();
    let token = refreshed.session.unwrap().access_token;
    assert!(authenticate(&server, &token).await.is_ok());
    assert_eq!(server.events("signing_key.made").await, 3);
}

async fn published(server: &TestServer) -> Vec<String> {
    let listed = server
        .auth_client()
        .list_signing_keys(pb::ListSigningKeysRequest {})
        .await;
    let jwks: Value = serde_json::from_str(&listed.unwrap().into_inner().jwks).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    for key in keys {
        assert_eq!(
            (&key["kty"], &key["crv"], &key["alg"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
        );
        assert!(key.get("d").is_none());
    }
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_old_key_is_replaced_once_despite_concurrent_sign_ins() {
    let server = TestServer::start().await;
    let asks = (0..8).map(|_| published(&server));
    let all = futures::future::join_all(asks).await;
    assert!(
        all.iter().all(|kids| kids == &all[0] && kids.len() == 1),
        "{all:?}"
    );
    server
        .sql("UPDATE auth.signing_keys SET created_at = now() - interval '8 days'")
        .await;
    let asks = (0..8).map(|_| published(&server));
    let later = futures::future::join_all(asks).await;
    assert!(
        later
            .iter()
            .all(|kids| kids == &later[0] && kids.len() == 2),
        "{later:?}"
    );
    assert_eq!(later[0][1], all[0][0]);
    // The old key stops verifying with the last token that it signed.
    server
        .sql("UPDATE auth.signing_keys SET retires_at = now() WHERE retires_at IS NOT NULL")
        .await;
    assert_eq!(published(&server).await, [later[0][0].clone()]);
}

#[tokio::test]
async fn the_service_does_not_start_with_a_ring_that_lacks_the_key() {
    let server = TestServer::start().await;
    published(&server).await;
    let start = async |key_ring| {
        let config = AuthConfig {
            sign_in: Some(SignInConfig::new(key_ring)),
            ..AuthConfig::default()
        };
        Auth::start(server.pool.clone(), config, CancellationToken::new()).await
    };
    assert!(start(KeyRing::from_text(KEY_RING).unwrap()).await.is_ok());
    let other = KeyRing::from_text(KeyRing::generate_text().expose_secret()).unwrap();
    let refused = start(other).await.unwrap_err();
    assert!(matches!(refused, StartError::KeyRing(_)), "{refused}");
}
