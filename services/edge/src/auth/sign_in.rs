//! Sign-in in the browser: it is sent to the provider and comes back.
use ck8s_proto::auth::v1::{FinishSignInRequest, StartSignInRequest, StartSignInResponse};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE},
};
use hyper::body::Incoming;
use tonic::body::Body;

use super::{
    cookies::{CookieSpec, REFRESH},
    endpoints::AuthEndpoints,
    error_page::ErrorPage,
    finished::Finished,
    request::is_at,
    session::seconds_until,
};

/// The most sign-ins of one browser that are under way or have just ended. The oldest one is forgotten for a new one: a
/// request with more cookies could become too large.
const MAX_SIGN_INS: usize = 8;
/// How long a browser remembers where a sign-in led, in seconds: as long as a sign-in may take.
const FINISHED_SECONDS: i64 = 600;
/// Says that the browser was sent here from another host name, so that it is not sent again if a proxy hides the name.
const MOVED: &str = "moved";

impl AuthEndpoints {
    /// Sends the browser to the provider. The provider sends it back to the public URL, so that is where it begins:
    /// cookies of another host name would not come along.
    pub(super) async fn start_sign_in(&self, request: &Request<Incoming>) -> Response<Body> {
        let [return_to, moved] = query(request.uri().query(), ["return_to", MOVED]);
        if let Some(public_url) = self.public_url.as_deref()
            && moved.is_empty()
            && !is_at(request, public_url)
        {
            return redirect(&start_url(public_url, &return_to), Vec::new());
        }
        let started = StartSignInRequest { return_to };
        let started = match self.auth.clone().start_sign_in(started).await {
            Ok(started) => started.into_inner(),
            Err(status) => return ErrorPage::new(&status).into_response(),
        };
        let StartSignInResponse {
            authorize_url,
            browser_secret,
            expires_in,
        } = started;
        let [state] = query(
            authorize_url.split_once('?').map(|(_, query)| query),
            ["state"],
        );
        let transport = self.cookie_transport();
        let cookie = CookieSpec::sign_in(&state);
        let mut cookies = vec![cookie.set(&browser_secret, expires_in.into(), transport)];
        let begun = CookieSpec::sign_ins(request.headers());
        let surplus = (begun.len() + 1).saturating_sub(MAX_SIGN_INS);
        let forgotten = begun.iter().take(surplus);
        cookies.extend(forgotten.map(|cookie| cookie.clear(transport)));
        redirect(&authorize_url, cookies)
    }

    /// Takes the browser back from the provider. If it comes again, it goes where it went before.
    pub(super) async fn finish_sign_in(&self, request: &Request<Incoming>) -> Response<Body> {
        let [code, state, error] = query(request.uri().query(), ["code", "state", "error"]);
        let cookie = CookieSpec::sign_in(&state);
        let kept = cookie.read(request.headers()).unwrap_or_default();
        if let Some(Finished { path }) = Finished::read(kept) {
            return redirect(&path, Vec::new());
        }
        let finish = FinishSignInRequest {
            code,
            state,
            browser_secret: kept.to_owned(),
            error,
        };
        let transport = self.cookie_transport();
        match self.auth.clone().finish_sign_in(finish).await {
            Ok(finished) => {
                let finished = finished.into_inner();
                let session = finished.session.unwrap_or_default();
                let seconds = seconds_until(session.refresh_expire_time.as_ref());
                let finished = Finished::new(finished.return_to);
                let cookies = vec![
                    REFRESH.set(&session.refresh_token, seconds, transport),
                    cookie.set(&finished.text(), FINISHED_SECONDS, transport),
                ];
                redirect(&finished.path, cookies)
            }
            Err(status) => {
                let mut response = ErrorPage::new(&status).into_response();
                if let Some(used) = cookie.clear(transport) {
                    response.headers_mut().append(SET_COOKIE, used);
                }
                response
            }
        }
    }
}

/// Returns where a sign-in begins below the public URL.
fn start_url(public_url: &str, return_to: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(MOVED, "1");
    if !return_to.is_empty() {
        query.append_pair("return_to", return_to);
    }
    let base = public_url.trim_end_matches('/');
    format!("{base}/auth/github/login?{}", query.finish())
}

/// Returns parameters of the query: the first of several, and an empty text for one that is missing.
fn query<const N: usize>(query: Option<&str>, names: [&str; N]) -> [String; N] {
    let text = query.unwrap_or_default().as_bytes();
    names.map(|name| {
        let mut pairs = form_urlencoded::parse(text);
        let found = pairs.find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    })
}

fn redirect(to: &str, cookies: Vec<Option<HeaderValue>>) -> Response<Body> {
    let Ok(to) = HeaderValue::from_str(to) else {
        let status = ck8s_rpc::status::internal(&"a redirect that fits no header");
        return ErrorPage::new(&status).into_response();
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, to);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for cookie in cookies.into_iter().flatten() {
        headers.append(SET_COOKIE, cookie);
    }
    response
}
