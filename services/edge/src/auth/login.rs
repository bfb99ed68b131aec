//! The browser goes to the provider and comes back.
use ck8s_proto::auth::v1::{FinishSignInRequest, FinishSignInResponse, StartSignInRequest};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE},
};
use hyper::body::Incoming;
use tonic::{Status, body::Body};

use super::{
    SignIn, asked,
    cookie::{REFRESH, SIGN_IN},
    page::Page,
    session::seconds_until,
};

impl SignIn {
    /// Off to the provider.
    pub(super) async fn login(&self, request: &Request<Incoming>) -> Response<Body> {
        let [return_to] = query(request, ["return_to"]);
        let started = asked::with_deadline(StartSignInRequest { return_to });
        let started = match self.auth.clone().start_sign_in(started).await {
            Ok(started) => started.into_inner(),
            Err(status) => return Page::of(&status).into_response(),
        };
        let seconds = started.expires_in.into();
        let cookie = SIGN_IN.set(&started.browser_secret, seconds, self.secure());
        redirect(&started.authorize_url, [cookie])
    }

    /// Back from there.
    pub(super) async fn callback(&self, request: &Request<Incoming>) -> Response<Body> {
        let mut response = match self.finish(request).await {
            Ok(finished) => {
                let session = finished.session.unwrap_or_default();
                let seconds = seconds_until(session.refresh_expire_time.as_ref());
                let cookie = REFRESH.set(&session.refresh_token, seconds, self.secure());
                let to = match finished.return_to.as_str() {
                    "" => "/",
                    path => path,
                };
                redirect(to, [cookie])
            }
            Err(status) => Page::of(&status).into_response(),
        };
        if let Some(used) = SIGN_IN.clear(self.secure()) {
            response.headers_mut().append(SET_COOKIE, used);
        }
        response
    }

    async fn finish(&self, request: &Request<Incoming>) -> Result<FinishSignInResponse, Status> {
        let [code, state, error] = query(request, ["code", "state", "error"]);
        let browser = SIGN_IN.of(request.headers()).unwrap_or_default();
        let finished = asked::with_deadline(FinishSignInRequest {
            code,
            state,
            browser_secret: browser.to_owned(),
            error,
        });
        Ok(self
            .auth
            .clone()
            .finish_sign_in(finished)
            .await?
            .into_inner())
    }
}

/// Parameters of the query, each empty if it is not there; the first of several.
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
        return Page::of(&status).into_response();
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
