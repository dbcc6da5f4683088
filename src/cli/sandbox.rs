//! `tenantctl sandbox`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use secrecy::ExposeSecret;

use super::signals::Signals;
use super::{Context, trouble};
use crate::error::{Error, Exit};
use crate::files::{self, Mode};
use crate::sandbox::faults::Fault;
use crate::sandbox::free::Plan;
use crate::sandbox::limit::RateLimit;
use crate::sandbox::{self, Options, http, state};

/// Where the tenant is kept without `--state`.
const STATE: &str = ".tenantctl/sandbox.json";

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a tenant on 127.0.0.1 until interrupted
    ///
    /// When it is ready, one JSON line on stdout says how to reach it: url, domain, ca (with --tls),
    /// client_id, client_secret.
    Serve(Serve),
    /// Forget the tenant
    Reset(Reset),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Listen on this port; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Speak TLS; the certificate to trust is written beside the state
    #[arg(long)]
    tls: bool,
    /// Keep the tenant in this file; `none` keeps nothing
    #[arg(long, value_name = "FILE", default_value = STATE)]
    state: PathBuf,
    /// Call the tenant this, where answers have its name [default: localhost]
    #[arg(long, value_name = "NAME")]
    tenant_name: Option<String>,
    /// What the tenant pays for: `free` refuses what a free plan lacks
    #[arg(long, value_name = "PLAN", value_enum, default_value_t = Paid::Enterprise)]
    plan: Paid,
    /// Allow N requests to the Management API per second, or per minute with /min; repeatable
    ///
    /// At most BURST fit at once (default: N), and more fit at the top of each second. NAME is a rate limit that
    /// endpoints have of their own, such as `write email-templates`; without a limit of its own it is part of
    /// the common one.
    #[arg(long, value_name = "[NAME=]N[/min][:BURST]", value_parser = trouble::rate_limit)]
    rate_limit: Vec<RateLimit>,
    /// Let every answer take at least this many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Let something go wrong; repeatable
    #[arg(long, value_name = "WHAT[@WHERE]", value_parser = trouble::fault, long_help = trouble::FAULT_HELP)]
    fault: Vec<Fault>,
    /// Draw what is random in --fault from this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// The plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Paid {
    Free,
    Enterprise,
}

#[derive(Debug, clap::Args)]
struct Reset {
    /// The file in which the tenant is kept
    #[arg(long, value_name = "FILE", default_value = STATE)]
    state: PathBuf,
}

/// Runs it.
///
/// # Errors
/// Says why the sandbox could not be started, or its state not be written or removed.
pub async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    match &args.command {
        Command::Serve(args) => serve(context, args).await,
        Command::Reset(args) => reset(context, &args.state),
    }
}

fn place(context: &Context, path: &Path) -> PathBuf {
    context.global.directory.as_deref().map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

async fn serve(context: &Context, args: &Serve) -> Result<Exit, Error> {
    let state = (args.state.as_os_str() != "none").then(|| place(context, &args.state));
    let ca_file = match &state {
        Some(path) => path.with_extension("ca.pem"),
        None => std::env::temp_dir().join(format!("tenantctl-sandbox-{}.ca.pem", std::process::id())),
    };
    let kept = state.clone();
    let options = Options {
        port: args.port,
        tls: args.tls,
        state,
        domain: None,
        tenant_name: args.tenant_name.clone(),
        plan: match args.plan {
            Paid::Free => Plan::Free,
            Paid::Enterprise => Plan::Enterprise,
        },
        rate_limits: args.rate_limit.clone(),
        latency: Duration::from_millis(args.latency),
        faults: args.fault.clone(),
        seed: args.seed,
    };
    let mut signals = Signals::listen()?;
    let sandbox = sandbox::start(options)?;
    let ca = match &sandbox.ca {
        Some(ca) => {
            files::write(&ca_file, ca, Mode::Public)?;
            Some(std::path::absolute(&ca_file).unwrap_or(ca_file).display().to_string())
        }
        None => None,
    };
    let secret = sandbox.client_secret.expose_secret();
    context.ui.result(&http::ready_line(&sandbox.url, &sandbox.domain, ca.as_deref(), &sandbox.client_id, secret));
    signals.next().await;
    sandbox.stop()?;
    if let (None, Some(ca)) = (&kept, ca) {
        files::remove(Path::new(&ca))?;
    }
    Ok(Exit::Done)
}

fn reset(context: &Context, file: &Path) -> Result<Exit, Error> {
    let path = place(context, file);
    let _held = path.exists().then(|| state::claim(&path)).transpose()?;
    let was_there = files::remove(&path)?;
    let said = if was_there { "removed" } else { "nothing to remove: there is no" };
    context.ui.say(&format!("{said} {}", path.display()));
    Ok(Exit::Done)
}
