//! From the wire to values and back: one request over HTTP, its fate, its answer.
//!
//! What the answer is, `http` finds out; in which way it goes, `wire` knows. Here stands what comes first: a fault
//! may strike before a request is read, after it is carried out, or anywhere between. Each request is told in a
//! line with its number, and each fault that strikes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::header;
use tokio::time::Instant;

use super::exchange::{Request, Response};
use super::faults::{Fate, Strike, What};
use super::http::{Shared, now};
use super::line::Line;
use super::router::{self, Route, parameters};
use super::wire;
use crate::kinds::Registry;
use crate::kinds::kind::Method;

/// What is asked: the head of a request, and what becomes of it.
pub(super) struct Asked {
    /// None where it is not one of the API's.
    pub(super) method: Option<Method>,
    pub(super) path: String,
    /// Method and path, for people.
    pub(super) name: String,
    pub(super) fate: Fate,
}

impl Asked {
    /// Says that a fault strikes.
    pub(super) fn tell(&self, strike: &Strike) {
        tracing::debug!("fault {} at request {}: {}", strike.text, self.fate.number, self.name);
    }

    /// Says what came of it.
    fn told(&self, outcome: &str) {
        tracing::debug!("request {}: {} {outcome}", self.fate.number, self.name);
    }

    pub(super) fn route(&self) -> Option<Route<'static>> {
        router::route(Registry::builtin(), self.method?, self.path.strip_prefix("/api/v2")?)
    }
}

/// Answers one request, or not. Half of the latency is the way here, half the way back, so that what the sandbox
/// itself takes adds nothing.
pub async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let latency = shared.manner().latency;
    let sent = Instant::now();
    let asked = asked(&shared, &request);
    if latency.is_zero() {
        return answered(&shared, &asked, &line, request).await;
    }
    tokio::time::sleep_until(sent + latency / 2).await;
    let answer = answered(&shared, &asked, &line, request).await;
    tokio::time::sleep_until(sent + latency).await;
    answer
}

/// Answers one request at once, or not.
async fn answered(
    shared: &Shared,
    asked: &Asked,
    line: &Line,
    request: axum::extract::Request,
) -> axum::response::Response {
    let strike = asked.fate.answer.as_ref();
    strike.inspect(|strike| asked.tell(strike));
    let what = strike.map(|strike| strike.what);
    if what == Some(What::ResetBefore) {
        asked.told("not answered");
        line.reset();
        return nothing();
    }
    let request = read(shared, asked, request).await;
    match what {
        Some(What::Hang) => {
            asked.told("not answered");
            shared.stopping().await;
            line.close();
            nothing()
        }
        Some(What::Html(status)) => {
            asked.told(&status.to_string());
            wire::page(status)
        }
        what => {
            let instead = what.and_then(|what| wire::scripted(what, &asked.path));
            let response = shared.answer(asked, request, instead, now());
            send(asked, line, what, response).await
        }
    }
}

/// Sends an answer on its way, or not.
async fn send(asked: &Asked, line: &Line, what: Option<What>, response: Response) -> axum::response::Response {
    let status = response.status.to_string();
    match what {
        Some(What::ResetAfter) => {
            asked.told(&format!("{status}, not answered"));
            line.reset();
            nothing()
        }
        // Of an answer without a body there is no half.
        Some(What::Truncate) if response.body.is_none() => {
            asked.told(&format!("{status}, not answered"));
            line.close();
            nothing()
        }
        what => {
            asked.told(&status);
            match what {
                Some(What::Truncate) => wire::truncated(response),
                Some(What::Slow(millis)) => wire::slow(response, Duration::from_millis(millis)).await,
                _ => wire::whole(response),
            }
        }
    }
}

/// Gives what is answered over a line that is cut: nobody sees it.
fn nothing() -> axum::response::Response {
    axum::response::Response::new(Body::empty())
}

/// Reads the head of a request, and counts it.
fn asked(shared: &Shared, request: &axum::extract::Request) -> Asked {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let fate = shared.fate(method, path);
    let name = format!("{method} {path}");
    let method = match method {
        // The server leaves out the body of an answer to HEAD (RFC 9110, 9.3.2).
        "GET" | "HEAD" => Some(Method::Get),
        "POST" => Some(Method::Post),
        "PUT" => Some(Method::Put),
        "PATCH" => Some(Method::Patch),
        "DELETE" => Some(Method::Delete),
        _ => None,
    };
    Asked { method, path: path.to_owned(), name, fate }
}

/// Reads the whole request, or gives the refusal of what can't be read.
async fn read(shared: &Shared, asked: &Asked, request: axum::extract::Request) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, wire::LARGEST_BODY).await.map_err(|error| wire::unreadable(&error))?;
    let method = asked.method.ok_or_else(Response::not_found)?;
    // HTTP/2 has it in the address (RFC 9113, 8.3.1).
    let authority = parts.uri.authority().map(ToString::to_string);
    let host = authority.or_else(|| wire::text(&parts.headers, &header::HOST)).unwrap_or("127.0.0.1".to_owned());
    let scheme = if shared.manner().is_tls { "https" } else { "http" };
    let content_type = wire::text(&parts.headers, &header::CONTENT_TYPE).unwrap_or_default();
    Ok(Request {
        method,
        path: asked.path.clone(),
        query: parameters(parts.uri.query().unwrap_or_default()),
        content_type: content_type.split(';').next().unwrap_or_default().trim().to_lowercase(),
        authorization: wire::text(&parts.headers, &header::AUTHORIZATION),
        origin: format!("{scheme}://{host}"),
        body: body.to_vec(),
    })
}
