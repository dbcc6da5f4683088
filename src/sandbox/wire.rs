//! Answers as they go over the wire: whole, broken off, slow, or from somebody in between.
//!
//! What an answer is, others decide; `http` says in which of these ways it goes.

use std::convert::Infallible;
use std::io::{Error, ErrorKind};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::exchange::Response;
use super::faults::What;

/// The largest body that the API takes (auth-and-limits.md, 5).
pub const LARGEST_BODY: usize = 1024 * 1024;
/// How long the first half of an answer has to get away before the connection ends.
const FLUSH: Duration = Duration::from_millis(10);
/// So many pieces has a slow body, if it has so many bytes.
const PIECES: usize = 20;

type Answer = axum::response::Response;

/// Reads a header.
#[must_use]
pub fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Tells a body that is too large from one that breaks off; the words are those of the API's web framework (hapi).
#[must_use]
pub fn unreadable(error: &axum::Error) -> Response {
    let is_too_large = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source())
        .any(|error| error.to_string() == "length limit exceeded");
    if is_too_large {
        let text = format!("Payload content length greater than maximum allowed: {LARGEST_BODY}");
        return Response::refused(413, "Request Entity Too Large", None, &text);
    }
    Response::refused(400, "Bad Request", None, "Invalid request payload")
}

/// Makes the refusal of a request that is over a limit (its body is known from clients' sources;
/// auth-and-limits.md, 5).
#[must_use]
pub fn too_many() -> Response {
    Response::refused(429, "Too Many Requests", Some("too_many_requests"), "Global limit has been reached")
}

/// Makes the answer that a fault gives in the place of the real one, if it gives one in the API's words.
#[must_use]
pub fn scripted(what: What, path: &str) -> Option<Response> {
    let (status, retry_after) = match what {
        What::Status { status, retry_after } => (status, retry_after),
        What::Refuse => (403, None),
        _ => return None,
    };
    let reason = reason(status);
    let mut response = match status {
        // The token endpoint's shape is another one (auth-and-limits.md, 2).
        _ if !path.starts_with("/api/") => {
            let code = match status {
                429 => "too_many_requests",
                401 | 403 => "access_denied",
                500.. => "server_error",
                _ => "invalid_request",
            };
            Response::read(status, json!({"error": code, "error_description": reason}))
        }
        401 => Response::unauthorized("Invalid token"),
        // The code is recorded, and the message for one feature.
        403 if what == What::Refuse => {
            let message = "Please upgrade your subscription to use this feature";
            Response::refused(403, reason, Some("insufficient_entitlement"), message)
        }
        429 => too_many(),
        status => Response::refused(status, reason, None, reason),
    };
    response.headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
    Some(response)
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

/// Makes an answer.
#[must_use]
pub fn whole(response: Response) -> Answer {
    let body = response.body.as_ref().map(ToString::to_string);
    answer(response, body.map_or_else(Body::empty, Body::from))
}

/// Makes an answer whose body ends half way, and the connection with it.
#[must_use]
pub fn truncated(response: Response) -> Answer {
    let Some((mut body, length)) = bytes(&response) else { return whole(response) };
    body.truncate(length / 2);
    let end = async {
        tokio::time::sleep(FLUSH).await;
        Err(Error::new(ErrorKind::UnexpectedEof, "cut by a fault"))
    };
    let parts = stream::once(async { Ok(body) }).chain(stream::once(end));
    with_length(answer(response, Body::from_stream(parts)), length)
}

/// Makes an answer whose body takes its time; where there is none, the answer does.
pub async fn slow(response: Response, time: Duration) -> Answer {
    let Some((body, length)) = bytes(&response) else {
        tokio::time::sleep(time).await;
        return whole(response);
    };
    let pieces: Vec<Vec<u8>> = body.chunks(length.div_ceil(PIECES).max(1)).map(<[u8]>::to_vec).collect();
    let pause = time / u32::try_from(pieces.len()).unwrap_or(1).max(1);
    let pieces = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Infallible>(piece)
    });
    with_length(answer(response, Body::from_stream(pieces)), length)
}

/// Makes the page of a proxy that could not reach the API.
#[must_use]
pub fn page(status: u16) -> Answer {
    let title = format!("{status} {}", reason(status));
    let page = format!(
        "<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body><h1>{title}</h1>\n\
         <p>The server that this proxy stands in front of did not answer.</p></body>\n</html>\n"
    );
    let mut answer = Answer::new(Body::from(page));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

fn bytes(response: &Response) -> Option<(Vec<u8>, usize)> {
    let body = response.body.as_ref()?.to_string().into_bytes();
    let length = body.len();
    Some((body, length))
}

fn with_length(mut answer: Answer, length: usize) -> Answer {
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    answer
}

fn answer(response: Response, body: Body) -> Answer {
    let mut answer = Answer::new(body);
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if response.body.is_some() {
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
