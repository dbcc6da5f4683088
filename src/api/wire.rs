//! Requests at the pace of the limit: in order to be sent, sent, repeated, counted, logged.
//!
//! Stands between `Client`, which knows what is asked, and `transport`, which sends one request. All
//! decisions are those of `budgets` and `pace`; here is the waiting. Who waits for a limit stands in
//! its line; only the head of a line looks whether there is room, so nobody is woken in vain.
//!
//! ```text
//!   line of the limit -> head: room? -> slot -> exchange -> answer: what is left, who is next
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};

use super::budget::Wait;
use super::budgets::{Budgets, Ticket};
use super::clock::Clock;
use super::failure::{Body, Cause, Failure};
use super::pace::{self, Attempt, Ended, Limits, Next, Pacing, Repeat};
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
    /// Makes the body, anew for each attempt, at the moment when it goes out.
    pub(super) content: &'a (dyn Fn() -> Result<Content, Failure> + Sync),
    pub(super) bearer: Option<&'a SecretString>,
    pub(super) repeat: Repeat,
    /// The rate limit that it counts against; empty for the common one.
    pub(super) bucket: &'a str,
    /// How many requests in a chain had to come before it.
    pub(super) after: usize,
    /// Becomes true when it is not to go out any more.
    pub(super) stop: Option<&'a watch::Receiver<bool>>,
}

impl Request<'_> {
    /// Waits for something that is not the answer; nothing comes of it if the request is stopped first.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let Some(stop) = self.stop else { return Some(work.await) };
        let mut stop = stop.clone();
        tokio::select! {
            biased;
            Ok(_) = stop.wait_for(|is_stopped| *is_stopped) => None,
            done = work => Some(done),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) request_id: Option<Box<str>>,
}

impl Answered {
    /// Makes the failure of a call to the Management API.
    pub(super) fn failure(&self, call: &str) -> Failure {
        Failure { request_id: self.request_id.clone(), ..Failure::answered(call, self.status, &self.body) }
    }
}

/// The line to one tenant.
pub(super) struct Wire {
    http: reqwest::Client,
    base: String,
    secrets: Secrets,
    pub(super) clock: Clock,
    pacing: Pacing,
    slots: Semaphore,
    budgets: Mutex<Budgets>,
    /// The lines of those who wait, one for each limit.
    lines: Mutex<Vec<Arc<Line>>>,
    requests: AtomicUsize,
    rounds: AtomicUsize,
}

/// Those who wait for one limit, first come, first served.
#[derive(Default)]
struct Line {
    /// Held by the head; when the last request of the line went out.
    head: tokio::sync::Mutex<Duration>,
    /// An answer came: the head may look again.
    news: Notify,
}

/// A request in flight. It is counted until it is answered or dropped.
struct Flight<'a> {
    wire: &'a Wire,
    ticket: Option<Ticket>,
    _slot: SemaphorePermit<'a>,
}

impl Flight<'_> {
    fn answered(mut self, bucket: &str, status: u16, limits: &Limits, times: (Duration, Duration)) {
        if let Some(ticket) = self.ticket.take() {
            let line = self.wire.budgets(|budgets| {
                budgets.answered(bucket, ticket, status, limits, times);
                budgets.line(bucket)
            });
            self.wire.line(ticket.line).news.notify_one();
            self.wire.line(line).news.notify_one();
        }
    }

    fn lost(mut self, ended: Ended) {
        self.forget(ended != Ended::Unsent);
    }

    fn forget(&mut self, has_left: bool) {
        if let Some(ticket) = self.ticket.take() {
            self.wire.budgets(|budgets| budgets.lost(ticket, has_left));
            self.wire.line(ticket.line).news.notify_one();
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.forget(true);
    }
}

impl Wire {
    pub(super) fn new(http: reqwest::Client, base: &str, secrets: Secrets, clock: Clock, pacing: Pacing) -> Self {
        let pacing = Pacing { parallelism: pacing.parallelism.clamp(1, Semaphore::MAX_PERMITS), ..pacing };
        Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            secrets,
            clock,
            pacing,
            slots: Semaphore::new(pacing.parallelism),
            budgets: Mutex::new(Budgets::new(pacing)),
            lines: Mutex::default(),
            requests: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
        }
    }

    pub(super) fn parallelism(&self) -> usize {
        self.pacing.parallelism
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
            let attempt = Attempt {
                ended,
                limits,
                now: self.budgets(|budgets| budgets.server_time(self.clock.now())),
                number,
                waited,
                max_wait: self.pacing.max_wait,
                repeat: request.repeat,
                jitter: chance(),
            };
            match (found, pace::next(&attempt)) {
                (Tried { may_help: false, outcome }, _) | (Tried { outcome, .. }, Next::Done) => {
                    return outcome.map_err(|failure| self.hide(failure));
                }
                (Tried { outcome, .. }, Next::Wait(time)) => {
                    waited += time;
                    tracing::debug!(call = request.call, ?ended, wait = %pace::words(time), "is sent again");
                    if request.unless_stopped(self.clock.wait(time)).await.is_none() {
                        let failure = outcome.map_or_else(|failure| failure, |it| it.failure(request.call));
                        return Err(self.hide(failure.because("interrupted before it could be sent again")));
                    }
                }
                (Tried { outcome, .. }, Next::GiveUp(why)) => {
                    let failure = match outcome {
                        Ok(answered) => answered.failure(request.call),
                        Err(failure) => failure,
                    };
                    return Err(self.hide(failure.because(why)));
                }
            }
        }
    }

    /// Sends a request once, when its turn has come.
    async fn attempt(&self, request: &Request<'_>) -> Result<(Ended, Limits, Tried), Failure> {
        let Some(flight) = request.unless_stopped(self.admitted(request)).await else {
            return Err(Failure::new(request.call, Cause::NotDone, "interrupted before it was sent"));
        };
        let flight = flight?;
        let url = format!("{}{}", self.base, request.path);
        let outgoing = Outgoing {
            method: request.method,
            url: &url,
            query: request.query,
            bearer: request.bearer,
            content: (request.content)()?,
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (started, sent) = (Instant::now(), self.clock.now());
        let result = exchange(&self.http, request.call, outgoing, sent).await;
        let ms = started.elapsed().as_millis();
        Ok(match result {
            Exchange::Answer { status, limits, request_id, body } => {
                let id = request_id.as_deref();
                tracing::debug!(method = %request.method, path = request.path, status, ms, id, "answered");
                flight.answered(request.bucket, status, &limits, (sent, self.clock.now()));
                let is_text = matches!(body, Body::Text(_));
                let is_missing = body == Body::Empty && request.method == Method::Get;
                let is_garbled = (200..300).contains(&status) && (is_text || is_missing);
                let ended = if is_garbled { Ended::Garbled } else { Ended::Answered(status) };
                let failed = |failure| Err(Failure { request_id: request_id.clone(), ..failure });
                let outcome = match &body {
                    Body::Text(text) => failed(Failure::not_the_api(request.call, status, text)),
                    Body::Empty if is_garbled => {
                        failed(Failure::new(request.call, Cause::Unknown, "the answer is empty"))
                    }
                    Body::Json(_) | Body::Empty => Ok(Answered { status, body, request_id }),
                };
                // Where no token was got yet, an answer of another kind shows a wrong domain.
                let may_help = !is_garbled || request.bearer.is_some();
                (ended, limits, Tried { outcome, may_help })
            }
            Exchange::None { ended, failure, may_help } => {
                tracing::debug!(method = %request.method, path = request.path, ?ended, ms, "not answered");
                flight.lost(ended);
                (ended, Limits::default(), Tried { outcome: Err(failure), may_help })
            }
        })
    }

    /// Waits in the line of its limit until there is room. Who waits holds no slot: another limit's
    /// requests may have room.
    async fn admitted(&self, request: &Request<'_>) -> Result<Flight<'_>, Failure> {
        let came = self.clock.now();
        loop {
            let at = self.budgets(|budgets| budgets.line(request.bucket));
            let line = self.line(at);
            let mut moved = line.head.lock().await;
            let patience = came.max(*moved).saturating_add(self.pacing.max_wait);
            // Meanwhile its limit may have turned out to be another.
            while self.budgets(|budgets| budgets.line(request.bucket)) == at {
                let slot = self.slots.acquire().await.expect("the semaphore is never closed");
                let now = self.clock.now();
                let wait = match self.budgets(|budgets| budgets.admit(request.bucket, now)) {
                    Ok(ticket) => {
                        *moved = now;
                        return Ok(Flight { wire: self, ticket: Some(ticket), _slot: slot });
                    }
                    Err(wait) => wait,
                };
                drop(slot);
                match wait {
                    Wait::For(time) if now.saturating_add(time) > patience => {
                        return Err(self.stuck(request.call, time));
                    }
                    Wait::For(time) | Wait::Spaced(time) => tokio::select! {
                        biased;
                        () = line.news.notified() => {}
                        () = self.clock.wait(time) => {}
                    },
                    Wait::Answer => line.news.notified().await,
                }
            }
        }
    }

    /// Says why a request is not waited for any longer.
    fn stuck(&self, call: &str, time: Duration) -> Failure {
        let most = pace::words(self.pacing.max_wait);
        let message = if time > self.pacing.max_wait {
            format!("the rate limit is used up, and opens again in {}", pace::words(time))
        } else {
            format!("the rate limit is used up, and has let nothing through for {most}")
        };
        let hint = format!("try again later, or wait longer than {most} with --max-wait SECONDS");
        Failure::new(call, Cause::NotDone, message).hint(hint)
    }

    fn budgets<T>(&self, change: impl FnOnce(&mut Budgets) -> T) -> T {
        change(&mut self.budgets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn line(&self, at: usize) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() <= at {
            lines.resize_with(at + 1, Arc::default);
        }
        lines[at].clone()
    }

    /// Takes what must not be shown out of a failure: answers can repeat what was sent.
    pub(super) fn hide(&self, failure: Failure) -> Failure {
        Failure {
            message: self.secrets.hide(&failure.message),
            causes: failure.causes.iter().map(|cause| self.secrets.hide(cause)).collect(),
            hint: failure.hint.map(|hint| self.secrets.hide(&hint).into()),
            request_id: failure.request_id.map(|id| self.secrets.hide(&id).into()),
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

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
