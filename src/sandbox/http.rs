//! What all connections share: the tenant, limits, faults, and when to write the state.
//!
//! With `serve`, `line` and `wire` the only part of the sandbox with sockets, clock and randomness; what an
//! answer is, `oauth` and the store decide, and what becomes of it, `faults`.

use std::net::TcpListener as StdListener;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::exchange::{Moment, Request, Response};
use super::faults::{self, Fate, Fault, Script, What};
use super::free::Plan;
use super::limit::{Count, Limits, RateLimit};
use super::past::Past;
use super::router::Route;
use super::serve::Asked;
use super::state::State;
use super::{free, oauth, operations, wire};
use crate::error::Error;
use crate::files::{self, Mode};
use crate::kinds::kind::Method;

/// How long writes are gathered before the state is written.
const GATHER: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    /// The tenant as it was, where reads may be late.
    past: Mutex<Option<Past>>,
    path: Option<PathBuf>,
    /// Held while the file is written, so that an older state never replaces a newer one.
    file: Mutex<()>,
    changed: tokio::sync::Notify,
    limits: Mutex<Limits>,
    script: Mutex<Script>,
    stopping: watch::Sender<bool>,
    manner: Manner,
}

/// How requests are answered, and as whom.
#[derive(Debug, Clone)]
pub struct Manner {
    /// What the tenant pays for.
    pub plan: Plan,
    /// Requests to the Management API in a time.
    pub rate_limits: Vec<RateLimit>,
    /// How long every answer takes at least.
    pub latency: Duration,
    /// What goes wrong, and where.
    pub faults: Vec<Fault>,
    /// What looks random in it is made from this.
    pub seed: u64,
    /// The tenant's name; the first label of its domain without it.
    pub tenant_name: Option<String>,
    /// Speaks TLS.
    pub is_tls: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Gathers what a server needs.
    #[must_use]
    pub fn new(state: State, path: Option<PathBuf>, manner: Manner) -> Self {
        let script = Script::new(manner.faults.clone(), manner.seed);
        Self {
            past: Mutex::new(script.longest_lag().map(|reach| Past::new(reach, state.store.clone()))),
            state: Mutex::new(state),
            path,
            file: Mutex::new(()),
            changed: tokio::sync::Notify::new(),
            limits: Mutex::new(Limits::new(&manner.rate_limits)),
            script: Mutex::new(script),
            stopping: watch::Sender::new(false),
            manner,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Writes the state to its file, if it has one.
    ///
    /// # Errors
    /// Says why it could not be written.
    pub fn flush(&self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let _one = locked(&self.file);
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

    /// Tells how requests are answered.
    pub(super) fn manner(&self) -> &Manner {
        &self.manner
    }

    /// Counts a request, and says what becomes of it.
    pub(super) fn fate(&self, method: &str, path: &str) -> Fate {
        locked(&self.script).decide(method, path)
    }

    /// Lets go of the requests that are never answered.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until the server stops.
    pub(super) async fn stopping(&self) {
        let _ = self.stopping.subscribe().wait_for(|is_stopping| *is_stopping).await;
    }

    /// Answers what was asked, within its limit; `strike` is a fault that takes the answer's place.
    pub(super) fn answer(
        &self,
        asked: &Asked,
        request: Result<Request, Response>,
        strike: Option<Response>,
        now: u64,
    ) -> Response {
        let route = asked.route();
        let is_counted = asked.path.starts_with("/api/");
        let bucket = route.as_ref().and_then(|route| route.bucket);
        let mut count = is_counted.then(|| locked(&self.limits).count(bucket, now)).flatten();
        let is_over = count.is_some_and(|count| count.is_over);
        if let (Some(count), Some(strike)) = (&mut count, &strike) {
            count.is_over = false;
            // What the headers say of the limit is what the fault says.
            if strike.status == 429 {
                let wait = strike.headers.iter().find(|(name, _)| *name == "retry-after");
                let wait = wait.and_then(|(_, seconds)| seconds.parse().ok()).unwrap_or(1);
                (count.left, count.reset) = (0, count.now.saturating_add(wait));
            }
        }
        let request = match strike {
            Some(refusal) => Err(refusal),
            None if is_over => Err(wire::too_many()),
            None => request,
        };
        let mut response = match request {
            Err(refusal) => refusal,
            Ok(request) => self
                .answer_within_limits(asked, &request, route.as_ref(), now)
                .unwrap_or_else(|error| Response::refused(500, "Internal Server Error", None, &error.to_string())),
        };
        response.headers.extend(count.iter().flat_map(Count::headers));
        if response.is_write {
            self.changed.notify_one();
        }
        response
    }

    fn answer_within_limits(
        &self,
        asked: &Asked,
        request: &Request,
        route: Option<&Route>,
        now: u64,
    ) -> Result<Response, Error> {
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
            _ => {
                let Some(route) = route else { return Ok(Response::not_found()) };
                let keys = state.keys()?;
                moment.scopes = match oauth::scopes(&state.store, &keys, request, now) {
                    Ok(scopes) => scopes,
                    Err(refusal) => return Ok(refusal),
                };
                if !moment.may(route.scopes) {
                    return Ok(Response::insufficient_scope(route.scopes));
                }
                if self.manner.plan == Plan::Free
                    && let Some(refusal) = free::refused(&state.store, route)
                {
                    return Ok(refusal);
                }
                Ok(self.operate(asked, request, route, &mut state, &mut moment))
            }
        }
    }

    /// Carries an operation out: a write on the tenant as it is, a read perhaps on the tenant as it was.
    fn operate(
        &self,
        asked: &Asked,
        request: &Request,
        route: &Route,
        state: &mut State,
        moment: &mut Moment,
    ) -> Response {
        let mut past = locked(&self.past);
        let lag = asked.fate.lag.as_ref().filter(|_| request.method == Method::Get);
        let late = lag.and_then(|strike| match strike.what {
            What::Lag(millis) => Some((strike, past.as_mut()?.at(moment.now.saturating_sub(millis))?)),
            _ => None,
        });
        let mut response = match late {
            Some((strike, store)) => {
                asked.tell(strike);
                // Time is counted in reads, and this is one.
                state.store.settle(moment);
                operations::handle(store, request, route, moment)
            }
            None => operations::handle(&mut state.store, request, route, moment),
        };
        if let (true, Some(past)) = (response.is_write, past.as_mut()) {
            past.keep(moment.now, &state.store);
        }
        if let (Some(strike), Some(name)) = (&asked.fate.shuffle, route.unordered_items())
            && let Some(Value::Array(items)) = response.body.as_mut().and_then(|body| match body {
                Value::Object(members) => members.get_mut(name),
                list => Some(list),
            })
        {
            asked.tell(strike);
            faults::shuffle(items, strike.random);
        }
        response
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
