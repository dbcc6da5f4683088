//! The client of the Management API: the one seam between tenantctl and the world.
//!
//! [`Client::fetch`] reads kinds into a `Tenant`, [`Client::send`] makes one call of a plan. It knows
//! declarations and calls, but no plan, file or environment.
//!
//! ```text
//!   Client -> auth (token) -> wire (in its turn, again) -> transport (one exchange)
//!   fetch  -> paging          budgets, pace                 failure (what it says)
//! ```

pub mod auth;
pub mod budget;
pub mod budgets;
pub mod clock;
pub mod failure;
mod fetch;
mod flow;
pub mod pace;
mod page;
pub mod paging;
mod tls;
mod transport;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, watch};

use crate::error::Error;
use crate::kinds::kind::{Kind, Method};
use crate::plan::call::Call;
use crate::secret::Secrets;
use auth::{Credentials, Proof, Token};
use clock::Clock;
use failure::{Body, Cause, Failure, TOKEN};
use pace::{Pacing, Repeat};
use transport::Content;
use wire::{Answered, Request, Wire};

pub(crate) use fetch::unreadable;
pub use tls::{Roots, Trust};
pub use wire::Stats;

/// Where the tenant is, and how to sign in.
#[derive(Debug)]
pub struct Connection {
    /// `https://HOST`, or `http://127.0.0.1:PORT` for a sandbox in this process.
    pub base_url: String,
    /// The tenant's own domain: it names the Management API, and the tenant in assertions.
    pub domain: String,
    /// The Management API's identifier, where it is not `https://DOMAIN/api/v2/`.
    pub audience: Option<String>,
    /// Who signs in.
    pub credentials: Credentials,
    /// The HTTP client with what it trusts, in the making.
    pub trust: Trust,
    /// Where secrets are learned.
    pub secrets: Secrets,
    /// How fast requests may go out.
    pub pacing: Pacing,
    /// The clock to wait by.
    pub clock: Clock,
}

/// An answer to a call.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, if there is one. It may hold secrets; Debug does not show it.
    pub body: Option<Value>,
    /// How the API names the request, for its own people.
    pub request_id: Option<Box<str>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A client of one tenant's Management API, signed in. Clones share the connection.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    wire: Wire,
    domain: String,
    audience: String,
    own: Option<String>,
    proof: Proof,
    secrets: Secrets,
    token: Mutex<Option<Token>>,
    token_requests: AtomicUsize,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("domain", &self.0.domain).finish_non_exhaustive()
    }
}

/// What a read asks for.
struct Query<'a> {
    path: &'a str,
    pairs: &'a [(String, String)],
    bucket: &'a str,
}

impl Client {
    /// Signs in.
    ///
    /// # Errors
    /// Credentials that can't be used or that the tenant refuses, or a tenant that can't be reached.
    pub async fn connect(connection: Connection) -> Result<Self, Error> {
        let Connection { base_url, domain, audience, credentials, trust, secrets, pacing, clock } = connection;
        credentials.teach(&secrets);
        let http = trust.http()?;
        let client = Self(Arc::new(Shared {
            wire: Wire::new(http, &base_url, secrets.clone(), clock, pacing),
            audience: audience.unwrap_or_else(|| format!("https://{domain}/api/v2/")),
            domain,
            own: credentials.client_id(),
            proof: Proof::of(&credentials)?,
            secrets,
            token: Mutex::new(None),
            token_requests: AtomicUsize::new(0),
        }));
        client.bearer(None).await?;
        Ok(client)
    }

    /// Gives the id of the application that signed in, where it is known.
    #[must_use]
    pub fn own_client_id(&self) -> Option<&str> {
        self.0.own.as_deref()
    }

    /// Tells what was sent so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            requests: self.0.wire.requests(),
            token_requests: self.0.token_requests.load(Ordering::Relaxed),
            rounds: self.rounds(),
        }
    }

    /// Reads one object by its handle; a singleton without.
    ///
    /// # Errors
    /// The API's refusal, or a failure to reach it.
    pub async fn get(&self, kind: &Kind, id: Option<&str>) -> Result<Map<String, Value>, Failure> {
        match &kind.get {
            Some(get) => self.read_one(get, id, self.rounds()).await,
            None => Err(Failure::new(&format!("GET {}", kind.name), Cause::NotDone, "it can't be read one by one")),
        }
    }

    /// Makes a call of a plan.
    ///
    /// # Errors
    /// Any answer that is no success, or a failure to reach the API; its cause says what it means.
    pub async fn send(&self, call: &Call) -> Result<Answer, Failure> {
        self.send_after(call, self.rounds(), &|| (), None).await
    }

    /// Makes a call after a chain of others.
    ///
    /// `sent` is called whenever a request really goes out, once for each attempt. Once `stop` is true
    /// none goes out any more; one that is in flight is answered.
    pub(crate) async fn send_after(
        &self,
        call: &Call,
        after: usize,
        sent: &(dyn Fn() + Sync),
        stop: Option<&watch::Receiver<bool>>,
    ) -> Result<Answer, Failure> {
        let name = format!("{call:?}");
        let text = call.body.as_ref().map(|body| serde_json::to_vec(body).expect("a JSON map has text"));
        let content = || {
            sent();
            Ok(text.clone().map_or(Content::Nothing, Content::Json))
        };
        let path = format!("/api/v2{}", call.path);
        let request = Request {
            call: &name,
            method: call.method,
            path: &path,
            query: &[],
            content: &content,
            bearer: None,
            repeat: if call.method == Method::Post { Repeat::IfNotDone } else { Repeat::Always },
            bucket: call.bucket.as_deref().unwrap_or_default(),
            after,
            stop,
        };
        let Answered { status, body, request_id } = self.signed(request).await?;
        let body = match body {
            Body::Json(body) => Some(body),
            Body::Empty | Body::Text(_) => None,
        };
        Ok(Answer { status, body, request_id })
    }

    /// Reads something.
    async fn read(&self, query: &Query<'_>, after: usize) -> Result<Value, Failure> {
        let name = format!("GET {}", query.path);
        let path = format!("/api/v2{}", query.path);
        let request = Request {
            call: &name,
            method: Method::Get,
            path: &path,
            query: query.pairs,
            content: &|| Ok(Content::Nothing),
            bearer: None,
            repeat: Repeat::Always,
            bucket: query.bucket,
            after,
            stop: None,
        };
        match self.signed(request).await?.body {
            Body::Json(value) => Ok(value),
            Body::Empty | Body::Text(_) => Err(Failure::new(&name, Cause::Unknown, "the answer is empty")),
        }
    }

    /// Sends a request with the token; once again with a new one where the API does not take it.
    async fn signed(&self, request: Request<'_>) -> Result<Answered, Failure> {
        let mut refused: Option<SecretString> = None;
        loop {
            let token = self.bearer(refused.as_ref()).await?;
            let answered = self.0.wire.send(&Request { bearer: Some(&token), ..request }).await?;
            let may_renew = refused.is_none() && !matches!(self.0.proof, Proof::Token(_));
            match answered.status {
                200..300 => return Ok(answered),
                401 if may_renew => refused = Some(token),
                _ => return Err(self.0.wire.hide(answered.failure(request.call))),
            }
        }
    }

    /// Gives a token that is fresh and is not the refused one.
    async fn bearer(&self, refused: Option<&SecretString>) -> Result<SecretString, Failure> {
        let mut kept = self.0.token.lock().await;
        let is_refused = |token: &Token| refused.is_some_and(|old| old.expose_secret() == token.text.expose_secret());
        if let Some(token) = kept.as_ref().filter(|token| token.is_fresh(self.0.wire.clock.now()) && !is_refused(token))
        {
            return Ok(token.text.clone());
        }
        let token = match &self.0.proof {
            Proof::Token(text) => Token::ready(text.clone()),
            proof => self.ask_token(proof).await?,
        };
        let text = token.text.clone();
        *kept = Some(token);
        Ok(text)
    }

    async fn ask_token(&self, proof: &Proof) -> Result<Token, Failure> {
        let Shared { wire, domain, audience, secrets, token_requests, .. } = &*self.0;
        let content = || {
            token_requests.fetch_add(1, Ordering::Relaxed);
            let form = proof.form(domain, audience, wire.clock.now())?;
            form.iter().filter(|(name, _)| *name == "client_assertion").for_each(|(_, jwt)| {
                secrets.learn(jwt.expose_secret());
            });
            Ok(Content::Form(form))
        };
        let request = Request {
            call: TOKEN,
            method: Method::Post,
            path: "/oauth/token",
            query: &[],
            content: &content,
            bearer: None,
            repeat: Repeat::Always,
            bucket: budgets::TOKENS,
            after: 0,
            stop: None,
        };
        let Answered { status, body, request_id } = wire.send(&request).await?;
        if let (200, Body::Json(answer)) = (status, &body)
            && let Some(token) = Token::read(answer, wire.clock.now())
        {
            secrets.learn(token.text.expose_secret());
            return Ok(token);
        }
        let failure = match status {
            200..300 => Failure::new(TOKEN, Cause::Refused, "the answer holds no access token")
                .hint("this does not look like an Auth0 tenant: check the tenant's domain"),
            _ => Failure::token(status, &body, domain, audience),
        };
        Err(wire.hide(Failure { request_id, ..failure }))
    }

    pub(crate) fn rounds(&self) -> usize {
        self.0.wire.rounds()
    }

    pub(crate) fn parallelism(&self) -> usize {
        self.0.wire.parallelism()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.wire.clock
    }
}

#[cfg(test)]
mod budget_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
