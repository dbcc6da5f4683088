//! Requests at the pace of the limit: in order to be sent, sent, repeated, counted, logged.
//!
//! Stands between `Client`, which knows what is asked, and `transport`, which sends one request. All
//! decisions are `pace`'s; here is the waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::clock::Clock;
use super::failure::{Body, Cause, Failure};
use super::pace::{self, Attempt, Budget, Ended, Limits, MOST_WAITING, Next, Repeat};
use super::transport::{Content, Exchange, Outgoing, exchange};
use crate::kinds::kind::Method;
use crate::secret::Secrets;

/// How many requests were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// All of them, repeated ones and those for tokens too.
    pub requests: usize,
    /// Those for tokens.
    pub token_requests: usize,
    /// The longest chain of requests of which each had to wait for the one before.
    pub rounds: usize,
}

/// One request.
pub(super) struct Request<'a> {
    /// Its name for people, such as `GET /clients`.
    pub(super) call: &'a str,
    pub(super) method: Method,
    /// Below the base.
    pub(super) path: &'a str,
    pub(super) query: &'a [(String, String)],
    /// Makes the body, anew for each attempt.
    pub(super) content: &'a (dyn Fn() -> Result<Content, Failure> + Sync),
    pub(super) bearer: Option<&'a SecretString>,
    pub(super) repeat: Repeat,
    /// The rate limit that it counts against; empty for the common one.
    pub(super) bucket: &'a str,
    /// How many requests in a chain had to come before it.
    pub(super) after: usize,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Body,
}

/// The line to one tenant.
pub(super) struct Wire {
    http: reqwest::Client,
    base: String,
    secrets: Secrets,
    pub(super) clock: Clock,
    parallelism: usize,
    slots: Semaphore,
    budgets: Mutex<HashMap<String, Budget>>,
    news: Notify,
    requests: AtomicUsize,
    rounds: AtomicUsize,
}

impl Wire {
    pub(super) fn new(http: reqwest::Client, base: &str, secrets: Secrets, clock: Clock, parallelism: usize) -> Self {
        let parallelism = parallelism.max(1);
        Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            secrets,
            clock,
            parallelism,
            slots: Semaphore::new(parallelism),
            budgets: Mutex::default(),
            news: Notify::new(),
            requests: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
        }
    }

    pub(super) fn parallelism(&self) -> usize {
        self.parallelism
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn rounds(&self) -> usize {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Sends a request until it is answered or given up. Any status is an answer.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answered, Failure> {
        self.rounds.fetch_max(request.after + 1, Ordering::Relaxed);
        let (mut waited, mut number) = (Duration::ZERO, 0);
        loop {
            number += 1;
            let (ended, limits, found) = self.attempt(request).await?;
            let attempt = Attempt { ended, limits, number, waited, repeat: request.repeat, jitter: chance() };
            match (found, pace::next(&attempt)) {
                (Tried { may_help: false, outcome }, _) | (Tried { outcome, .. }, Next::Done) => {
                    return outcome.map_err(|failure| self.hide(failure));
                }
                (_, Next::Wait(time)) => {
                    waited += time;
                    tracing::debug!(call = request.call, ?ended, wait = %pace::words(time), "is sent again");
                    self.clock.wait(time).await;
                }
                (Tried { outcome, .. }, Next::GiveUp(why)) => {
                    let failure = match outcome {
                        Ok(Answered { status, body }) => Failure::answered(request.call, status, &body),
                        Err(failure) => failure,
                    };
                    return Err(self.hide(failure.because(why)));
                }
            }
        }
    }

    /// Sends a request once, when its turn has come.
    async fn attempt(&self, request: &Request<'_>) -> Result<(Ended, Limits, Tried), Failure> {
        let slot = self.admitted(request).await?;
        let url = format!("{}{}", self.base, request.path);
        let outgoing = Outgoing {
            method: request.method,
            url: &url,
            query: request.query,
            bearer: request.bearer,
            content: (request.content)()?,
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        let result = exchange(&self.http, request.call, outgoing, self.clock.now()).await;
        let ms = started.elapsed().as_millis();
        let in_flight = (self.parallelism - self.slots.available_permits()).saturating_sub(1);
        drop(slot);
        Ok(match result {
            Exchange::Answer { status, limits, body } => {
                tracing::debug!(method = %request.method, path = request.path, status, ms, "answered");
                self.learn(request.bucket, status, limits, in_flight as u64);
                let is_text = matches!(body, Body::Text(_));
                let is_missing = body == Body::Empty && request.method == Method::Get;
                let is_garbled = (200..300).contains(&status) && (is_text || is_missing);
                let ended = if is_garbled { Ended::Garbled } else { Ended::Answered(status) };
                let outcome = match &body {
                    Body::Text(text) => Err(Failure::not_the_api(request.call, status, text)),
                    Body::Empty if is_garbled => Err(Failure::new(request.call, Cause::Unknown, "the answer is empty")),
                    Body::Json(_) | Body::Empty => Ok(Answered { status, body }),
                };
                // Where no token was got yet, an answer of another kind shows a wrong domain.
                let may_help = !is_garbled || request.bearer.is_some();
                (ended, limits, Tried { outcome, may_help })
            }
            Exchange::None { ended, failure, may_help } => {
                tracing::debug!(method = %request.method, path = request.path, ?ended, ms, "not answered");
                (ended, Limits::default(), Tried { outcome: Err(failure), may_help })
            }
        })
    }

    /// Waits for a slot, and until the budget has room. Who waits for the budget holds no slot:
    /// another limit's requests may have room.
    async fn admitted(&self, request: &Request<'_>) -> Result<SemaphorePermit<'_>, Failure> {
        loop {
            let slot = self.slots.acquire().await.expect("the semaphore is never closed");
            let news = self.news.notified();
            let verdict =
                self.budgets(|budgets| budgets.entry(request.bucket.to_owned()).or_default().admit(self.clock.now()));
            match verdict {
                Ok(()) => return Ok(slot),
                Err(wait) if wait > MOST_WAITING => {
                    let message = format!("the rate limit is used up, and opens again in {}", pace::words(wait));
                    return Err(Failure::new(request.call, Cause::NotDone, message).hint("try again then"));
                }
                Err(wait) => {
                    drop(slot);
                    tokio::select! {
                        () = self.clock.wait(wait) => {}
                        () = news => {}
                    }
                }
            }
        }
    }

    fn learn(&self, bucket: &str, status: u16, limits: Limits, in_flight: u64) {
        let now = self.clock.now();
        self.budgets(|budgets| budgets.entry(bucket.to_owned()).or_default().learn(status, limits, in_flight, now));
        self.news.notify_waiters();
    }

    fn budgets<T>(&self, change: impl FnOnce(&mut HashMap<String, Budget>) -> T) -> T {
        change(&mut self.budgets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what must not be shown out of a failure: answers can repeat what was sent.
    pub(super) fn hide(&self, failure: Failure) -> Failure {
        Failure {
            message: self.secrets.hide(&failure.message),
            causes: failure.causes.iter().map(|cause| self.secrets.hide(cause)).collect(),
            hint: failure.hint.map(|hint| self.secrets.hide(&hint)),
            ..failure
        }
    }
}

/// What came of one attempt.
struct Tried {
    outcome: Result<Answered, Failure>,
    may_help: bool,
}

/// Gives a random number from 0 to 1; a half where the system has none to give, which only makes
/// waits alike.
fn chance() -> f64 {
    let mut bytes = [0_u8; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}
