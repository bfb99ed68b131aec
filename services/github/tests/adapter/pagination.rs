//! Lists of many pages, and lists that change while they are read.
use ck8s_provider::{ProviderError, RepositoryProvider, Thread};

use crate::fixture::{ADA, APP, Fixture};

const THREAD: Thread = Thread { number: 5 };
const MARKER: &str = "<!-- ck8s:run -->";

/// Adds `all` comments of others, and one of ours after `ours_after` of them.
fn add_comments(fixture: &Fixture, all: usize, ours_after: usize) -> String {
    let mut world = fixture.github.world();
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
    let fixture = Fixture::start().await;
    let ours = add_comments(&fixture, 350, 330);
    let find = fixture
        .client
        .find_comment(&fixture.ada, &fixture.remote, &THREAD, MARKER)
        .await;
    assert_eq!(find, Ok(Some(ours)));
}

#[tokio::test]
async fn a_comment_that_moves_to_a_page_already_read_is_found() {
    let fixture = Fixture::start().await;
    // Ours is the first of the second page. While the first page is sent, a comment on it is removed.
    let ours = add_comments(&fixture, 150, 100);
    fixture.github.world().after_page(|world| {
        world.repository(APP).comments.remove(0);
    });
    let find = fixture
        .client
        .find_comment(&fixture.ada, &fixture.remote, &THREAD, MARKER)
        .await;
    assert_eq!(find, Ok(Some(ours)));
}

#[tokio::test]
async fn the_second_reading_of_an_unchanged_list_costs_no_quota() {
    let fixture = Fixture::start().await;
    add_comments(&fixture, 250, 0);
    let find = fixture
        .client
        .find_comment(&fixture.ada, &fixture.remote, &THREAD, MARKER)
        .await;
    assert_eq!(find, Ok(None));
    assert_eq!(fixture.count_requests("GET", "/issues/5/comments"), 6);
    // One request for the account, three for the pages.
    assert_eq!(fixture.github.world().left(&fixture.token), 5000 - 4);
}

#[tokio::test]
async fn reading_a_list_that_keeps_changing_fails() {
    /// Removes a comment after each page.
    fn remove_one(world: &mut ck8s_tests::GitHubWorld) {
        world.repository(APP).comments.remove(0);
        world.after_page(remove_one);
    }
    let fixture = Fixture::start().await;
    add_comments(&fixture, 300, 0);
    fixture.github.world().after_page(remove_one);
    let find = fixture
        .client
        .find_comment(&fixture.ada, &fixture.remote, &THREAD, MARKER)
        .await;
    let why = "its list changes while it is read".to_owned();
    assert_eq!(find, Err(ProviderError::Unavailable(why)));
}
