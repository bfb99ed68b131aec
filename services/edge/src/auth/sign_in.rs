//! Sign-in in the browser: it is sent to the provider and comes back.
use ck8s_proto::auth::v1::{FinishSignInRequest, FinishSignInResponse, StartSignInRequest};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE},
};
use hyper::body::Incoming;
use tonic::{Status, body::Body};

use super::{
    cookies::{REFRESH, SIGN_IN},
    endpoints::AuthEndpoints,
    error_page::ErrorPage,
    session::seconds_until,
};

impl AuthEndpoints {
    /// Sends the browser to the provider.
    pub(super) async fn start_sign_in(&self, request: &Request<Incoming>) -> Response<Body> {
        let [return_to] = query(request, ["return_to"]);
        let started = StartSignInRequest { return_to };
        let started = match self.auth.clone().start_sign_in(started).await {
            Ok(started) => started.into_inner(),
            Err(status) => return ErrorPage::new(&status).into_response(),
        };
        let seconds = started.expires_in.into();
        let cookie = SIGN_IN.set(&started.browser_secret, seconds, self.cookie_transport());
        redirect(&started.authorize_url, [cookie])
    }

    /// Takes the browser back from the provider.
    pub(super) async fn finish_sign_in(&self, request: &Request<Incoming>) -> Response<Body> {
        let mut response = match self.session_of(request).await {
            Ok(finished) => {
                let session = finished.session.unwrap_or_default();
                let seconds = seconds_until(session.refresh_expire_time.as_ref());
                let cookie = REFRESH.set(&session.refresh_token, seconds, self.cookie_transport());
                let to = match finished.return_to.as_str() {
                    "" => "/",
                    path => path,
                };
                redirect(to, [cookie])
            }
            Err(status) => ErrorPage::new(&status).into_response(),
        };
        if let Some(used) = SIGN_IN.clear(self.cookie_transport()) {
            response.headers_mut().append(SET_COOKIE, used);
        }
        response
    }

    async fn session_of(
        &self,
        request: &Request<Incoming>,
    ) -> Result<FinishSignInResponse, Status> {
        let [code, state, error] = query(request, ["code", "state", "error"]);
        let browser = SIGN_IN.read(request.headers()).unwrap_or_default();
        let finished = FinishSignInRequest {
            code,
            state,
            browser_secret: browser.to_owned(),
            error,
        };
        Ok(self
            .auth
            .clone()
            .finish_sign_in(finished)
            .await?
            .into_inner())
    }
}

/// Returns parameters of the query: the first of several, and an empty text for one that is missing.
fn query<const N: usize>(request: &Request<Incoming>, names: [&str; N]) -> [String; N] {
    let text = request.uri().query().unwrap_or_default().as_bytes();
    names.map(|name| {
        let mut pairs = form_urlencoded::parse(text);
        let found = pairs.find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    })
}

fn redirect<const N: usize>(to: &str, cookies: [Option<HeaderValue>; N]) -> Response<Body> {
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
