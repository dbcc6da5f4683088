//! An Auth0 tenant on this machine, over real HTTP: for trying things out, and for tests.
//!
//! It may use the declarations (`kinds`) and nothing else of the engine: a fault in how the client
//! normalises must not cancel itself out here. On the way of the data:
//!
//! ```text
//!   serve ──▶ http ──▶ oauth (who asks?) ──▶ router (what is meant?) ──▶ operations ──▶ store
//!   │ faults   │ limit                                                   │ create, update, actions, elements,
//!   │ line     │ past                                                    │ template, links, settle, body, write,
//!   │ wire                                                               │ fill, make, children, inline, list, view
//! ```
//!
//! Its independent witnesses are recorded exchanges of real tenants, replayed against it, and the
//! Deploy CLI run against it.

mod actions;
mod assertion;
pub mod body;
mod children;
mod create;
mod elements;
pub mod exchange;
pub mod faults;
pub mod fill;
pub mod free;
pub mod http;
mod inline;
pub mod keys;
pub mod limit;
pub mod line;
mod links;
pub mod list;
pub mod make;
pub mod oauth;
pub mod operations;
mod parts;
pub mod past;
pub mod router;
pub mod seed;
pub mod serve;
mod settle;
pub mod state;
pub mod store;
mod template;
pub mod tls;
mod update;
pub mod view;
pub mod wire;
mod write;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::kinds::Registry;
use exchange::Moment;
use faults::Fault;
use free::Plan;
use http::Shared;
use limit::RateLimit;
use line::{Line, PlainListener};
use state::State;
use tls::{Tls, TlsListener};

/// How long open requests are waited for when the sandbox stops.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a sandbox runs. The default: a free port, plain HTTP, nothing kept, no limits.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Speak TLS, with a certificate authority of its own.
    pub tls: bool,
    /// The file in which the tenant is kept.
    pub state: Option<PathBuf>,
    /// The tenant's domain; `localhost:PORT` without it.
    pub domain: Option<String>,
    /// The tenant's name; the first label of its domain without it.
    pub tenant_name: Option<String>,
    /// What the tenant pays for.
    pub plan: Plan,
    /// Requests to the Management API in a time: of all that have no limit of their own, and of single buckets.
    pub rate_limits: Vec<RateLimit>,
    /// How long every answer takes at least.
    pub latency: Duration,
    /// What goes wrong, and where.
    pub faults: Vec<Fault>,
    /// What looks random in it is made from this: the same seed, the same run.
    pub seed: u64,
}

/// A running sandbox; it stops, and its state is written, when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    /// Where it listens, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// The tenant's domain: identifiers of system APIs have it.
    pub domain: String,
    /// The application that manages the tenant.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// The certificate to trust, in PEM; with TLS only.
    pub ca: Option<String>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _lock: Option<std::fs::File>,
}

/// Starts a sandbox in a thread of its own, so that it works under any runtime, or none.
///
/// # Errors
/// Says why the port, the state or the certificate is not to be had, or which limit is one of nothing.
pub fn start(options: Options) -> Result<Sandbox, Error> {
    let known = router::buckets(Registry::builtin());
    let mut named = options.rate_limits.iter().filter_map(|limit| limit.bucket.as_deref());
    if let Some(name) = named.find(|name| !known.contains(name)) {
        return Err(Error::new(format!("no request of the API has the rate limit `{name}`")));
    }
    let listener = http::bind(options.port)?;
    let fail = |error: std::io::Error| Error::new("the sandbox could not be started").because(error);
    let port = listener.local_addr().map_err(fail)?.port();
    let domain = options.domain.unwrap_or_else(|| format!("localhost:{port}"));
    let tls = options.tls.then(|| Tls::make(&domain, !options.faults.is_empty())).transpose()?;
    let lock = options.state.as_deref().map(state::claim).transpose()?;
    let state = open(options.state.as_deref(), &domain, options.tenant_name.as_deref())?;
    let Options { state: path, plan, rate_limits, latency, faults, seed, tenant_name, .. } = options;
    let manner = http::Manner { plan, rate_limits, latency, faults, seed, tenant_name, is_tls: tls.is_some() };
    let shared = Shared::new(state, path, manner);
    let shared = Arc::new(shared);
    shared.flush()?;
    let (client_id, client_secret) = http::credentials(&shared);
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (ca, config) = tls.map_or((None, None), |tls| (Some(tls.ca), Some(tls.config)));
    let served = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("sandbox".to_owned())
        .spawn(move || runtime.block_on(run(listener, config, served, stopped)))
        .map_err(fail)?;
    Ok(Sandbox {
        url: format!("{scheme}://127.0.0.1:{port}"),
        domain,
        client_id,
        client_secret: SecretString::from(client_secret),
        ca,
        shared,
        stop: Some(stop),
        thread: Some(thread),
        _lock: lock,
    })
}

fn open(path: Option<&std::path::Path>, domain: &str, tenant_name: Option<&str>) -> Result<State, Error> {
    let registry = Registry::builtin();
    let mut rng = http::fill_random;
    let scopes: HashSet<String> = HashSet::new();
    let domain = domain.to_owned();
    let moment = &mut Moment { now: http::now(), rng: &mut rng, scopes, domain, tenant_name };
    if let Some(mut state) = path.map(|path| State::read(registry, path, &moment.domain)).transpose()?.flatten() {
        seed::complete(&mut state.store, moment);
        return Ok(state);
    }
    State::fresh(registry, moment)
}

async fn run(
    listener: std::net::TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let keeper = Arc::clone(&shared);
    tokio::spawn(async move { keeper.keep().await });
    let app = axum::Router::new().fallback(serve::serve).with_state(Arc::clone(&shared));
    let app = app.into_make_service_with_connect_info::<Line>();
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let (begin, stopping) = oneshot::channel::<()>();
    let until = async move {
        let _ = stopped.await;
        shared.stop();
        let _ = begin.send(());
    };
    let serving = async move {
        let done = match tls {
            Some(config) => axum::serve(TlsListener::new(listener, config), app).with_graceful_shutdown(until).await,
            None => axum::serve(PlainListener(listener), app).with_graceful_shutdown(until).await,
        };
        if let Err(error) = done {
            tracing::warn!("the sandbox stopped: {error}");
        }
    };
    let give_up = async move {
        let _ = stopping.await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        () = serving => {}
        () = give_up => {}
    }
}

impl Sandbox {
    /// Writes the state to its file now, if it has one.
    ///
    /// # Errors
    /// Says why it could not be written.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.flush()
    }

    /// Stops it: open requests are finished, then the state is written.
    ///
    /// # Errors
    /// Says why the state could not be written.
    pub fn stop(mut self) -> Result<(), Error> {
        self.end();
        self.shared.flush()
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
            if let Err(error) = self.shared.flush() {
                tracing::warn!("{error}");
            }
        }
    }
}
