//! The state of the fake GitHub: people, the OAuth app, codes, tokens, and the requests that it received.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Notify;

use super::{
    accounts::{Access, Account, App},
    fault_types::{Hold, Switched},
    quota::Quotas,
    random::random,
    repository::Repository,
    requests::{Call, Exchange},
    token::{Installation, May, Token},
};

/// A change of the world between one page of a list and the next.
pub(crate) type AfterPage = Box<dyn FnOnce(&mut GitHubWorld) + Send>;

/// How long a code of the web flow is valid.
const CODE_TTL: Duration = Duration::from_secs(600);
/// How long a device code and its user code are valid.
const DEVICE_CODE_TTL: Duration = Duration::from_secs(900);
/// How much `slow_down` adds to the interval.
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// What a person authorized, for a code of the web flow.
pub(crate) struct Grant {
    pub(crate) user_id: u64,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: BTreeSet<String>,
    /// The S256 challenge; none if the app sent none, and then no verifier is checked.
    pub(crate) challenge: Option<String>,
    ends: Instant,
}

/// A device that waits for a person.
pub(crate) struct Device {
    pub(crate) user_code: String,
    pub(crate) client_id: String,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) decided: Option<Decision>,
    interval: Duration,
    last_poll: Option<Instant>,
    ends: Instant,
}

/// A person's decision about a device.
#[derive(Clone, Copy)]
pub(crate) enum Decision {
    Granted(u64),
    Denied,
}

/// The answer to a poll of a device.
pub(crate) enum Polled {
    Pending,
    SlowDown(Duration),
    Expired,
    Denied,
    Granted(u64, BTreeSet<String>),
    Unknown,
}

/// The state of a [`super::GitHub`].
pub struct GitHubWorld {
    /// Its base address.
    pub url: String,
    /// The app.
    pub app: App,
    /// Everybody who has an account.
    pub people: Vec<Account>,
    /// The login of whoever is signed in to GitHub; none if nobody is.
    pub signed_in: Option<String>,
    /// The login whose token every token is taken for, with every scope: for tokens that another server created.
    pub any_token_is: Option<String>,
    /// The interval between two polls of a device.
    pub device_interval: Duration,
    /// The requests, in order.
    pub calls: Vec<Call>,
    /// The repositories, by id.
    pub repositories: BTreeMap<u64, Repository>,
    /// The API's requests and responses with their bodies, while this is set.
    pub exchanges: Option<Vec<Exchange>>,
    /// How long an installation's token is valid.
    pub installed_lives: Duration,
    /// The most concurrent writes of one token that there were.
    pub writes_at_once: usize,
    pub(crate) installations: Vec<Installation>,
    pub(crate) api_tokens: HashMap<String, Token>,
    pub(crate) quotas: Quotas,
    pub(crate) after_page: Option<AfterPage>,
    ids: u64,
    /// Faults that are switched on.
    pub(crate) faults: Vec<Switched>,
    /// The request to hold.
    pub(crate) hold: Option<Hold>,
    /// The request that was held.
    pub(crate) held: Option<String>,
    /// Notified when the held request may go on.
    pub(crate) released: Arc<Notify>,
    /// Every secret that it created: what it is, and the secret.
    secrets: Vec<(&'static str, String)>,
    codes: HashMap<String, Grant>,
    devices: HashMap<String, Device>,
    tokens: HashMap<String, Access>,
    /// Who has authorized the app for which scopes, and is not asked again.
    authorized: HashMap<u64, BTreeSet<String>>,
    ahead: Duration,
}

impl GitHubWorld {
    /// Creates an empty world. `callback` is that of the OAuth app.
    #[must_use]
    pub fn new(callback: &str) -> Self {
        let app = App {
            client_id: format!("Iv1.{}", random(8)),
            client_secret: random(20),
            callback: callback.to_owned(),
        };
        Self {
            url: String::new(),
            secrets: vec![("the client secret", app.client_secret.clone())],
            app,
            people: Vec::new(),
            signed_in: None,
            any_token_is: None,
            device_interval: Duration::from_secs(5),
            calls: Vec::new(),
            repositories: BTreeMap::new(),
            exchanges: None,
            installed_lives: Duration::from_secs(3600),
            writes_at_once: 0,
            installations: Vec::new(),
            api_tokens: HashMap::new(),
            quotas: Quotas::default(),
            after_page: None,
            ids: 1_000_000,
            faults: Vec::new(),
            hold: None,
            held: None,
            released: Arc::default(),
            codes: HashMap::new(),
            devices: HashMap::new(),
            tokens: HashMap::new(),
            authorized: HashMap::new(),
            ahead: Duration::ZERO,
        }
    }

    /// Adds a person, who is signed in if nobody was.
    #[must_use]
    pub fn with(mut self, person: Account) -> Self {
        self.signed_in.get_or_insert(person.login.clone());
        self.people.push(person);
        self
    }

    /// Adds a repository.
    #[must_use]
    pub fn having(mut self, repository: Repository) -> Self {
        self.repositories.insert(repository.id, repository);
        self
    }

    /// Returns a repository, to look at or to change.
    ///
    /// # Panics
    /// When there is no such repository.
    pub fn repository(&mut self, id: u64) -> &mut Repository {
        self.repositories.get_mut(&id).expect("a repository")
    }

    /// Returns an id that nothing else has.
    pub fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Moves its clock on, so that codes expire.
    pub fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// Signs a person in, in place of whoever was.
    pub fn sign_in(&mut self, login: &str) {
        self.signed_in = Some(login.to_owned());
    }

    /// Revokes all authorizations and access tokens of the app, so that people are asked again.
    pub fn revoke_all(&mut self) {
        self.authorized.clear();
        self.tokens.clear();
    }

    /// Counts the valid access tokens.
    #[must_use]
    pub fn live_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Counts the requests of a path that got this status.
    #[must_use]
    pub fn asked(&self, path: &str, status: u16) -> usize {
        let same = |call: &&Call| call.path == path && call.status == status;
        self.calls.iter().filter(same).count()
    }

    /// Returns every secret that it created or was told: what it is, and the secret.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        self.secrets.clone()
    }

    /// Records a person's decision about a device, by its user code. Returns false if there is no such code.
    pub fn decide_device(&mut self, user_code: &str, login: &str, yes: bool) -> bool {
        let Some(user_id) = self.by_login(login).map(|person| person.id) else {
            return false;
        };
        let now = self.now();
        let wanted = user_code.trim().to_uppercase();
        let device = self
            .devices
            .values_mut()
            .find(|d| d.user_code == wanted && d.ends > now && d.decided.is_none());
        let Some(device) = device else {
            return false;
        };
        device.decided = Some(if yes {
            Decision::Granted(user_id)
        } else {
            Decision::Denied
        });
        true
    }

    /// Records a secret, for tests that look for it where it must not be.
    pub(crate) fn tell(&mut self, what: &'static str, secret: String) {
        self.secrets.push((what, secret));
    }

    /// Returns the seconds since 1970, by its clock.
    pub(crate) fn unix_now(&self) -> i64 {
        let now = SystemTime::now() + self.ahead;
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or_default()
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }

    pub(crate) fn by_login(&self, login: &str) -> Option<&Account> {
        self.people.iter().find(|person| person.login == login)
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<&Account> {
        self.people.iter().find(|person| person.id == id)
    }

    /// Returns the person who is signed in.
    pub(crate) fn at_browser(&self) -> Option<&Account> {
        self.by_login(self.signed_in.as_deref()?)
    }

    /// Reports whether a person has authorized these scopes before.
    pub(crate) fn has_authorized(&self, user_id: u64, scopes: &BTreeSet<String>) -> bool {
        let before = self.authorized.get(&user_id);
        before.is_some_and(|before| before.is_superset(scopes))
    }

    /// Creates a code for what a person authorizes.
    pub(crate) fn new_code(
        &mut self,
        user_id: u64,
        redirect_uri: String,
        scopes: BTreeSet<String>,
        challenge: Option<String>,
    ) -> String {
        let code = random(10);
        let before = self.authorized.entry(user_id).or_default();
        before.extend(scopes.iter().cloned());
        let grant = Grant {
            user_id,
            client_id: self.app.client_id.clone(),
            redirect_uri,
            scopes,
            challenge,
            ends: self.now() + CODE_TTL,
        };
        self.codes.insert(code.clone(), grant);
        self.secrets.push(("a code of GitHub's", code.clone()));
        code
    }

    /// Takes a code, which works once and before it expires.
    pub(crate) fn take_code(&mut self, code: &str) -> Option<Grant> {
        let now = self.now();
        self.codes.remove(code).filter(|grant| grant.ends > now)
    }

    /// Creates a device's sign-in. Returns its device code, its user code and how long they are valid.
    pub(crate) fn new_device(
        &mut self,
        client_id: String,
        scopes: BTreeSet<String>,
    ) -> (String, String, Duration) {
        let (code, typed) = (random(20), random(4).to_uppercase());
        let user_code = format!("{}-{}", &typed[..4], &typed[4..]);
        let device = Device {
            user_code: user_code.clone(),
            client_id,
            scopes,
            decided: None,
            interval: self.device_interval,
            last_poll: None,
            ends: self.now() + DEVICE_CODE_TTL,
        };
        self.devices.insert(code.clone(), device);
        self.secrets
            .push(("a device code of GitHub's", code.clone()));
        (code, user_code, DEVICE_CODE_TTL)
    }

    /// Answers a device's poll.
    pub(crate) fn poll(&mut self, client_id: &str, code: &str) -> Polled {
        let now = self.now();
        let Some(device) = self.devices.get_mut(code) else {
            return Polled::Unknown;
        };
        if device.client_id != client_id {
            return Polled::Unknown;
        }
        if device.ends <= now {
            return Polled::Expired;
        }
        let last = device.last_poll.replace(now);
        if last.is_some_and(|last| now.duration_since(last) < device.interval) {
            device.interval += SLOW_DOWN_STEP;
            return Polled::SlowDown(device.interval);
        }
        match device.decided {
            None => Polled::Pending,
            Some(Decision::Denied) => Polled::Denied,
            Some(Decision::Granted(user_id)) => {
                let scopes = std::mem::take(&mut device.scopes);
                self.devices.remove(code);
                Polled::Granted(user_id, scopes)
            }
        }
    }

    /// Creates an access token for a person.
    pub(crate) fn new_token(&mut self, user_id: u64, scopes: BTreeSet<String>) -> String {
        let token = format!("gho_{}", random(18));
        self.tokens
            .insert(token.clone(), Access { user_id, scopes });
        self.secrets
            .push(("an access token of GitHub's", token.clone()));
        token
    }

    /// Returns the owner and the scopes of a token.
    pub(crate) fn access(&self, token: &str) -> Option<Access> {
        if let Some(login) = &self.any_token_is {
            let every = ["read:user", "user:email"].map(str::to_owned);
            return Some(Access {
                user_id: self.by_login(login)?.id,
                scopes: every.into(),
            });
        }
        if let Some(token) = self.token(token) {
            let scopes = match token.may {
                May::Classic(scopes) => scopes,
                May::Fine(_) | May::Installation(..) => BTreeSet::new(),
            };
            return Some(Access {
                user_id: token.user_id,
                scopes,
            });
        }
        self.tokens.get(token).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> GitHubWorld {
        GitHubWorld::new("http://127.0.0.1/auth/github/callback").with(Account::new(
            7,
            "ada",
            "ada@example.test",
        ))
    }

    #[test]
    fn a_code_works_once_and_for_ten_minutes() {
        let mut world = world();
        let code = world.new_code(7, String::new(), BTreeSet::new(), None);
        assert!(world.take_code(&code).is_some());
        assert!(world.take_code(&code).is_none());
        let late = world.new_code(7, String::new(), BTreeSet::new(), None);
        world.advance(CODE_TTL);
        assert!(world.take_code(&late).is_none());
    }

    #[test]
    fn a_device_that_asks_too_often_is_slowed_down_and_ends() {
        let mut world = world();
        let (code, user_code, _) = world.new_device("app".to_owned(), BTreeSet::new());
        assert!(matches!(world.poll("app", &code), Polled::Pending));
        let Polled::SlowDown(next) = world.poll("app", &code) else {
            panic!("it asked at once again");
        };
        assert_eq!(next, Duration::from_secs(10));
        world.advance(next);
        assert!(world.decide_device(&user_code.to_lowercase(), "ada", true));
        assert!(!world.decide_device(&user_code, "ada", false), "once");
        assert!(matches!(world.poll("other", &code), Polled::Unknown));
        assert!(matches!(world.poll("app", &code), Polled::Granted(7, _)));
        assert!(matches!(world.poll("app", &code), Polled::Unknown));

        let (code, user_code, lives) = world.new_device("app".to_owned(), BTreeSet::new());
        world.advance(lives);
        assert!(matches!(world.poll("app", &code), Polled::Expired));
        assert!(!world.decide_device(&user_code, "ada", true));
    }
}
