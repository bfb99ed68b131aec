//! The five endpoints of GitHub that sign-in talks to, with one person at the keyboard. It checks what it is sent.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ck8s_auth::ProviderConfig;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where people would reach the console.
pub const PUBLIC_URL: &str = "https://ck8s.example";
pub const CLIENT_ID: &str = "the-client";
pub const CLIENT_SECRET: &str = "the-client-secret-1f0c";

/// What a device sign-in has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Pending,
    SlowDown,
    Confirmed,
    Denied,
    Expired,
}

/// Who sits there, and what was handed out.
pub struct Person {
    pub id: u64,
    pub login: String,
    /// Address and whether it is verified; the first is the primary one.
    pub emails: Vec<(String, bool)>,
    pub device: Device,
    /// Every answer is an error of the server's.
    pub down: bool,
    /// How often the token endpoint was asked about a device.
    pub polls: usize,
    challenges: HashMap<String, String>,
    token: Option<String>,
}

/// The fake; a clone is the same.
#[derive(Clone)]
pub struct GitHub {
    pub url: String,
    state: Arc<Mutex<Person>>,
}

impl GitHub {
    /// With somebody whose address is verified.
    pub async fn start(id: u64, login: &str, email: &str) -> Self {
        let state = Arc::new(Mutex::new(Person {
            id,
            login: login.to_owned(),
            emails: vec![(email.to_owned(), true)],
            device: Device::Pending,
            down: false,
            polls: 0,
            challenges: HashMap::new(),
            token: None,
        }));
        let router = Router::new()
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(access_token))
            .route("/login/device/code", post(device_code))
            .route("/user", get(user))
            .route("/user/emails", get(emails))
            .with_state(state.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub fn person(&self) -> MutexGuard<'_, Person> {
        self.state.lock().unwrap()
    }

    /// How ck8s reaches it.
    pub fn config(&self) -> ProviderConfig {
        ProviderConfig {
            url: self.url.clone(),
            api_url: format!("{}/", self.url),
            client_id: CLIENT_ID.into(),
            client_secret: CLIENT_SECRET.into(),
        }
    }

    /// The person says yes on the page. The code and the state that the browser goes back with.
    pub async fn consent(&self, authorize_url: &str) -> (String, String) {
        let browser = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let answer = browser.get(authorize_url).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        let back = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(back.starts_with(&format!("{PUBLIC_URL}/auth/github/callback?")));
        let back = reqwest::Url::parse(&back).unwrap();
        let query: HashMap<_, _> = back.query_pairs().into_owned().collect();
        (query["code"].clone(), query["state"].clone())
    }
}

type Shared = State<Arc<Mutex<Person>>>;

fn form(body: &str) -> HashMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{body}")).unwrap();
    url.query_pairs().into_owned().collect()
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn error(name: &str) -> Response {
    // As GitHub does: with 200.
    Json(json!({ "error": name, "error_description": "…" })).into_response()
}

async fn authorize(State(state): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let mut person = state.lock().unwrap();
    let good = query["client_id"] == CLIENT_ID
        && query["code_challenge_method"] == "S256"
        && query["scope"] == "read:user user:email";
    if !good {
        return (StatusCode::BAD_REQUEST, format!("{query:?}")).into_response();
    }
    let code = random();
    person
        .challenges
        .insert(code.clone(), query["code_challenge"].clone());
    let back = [("code", code.as_str()), ("state", &query["state"])];
    let back = reqwest::Url::parse_with_params(&query["redirect_uri"], back).unwrap();
    Redirect::to(back.as_str()).into_response()
}

async fn access_token(State(state): Shared, headers: HeaderMap, body: String) -> Response {
    let mut person = state.lock().unwrap();
    if person.down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let form = form(&body);
    if headers["accept"] != "application/json" || form["client_id"] != CLIENT_ID {
        return error("incorrect_client_credentials");
    }
    if form["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code" {
        person.polls += 1;
        assert_eq!(form["device_code"], "the-device-code-77aa");
        match person.device {
            Device::Pending => return error("authorization_pending"),
            Device::SlowDown => {
                return Json(json!({ "error": "slow_down", "interval": 11 })).into_response();
            }
            Device::Denied => return error("access_denied"),
            Device::Expired => return error("expired_token"),
            Device::Confirmed => {}
        }
    } else {
        if form["client_secret"] != CLIENT_SECRET {
            return error("incorrect_client_credentials");
        }
        let challenge = person.challenges.remove(&form["code"]);
        let shown = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
        if challenge.as_ref() != Some(&shown) {
            return error("bad_verification_code");
        }
    }
    let token = format!("gho_{}", random());
    person.token = Some(token.clone());
    Json(json!({ "access_token": token, "token_type": "bearer", "scope": "read:user,user:email" }))
        .into_response()
}

async fn device_code(State(state): Shared, body: String) -> Response {
    if state.lock().unwrap().down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    assert_eq!(form(&body)["client_id"], CLIENT_ID);
    Json(json!({
        "device_code": "the-device-code-77aa",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://github.com/login/device",
        "expires_in": 899,
        "interval": 5,
    }))
    .into_response()
}

fn api(person: &Person, headers: &HeaderMap, answer: Value) -> Response {
    let bearer = person.token.as_ref().map(|token| format!("Bearer {token}"));
    let shown = headers.get("authorization").and_then(|v| v.to_str().ok());
    if bearer.as_deref() != shown || !headers.contains_key("user-agent") {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "message": "Bad credentials" })),
        )
            .into_response();
    }
    Json(answer).into_response()
}

async fn user(State(state): Shared, headers: HeaderMap) -> Response {
    let person = state.lock().unwrap();
    api(
        &person,
        &headers,
        json!({ "id": person.id, "login": person.login, "type": "User" }),
    )
}

async fn emails(State(state): Shared, headers: HeaderMap) -> Response {
    let person = state.lock().unwrap();
    let email = |(nr, (address, verified)): (usize, &(String, bool))| json!({ "email": address, "verified": verified, "primary": nr == 0, "visibility": null });
    let emails: Vec<_> = person.emails.iter().enumerate().map(email).collect();
    api(&person, &headers, Value::from(emails))
}
