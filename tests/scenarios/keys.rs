//! The rotation of the key that seals secrets: everything is sealed again under the new key, and the old key can go.
use ck8s_sealing::KeyRing;
use ck8s_tests::{World, fleet::ck8s, github::GitHub};
use secrecy::ExposeSecret;

use crate::repositories::{add, check, issue, scene};

/// Restarts the server with this key ring.
async fn restart_with(world: &mut World, ring: &str) {
    std::fs::write(world.key_ring(), ring).unwrap();
    world.restart().await;
}

/// Checks that webhooks are accepted, and that GitHub accepts our credential.
async fn check_works(github: &GitHub, world: &World) {
    let sent = github.emit(501, "issues", &issue(501, "acme/one")).await;
    assert_eq!(sent, [202]);
    let found = check(world, "acme/one").await;
    let all = found.iter().map(|f| f.1.as_str_name());
    assert!(all.clone().all(|s| s == "STANDING_OK"), "{found:#?}");
}

/// Returns what `ck8s keys rotate` prints.
fn rotate(world: &World) -> serde_json::Value {
    let token = world.key_ring().with_file_name("token-of-the-test");
    std::fs::write(&token, &world.ready.admin_token).unwrap();
    let (url, token) = (&world.ready.url, token.to_str().unwrap());
    let printed = ck8s(&[
        "keys",
        "rotate",
        "--url",
        url,
        "--token-file",
        token,
        "-o",
        "json",
    ]);
    serde_json::from_str(&printed).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_sealed_again_and_the_old_key_can_go() {
    let (github, mut world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    world
        .admin
        .set_secret("acme/one", "NPM_TOKEN", "hush")
        .await;
    let old = std::fs::read_to_string(world.key_ring()).unwrap();
    let new = KeyRing::generate_text();
    let new = new.expose_secret();
    let (old_id, new_id) = (
        old.split(':').next().unwrap(),
        new.split(':').next().unwrap(),
    );
    restart_with(&mut world, &format!("{new},{}", old.trim())).await;
    let rotated = rotate(&world);
    assert_eq!(rotated[0]["key_id"], new_id, "{rotated}");
    assert_eq!(rotated[0]["idle_key_ids"][0], old_id, "{rotated}");
    // The repository's credential, webhook secret and secret, and the demo's webhook secret.
    assert_eq!(rotated[0]["resealed"], 4, "{rotated}");
    assert_eq!(rotated[1]["service"], "auth", "{rotated}");
    let rotated = rotate(&world);
    assert_eq!(
        (&rotated[0]["resealed"], &rotated[1]["resealed"]),
        (&0.into(), &0.into())
    );
    restart_with(&mut world, new).await;
    check_works(&github, &world).await;
}
