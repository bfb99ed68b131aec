//! Lists of many pages, also those that change while they are read.
use ck8s_provider::{ProviderError, RepositoryProvider, Thread};

use crate::scene::{ADA, APP, Scene};

const THREAD: Thread = Thread { number: 5 };
const MARKER: &str = "<!-- ck8s:run -->";

/// So many comments of others, ours after so many of them.
fn talk(scene: &Scene, all: usize, ours_after: usize) -> String {
    let mut world = scene.github.world();
    let mut ours = 0;
    for number in 0..all {
        let id = world.next_id();
        world.repository(APP).say(id, 5, 8, "hm");
        if number + 1 == ours_after {
            ours = world.next_id();
            world.repository(APP).say(ours, 5, ADA, MARKER);
        }
    }
    ours.to_string()
}

#[tokio::test]
async fn our_comment_is_found_on_a_late_page() {
    let scene = Scene::start().await;
    let ours = talk(&scene, 350, 330);
    let find = scene
        .adapter
        .find_comment(&scene.ada, &scene.remote, &THREAD, MARKER)
        .await;
    assert_eq!(find, Ok(Some(ours)));
}

#[tokio::test]
async fn a_comment_that_slips_to_a_page_that_was_read_is_found() {
    let scene = Scene::start().await;
    // Ours is the first of the second page. While the first is on its way, one on it is removed.
    let ours = talk(&scene, 150, 100);
    scene.github.world().after_page(|world| {
        world.repository(APP).comments.remove(0);
    });
    let find = scene
        .adapter
        .find_comment(&scene.ada, &scene.remote, &THREAD, MARKER)
        .await;
    assert_eq!(find, Ok(Some(ours)));
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_read_twice_and_paid_once() {
    let scene = Scene::start().await;
    talk(&scene, 250, 0);
    let find = scene
        .adapter
        .find_comment(&scene.ada, &scene.remote, &THREAD, MARKER)
        .await;
    assert_eq!(find, Ok(None));
    assert_eq!(scene.asked("GET", "/issues/5/comments"), 6);
    // Whose we are, and three pages.
    assert_eq!(scene.github.world().left(&scene.token), 5000 - 4);
}

#[tokio::test]
async fn a_list_that_never_holds_still_is_given_up() {
    /// One comment goes for each page that is made.
    fn restless(world: &mut ck8s_tests::GitHubWorld) {
        world.repository(APP).comments.remove(0);
        world.after_page(restless);
    }
    let scene = Scene::start().await;
    talk(&scene, 300, 0);
    scene.github.world().after_page(restless);
    let find = scene
        .adapter
        .find_comment(&scene.ada, &scene.remote, &THREAD, MARKER)
        .await;
    let why = "its list changes while it is read".to_owned();
    assert_eq!(find, Err(ProviderError::Unavailable(why)));
}
