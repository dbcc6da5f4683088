//! From the wire to values and back: HTTP on 127.0.0.1, limits, latency, and when to write the state.
//!
//! The only part of the sandbox with sockets, clock and randomness; what an answer is, `oauth` and the
//! store decide.

use std::net::TcpListener as StdListener;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::exchange::{Moment, Request, Response};
use super::router::{self, parameters};
use super::state::State;
use super::{oauth, operations};
use crate::error::Error;
use crate::files::{self, Mode};
use crate::kinds::kind::Method;

/// The largest body that the API takes (auth-and-limits.md, 5).
const LARGEST_BODY: usize = 1024 * 1024;
/// How long writes are gathered before the state is written.
const GATHER: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    path: Option<PathBuf>,
    /// Held while the file is written, so that an older state never replaces a newer one.
    file: Mutex<()>,
    changed: tokio::sync::Notify,
    window: Mutex<(u64, u32)>,
    manner: Manner,
}

/// How requests are answered, and as whom.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Requests to the Management API per second.
    pub rate_limit: Option<u32>,
    /// How long every answer takes at least.
    pub latency: Duration,
    /// The tenant's name; the first label of its domain without it.
    pub tenant_name: Option<String>,
    /// Speaks TLS.
    pub is_tls: bool,
}

impl Shared {
    /// Gathers what a server needs.
    #[must_use]
    pub fn new(state: State, path: Option<PathBuf>, manner: Manner) -> Self {
        Self {
            state: Mutex::new(state),
            path,
            file: Mutex::new(()),
            changed: tokio::sync::Notify::new(),
            window: Mutex::new((0, 0)),
            manner,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the state to its file, if it has one.
    ///
    /// # Errors
    /// Says why it could not be written.
    pub fn flush(&self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let _one = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.state().text()?;
        files::write(path, &text, Mode::Private)
    }

    /// Writes the state some time after each change, for ever.
    pub async fn keep(&self) {
        loop {
            self.changed.notified().await;
            tokio::time::sleep(GATHER).await;
            if let Err(error) = self.flush() {
                tracing::warn!("{error}: {}", error.causes.join(": "));
            }
        }
    }

    /// Counts a request to the Management API against the limit of this second, and gives the headers
    /// that tell it; the window is a fixed second.
    fn count(&self, now: u64) -> Option<(bool, Vec<(&'static str, String)>)> {
        let limit = self.manner.rate_limit?;
        let second = now / 1000;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0 != second {
            *window = (second, 0);
        }
        let is_over = window.1 >= limit;
        if !is_over {
            window.1 += 1;
        }
        let mut headers = vec![
            ("x-ratelimit-limit", limit.to_string()),
            ("x-ratelimit-remaining", (limit - window.1).to_string()),
            ("x-ratelimit-reset", (second + 1).to_string()),
        ];
        if is_over {
            headers.push(("retry-after", "1".to_owned()));
        }
        Some((is_over, headers))
    }

    fn answer(&self, request: &Request, now: u64) -> Response {
        let counted = request.path.starts_with("/api/").then(|| self.count(now)).flatten();
        let mut response = match &counted {
            // The body is known from clients' sources (auth-and-limits.md, 5).
            Some((true, _)) => {
                Response::refused(429, "Too Many Requests", Some("too_many_requests"), "Global limit has been reached")
            }
            _ => self
                .answer_within_limits(request, now)
                .unwrap_or_else(|error| Response::refused(500, "Internal Server Error", None, &error.to_string())),
        };
        response.headers.extend(counted.into_iter().flat_map(|(_, headers)| headers));
        response
    }

    fn answer_within_limits(&self, request: &Request, now: u64) -> Result<Response, Error> {
        let mut state = self.state();
        let mut rng = fill_random;
        let tenant_name = self.manner.tenant_name.as_deref();
        let is_new = !state.has_keys();
        let scopes = std::collections::HashSet::new();
        let domain = state.store.domain().to_owned();
        let mut moment = Moment { now, rng: &mut rng, scopes, domain, tenant_name };
        match (request.method, request.path.as_str()) {
            (Method::Post, "/oauth/token") => {
                let keys = state.keys()?;
                let mut jti = [0; 16];
                fill_random(&mut jti);
                let jti = URL_SAFE_NO_PAD.encode(jti);
                let State { store, used, .. } = &mut *state;
                let response = oauth::token(store, &keys, used, request, now, &jti);
                Ok(Response { is_write: is_new, ..response })
            }
            (Method::Get, "/.well-known/jwks.json") => {
                Ok(Response { is_write: is_new, ..Response::read(200, state.keys()?.jwks()) })
            }
            (Method::Get, "/.well-known/openid-configuration") => {
                Ok(Response::read(200, oauth::discovery(&request.origin)))
            }
            (method, path) => {
                let Some(path) = path.strip_prefix("/api/v2") else { return Ok(Response::not_found()) };
                let keys = state.keys()?;
                let Some(route) = router::route(state.store.registry(), method, path) else {
                    return Ok(Response::not_found());
                };
                moment.scopes = match oauth::scopes(&state.store, &keys, request, now) {
                    Ok(scopes) => scopes,
                    Err(refusal) => return Ok(refusal),
                };
                if !moment.may(route.scopes) {
                    return Ok(Response::insufficient_scope(route.scopes));
                }
                Ok(operations::handle(&mut state.store, request, &route, &mut moment))
            }
        }
    }
}

/// Fills a buffer from the system's source.
///
/// # Panics
/// If the system has no source of randomness.
pub fn fill_random(buffer: &mut [u8]) {
    // It fails only where the system has no source of randomness at all; TLS would not start there.
    aws_lc_rs::rand::fill(buffer).expect("a source of randomness");
}

/// Reads the clock.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Listens on 127.0.0.1.
///
/// # Errors
/// Says why the port could not be taken.
pub fn bind(port: u16) -> Result<StdListener, Error> {
    let fail = |error: std::io::Error| {
        Error::new(format!("cannot listen on 127.0.0.1:{port}")).because(error).hint("--port 0 picks a free port")
    };
    let listener = StdListener::bind(("127.0.0.1", port)).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}

/// Answers one request.
pub async fn serve(
    axum::extract::State(shared): axum::extract::State<std::sync::Arc<Shared>>,
    request: axum::extract::Request,
) -> axum::response::Response {
    if !shared.manner.latency.is_zero() {
        tokio::time::sleep(shared.manner.latency).await;
    }
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(error) => return on_the_wire(unreadable(&error)),
    };
    let method = match parts.method.as_str() {
        // The server leaves out the body of an answer to HEAD (RFC 9110, 9.3.2).
        "GET" | "HEAD" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => return on_the_wire(Response::not_found()),
    };
    let host = text(&parts.headers, &header::HOST).unwrap_or_else(|| "127.0.0.1".to_owned());
    let scheme = if shared.manner.is_tls { "https" } else { "http" };
    let content_type = text(&parts.headers, &header::CONTENT_TYPE).unwrap_or_default();
    let request = Request {
        method,
        path: parts.uri.path().to_owned(),
        query: parameters(parts.uri.query().unwrap_or_default()),
        content_type: content_type.split(';').next().unwrap_or_default().trim().to_lowercase(),
        authorization: text(&parts.headers, &header::AUTHORIZATION),
        origin: format!("{scheme}://{host}"),
        body: body.to_vec(),
    };
    let response = shared.answer(&request, now());
    tracing::debug!("{} {} {}", request.method, request.path, response.status);
    if response.is_write {
        shared.changed.notify_one();
    }
    on_the_wire(response)
}

/// Tells a body that is too large from one that breaks off; the words are those of the API's web framework (hapi).
fn unreadable(error: &axum::Error) -> Response {
    let is_too_large = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source())
        .any(|error| error.to_string() == "length limit exceeded");
    if is_too_large {
        let text = format!("Payload content length greater than maximum allowed: {LARGEST_BODY}");
        return Response::refused(413, "Request Entity Too Large", None, &text);
    }
    Response::refused(400, "Bad Request", None, "Invalid request payload")
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn on_the_wire(response: Response) -> axum::response::Response {
    let body = response.body.map(|body| body.to_string());
    let is_empty = body.is_none();
    let mut answer = axum::response::Response::new(body.map_or_else(Body::empty, Body::from));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !is_empty {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    answer
}

/// Gives what a ready sandbox tells its user.
#[must_use]
pub fn credentials(shared: &Shared) -> (String, String) {
    let state = shared.state();
    let secret = oauth::secret_of(&state.store, &state.client_id).unwrap_or_default();
    (state.client_id.clone(), secret)
}

/// Gives the line by which `sandbox serve` says that it is ready.
#[must_use]
pub fn ready_line(url: &str, domain: &str, ca: Option<&str>, client_id: &str, client_secret: &str) -> String {
    let mut line = json!({"url": url, "domain": domain});
    if let Some(ca) = ca {
        line["ca"] = json!(ca);
    }
    line["client_id"] = json!(client_id);
    line["client_secret"] = json!(client_secret);
    format!("{line}\n")
}
