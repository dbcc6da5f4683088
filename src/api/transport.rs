//! One exchange over HTTP: a request goes out, an answer or the way in which it failed comes back.
//!
//! The only file that hands bytes to reqwest. It decides nothing: what an ending means and what
//! follows from it is said by `pace` and `failure`.

use std::error::Error as _;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::failure::{Body, Cause, Failure};
use super::pace::{Ended, Limits};
use crate::kinds::kind::Method;

/// The largest answer that is read, in bytes: a page of 100 objects is far smaller.
const LARGEST: usize = 64 << 20;
/// The headers by which a server, or what stands before it, names a request; the first counts.
const REQUEST_ID: [&str; 4] = ["x-request-id", "x-auth0-requestid", "x-correlation-id", "cf-ray"];

/// What is sent in a body.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing.
    Nothing,
    /// JSON text.
    Json(Vec<u8>),
    /// A form.
    Form(Vec<(&'static str, SecretString)>),
}

/// One request, ready to go.
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) query: &'a [(String, String)],
    pub(super) bearer: Option<&'a SecretString>,
    pub(super) content: Content,
}

/// How an exchange ended.
pub(super) enum Exchange {
    /// An answer came.
    Answer { status: u16, limits: Limits, request_id: Option<Box<str>>, body: Body },
    /// None came; whether sending it again could help.
    None { ended: Ended, failure: Failure, may_help: bool },
}

/// Sends a request and reads its answer.
pub(super) async fn exchange(http: &reqwest::Client, call: &str, request: Outgoing<'_>, now: Duration) -> Exchange {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    };
    let mut outgoing = http.request(method, request.url).header("accept", "application/json");
    if !request.query.is_empty() {
        outgoing = outgoing.query(request.query);
    }
    if let Some(token) = request.bearer {
        outgoing = outgoing.bearer_auth(token.expose_secret());
    }
    outgoing = match request.content {
        Content::Nothing => outgoing,
        Content::Json(text) => outgoing.header("content-type", "application/json").body(text),
        Content::Form(members) => {
            let members: Vec<(&str, &str)> =
                members.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
            outgoing.form(&members)
        }
    };
    match outgoing.send().await {
        Ok(answer) => read(call, answer, now).await,
        Err(error) => unanswered(call, request.url, &error),
    }
}

async fn read(call: &str, mut answer: reqwest::Response, now: Duration) -> Exchange {
    let status = answer.status().as_u16();
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let limits = Limits::read(header, now);
    let request_id = REQUEST_ID.iter().find_map(|name| header(name)).map(Box::from);
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST => {
                let failure = Failure::new(call, Cause::Unknown, "the answer is larger than tenantctl reads");
                return Exchange::None { ended: Ended::Lost, failure, may_help: false };
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            // The status alone tells that it was refused.
            Err(_) if status >= 400 => return Exchange::Answer { status, limits, request_id, body: Body::Empty },
            Err(error) => {
                let failure = Failure::new(call, Cause::Unknown, "the answer broke off").because(chain(&error));
                return Exchange::None { ended: Ended::Lost, failure, may_help: true };
            }
        }
    }
    let body = match serde_json::from_slice(&bytes) {
        Ok(value) => Body::Json(value),
        Err(_) if bytes.trim_ascii().is_empty() => Body::Empty,
        Err(_) => Body::Text(String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()),
    };
    Exchange::Answer { status, limits, request_id, body }
}

fn unanswered(call: &str, url: &str, error: &reqwest::Error) -> Exchange {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let why = chain(error);
    let failed = |cause, message: String| Failure::new(call, cause, message).because(why.clone());
    let unsent = |message: String, hint: &str, may_help| Exchange::None {
        ended: Ended::Unsent,
        failure: failed(Cause::NotDone, message).hint(hint),
        may_help,
    };
    if error.is_builder() {
        return unsent(format!("`{host}` can't be asked"), "check the tenant's domain: it is a host name", false);
    }
    if !error.is_connect() {
        let late = "no answer came in time";
        let broken = "the connection broke before the answer came";
        let failure = failed(Cause::Unknown, if error.is_timeout() { late } else { broken }.to_owned());
        return Exchange::None { ended: Ended::Lost, failure, may_help: true };
    }
    if error.is_dns() {
        let hint = "check the tenant's domain, such as `northwind.eu.auth0.com`, and the network";
        let is_final = NO_SUCH_HOST.iter().any(|words| why.contains(words));
        return unsent(format!("there is no host `{host}`"), hint, !is_final);
    }
    if why.contains("certificate") {
        let hint = "if it is signed by an authority of your own, name its certificate with --ca-bundle FILE";
        return unsent(format!("the certificate of `{host}` is not trusted"), hint, false);
    }
    if why.contains("InvalidContentType") {
        let hint = "a tenant is reached by HTTPS; a sandbox serves it with `--tls`";
        return unsent(format!("`{host}` does not speak HTTPS at this port"), hint, false);
    }
    let hint = "check the network, and HTTPS_PROXY if there is a proxy";
    unsent(format!("can't connect to `{host}`"), hint, true)
}

/// How the resolvers of glibc, musl, macOS and Windows say that a name does not exist: asking again
/// does not help.
const NO_SUCH_HOST: [&str; 4] =
    ["Name or service not known", "Name does not resolve", "nodename nor servname", "No such host is known"];

/// Joins an error's sources, each once; the address is left out, the call names it.
fn chain(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !words.iter().any(|word| word.contains(&text)) {
            words.push(text);
        }
        source = cause.source();
    }
    words.join(": ")
}
