//! `tenantctl apply`: makes the tenant equal to the definitions.
//!
//! ```text
//!   load -> connect -> plan -> (saved plan still holds?) -> show, ask -> hooks -> apply -> read back
//!        -> (complete what was made) -> report
//! ```

use std::path::PathBuf;
use std::process::Command;

use tokio::sync::watch;

use super::Context;
use super::session::{Choice, Connected, Consent, Drawn, Session};
use crate::apply::{self, Event, Job, News, Outcome, READ_LAG};
use crate::error::{Error, Exit};
use crate::files;
use crate::kinds::Registry;
use crate::plan::{self, Action, Change, Plan, Planned, Policy, Source, saved};
use crate::render::hidden::hidden;
use crate::render::outcome::{Note, Notes, done_line, outcome_text};
use crate::render::{plan_json, plan_text};
use crate::tenant::names::Names;
use crate::tenant::needs::Needs;
use crate::tenant::{Address, Object, Pattern};
use crate::text::plural;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    consent: Consent,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
    /// A saved plan: exactly it is applied, or nothing if the tenant or the definitions changed since
    #[arg(value_name = "PLAN", conflicts_with_all = ["allow_delete", "rotate", "strict", "only", "exclude"])]
    plan: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// What stops it before anything is written; what happens after is told by the exit code.
pub async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let saved = args.plan.as_ref().map(|path| read_saved(path)).transpose()?;
    let mut session = Session::open(context, &args.choice, &args.consent)?;
    if session.settings.protected && saved.is_none() {
        let name = &session.settings.environment;
        return Err(Error::refused(format!("the environment `{name}` is protected: it takes a saved plan only")).hint(
            format!("tenantctl plan -e {name} --out FILE, have it reviewed, then tenantctl apply -e {name} FILE"),
        ));
    }
    if let Some(saved) = &saved {
        saved::adopt(saved, &mut session.policy)?;
    }
    let desired = session.load(context)?;
    let connected = session.connect(context).await?;
    let mut drawn = session.draw(context, &connected, desired).await?;
    if let Some(saved) = &saved {
        drawn.planned.plan =
            saved::confirmed(saved, &drawn.planned.plan, &hidden(&drawn.planned.plan, &context.secrets))?;
    }
    let exit = carry_out(context, args, &session, &connected, &drawn).await;
    connected.report(context);
    connected.close()?;
    exit
}

fn read_saved(path: &std::path::Path) -> Result<Plan, Error> {
    let text = files::read_anywhere(path)
        .map_err(|problem| Error::new(format!("can't read the plan {}", path.display())).because(problem.message))?;
    plan_json::parse_plan(&text.text)
}

async fn carry_out(
    context: &Context,
    args: &Args,
    session: &Session,
    connected: &Connected,
    drawn: &Drawn,
) -> Result<Exit, Error> {
    let plan = &drawn.planned.plan;
    context.ui.result(&plan_text::plan_text(&hidden(plan, &context.secrets), context.ui.style()));
    if plan.is_empty() {
        return Ok(Exit::Done);
    }
    let count = plural(plan.changes.len(), "change");
    if !args.yes && !context.ui.ask(&format!("Apply {count} to {} ({})?", plan.environment, plan.tenant))? {
        return Err(Error::new("not applied: the answer was no"));
    }
    let root = session.settings.files.root();
    for command in &session.settings.hooks.before_apply {
        hook(root, command).map_err(|error| error.hint("before_apply failed, nothing was written"))?;
    }
    let mut outcome = written(context, connected, &drawn.planned, drawn.planned.names.clone()).await;
    let mut rest = remaining(session, connected, drawn, &[&drawn.planned], &outcome).await;
    if let Ok(found) = &rest
        && let Some(missing) = completing(found, &outcome)
    {
        let completed = written(context, connected, &missing, outcome.names.clone()).await;
        outcome.failed.extend(completed.failed);
        outcome.not_attempted.extend(completed.not_attempted);
        outcome.interrupted |= completed.interrupted;
        rest = remaining(session, connected, drawn, &[&drawn.planned, &missing], &outcome).await;
    }
    let exit = told(context, plan, &outcome, rest);
    for command in &session.settings.hooks.after_apply {
        if let Err(error) = hook(root, command) {
            context.ui.error(&error);
            return Ok(exit.max(Exit::Incomplete));
        }
    }
    Ok(exit)
}

/// Runs a command of the project file in the project folder, with our stdout kept for results.
fn hook(root: &std::path::Path, command: &str) -> Result<(), Error> {
    let failed = || Error::new(format!("the hook `{command}` failed"));
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let status = Command::new(shell).args([flag, command]).current_dir(root).stdout(std::io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed().because(status)),
        Err(error) => Err(failed().because(error)),
    }
}

/// Carries the plan out, with progress on the terminal, until it is done or interrupted.
async fn written(context: &Context, connected: &Connected, planned: &Planned, names: Names) -> Outcome {
    let (stop, interrupt) = watch::channel(false);
    let ui = context.ui.clone();
    let watcher = tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        let _ = stop.send(true);
        ui.say("interrupted: what is in flight is finished, nothing more is started; again to quit at once");
        let _ = tokio::signal::ctrl_c().await;
        std::process::exit(Exit::Interrupted as i32);
    });
    let job = Job {
        registry: Registry::builtin(),
        plan: &planned.plan,
        desired: &planned.desired,
        live: &planned.live,
        client: &connected.client,
        interrupt,
        lag: READ_LAG,
    };
    let progress = context.ui.progress(planned.plan.changes.len());
    let style = context.ui.style();
    let show = |Event { address, action, news }: Event| match news {
        News::Started => progress.begin(&address.to_string()),
        News::Done { id } => progress.done(&done_line(&(address, action, id.unwrap_or_default()), style)),
        News::Failed { message } => progress.done(&format!("{address}: failed: {message}")),
        News::NotAttempted { .. } => {}
    };
    let outcome = apply::run(&job, names, show).await;
    watcher.abort();
    outcome
}

/// Reads back what was written and plans it again: the changes left are what still differs.
async fn remaining(
    session: &Session,
    connected: &Connected,
    drawn: &Drawn,
    carried_out: &[&Planned],
    outcome: &Outcome,
) -> Result<Planned, Error> {
    let registry = Registry::builtin();
    let shows = |raw: &Object| carried_out.iter().all(|planned| plan::shows(registry, planned, &outcome.names, raw));
    let needs = Needs::of(&drawn.desired.tenant, &session.policy.moves());
    let read = apply::read_back(&connected.client, registry, &needs, &outcome.done, shows, READ_LAG).await?;
    let live = apply::refreshed(&drawn.live, read, &drawn.planned.plan, &outcome.done);
    let written: Vec<&Address> = outcome.done.iter().map(|(address, ..)| address).collect();
    let only = vec![written.iter().map(|address| Pattern::exactly(address)).collect()];
    let policy = Policy { only, rotate: Vec::new(), ..session.policy.clone() };
    let mut again = plan::plan(registry, &drawn.desired, &live, &policy)?;
    again.plan.changes.retain(|change| written.contains(&&change.address()));
    Ok(again)
}

/// Gives the updates that objects need which were just made. The API fills in fields that a create
/// leaves out, and it has no way to say null there: only an update can clear them.
fn completing(found: &Planned, outcome: &Outcome) -> Option<Planned> {
    let is_made = |change: &Change| {
        let by = |action: &Action| matches!(action, Action::Create | Action::Replace);
        outcome.done.iter().any(|(address, action, _)| by(action) && *address == change.address())
    };
    let mut missing = found.clone();
    missing.plan.changes.retain(|change| change.action == Action::Update && is_made(change));
    (!missing.plan.is_empty() && !outcome.interrupted).then_some(missing)
}

/// Says what was done and what was not, and gives the exit code.
fn told(context: &Context, plan: &Plan, outcome: &Outcome, rest: Result<Planned, Error>) -> Exit {
    let failed: Vec<Note> = outcome
        .failed
        .iter()
        .map(|(address, action, error)| (address.clone(), *action, why(plan, address, error)))
        .collect();
    let mut done: Vec<Note> = outcome
        .done
        .iter()
        .map(|(address, action, id)| (address.clone(), *action, id.clone().unwrap_or_default()))
        .collect();
    // Changes end in any order; the plan's is the one that was read.
    done.sort_by_key(|(address, action, _)| {
        plan.changes.iter().position(|change| change.action == *action && change.address() == *address)
    });
    let style = context.ui.style();
    let (rest, unread) = match rest {
        Ok(rest) => (rest.plan.changes, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let differs = |change: &Change| (change.address(), change.action, plan_text::edits_text(change, style));
    let differing: Vec<Note> = rest.iter().map(differs).collect();
    let notes = Notes { done: &done, failed: &failed, not_attempted: &outcome.not_attempted, differing: &differing };
    context.ui.result(&outcome_text(notes, style));
    if let Some(error) = &unread {
        context.ui.error(error);
    }
    let is_as_planned = outcome.is_complete() && differing.is_empty() && unread.is_none();
    match outcome {
        outcome if outcome.interrupted => Exit::Interrupted,
        _ if is_as_planned => Exit::Done,
        outcome if outcome.wrote => Exit::Incomplete,
        _ => Exit::Failed,
    }
}

/// A failure in one text, with what caused it, what to do and where the definition stands.
fn why(plan: &Plan, address: &Address, error: &Error) -> String {
    let problems = error.problems.clone().sorted();
    let message = if problems.is_empty() { vec![error.message.clone()] } else { Vec::new() };
    let hints = error.hint.iter().chain(problems.iter().filter_map(|problem| problem.hint.as_ref()));
    let change = plan.changes.iter().find(|change| change.address() == *address);
    let source = change.and_then(|change| change.fields.iter().find_map(|edit| edit.source.as_ref()));
    message
        .into_iter()
        .chain(problems.iter().map(|problem| problem.message.clone()))
        .chain(error.causes.iter().cloned())
        .chain(hints.map(|hint| format!("hint: {hint}")))
        .chain(source.map(|Source { file, line, .. }| format!("defined at {file}:{line}")))
        .collect::<Vec<_>>()
        .join("\n")
}
