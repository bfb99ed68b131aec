//! What a person does at the page of the web flow.
use super::GitHub;
use crate::Browser;

impl GitHub {
    /// The person who is signed in authorizes the app, at the page of this address. Returns the code and the state that
    /// the browser goes back with.
    ///
    /// # Panics
    /// When the page refuses.
    pub async fn authorize(&self, authorize_url: &str) -> (String, String) {
        let mut browser = Browser::new();
        let mut page = browser.get(authorize_url).await;
        if page.location.is_none() {
            page = browser.press(&page, "authorize", "1").await;
        }
        let callback = &self.world().app.callback.clone();
        let location = page.location.as_ref().expect("a way back");
        assert!(location.as_str().starts_with(callback), "{location}");
        let query = |name| page.sent(name).expect("a code and a state");
        (query("code"), query("state"))
    }
}
