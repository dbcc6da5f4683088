//! What `apply` does once the user agreed.
//!
//! ```text
//!   hooks -> snapshot, journal -> apply -> read back -> (complete what was made) -> ledger -> hooks
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::Context;
use super::session::{Connected, Drawn, Session};
use super::signals::watched;
use crate::apply::journal::{Journal, stamp};
use crate::apply::{self, Event, Job, News, Outcome, ReadBack};
use crate::error::{Error, Exit};
use crate::kinds::Registry;
use crate::plan::ledger::{Entry, Ledger};
use crate::plan::snapshot::Snapshot;
use crate::plan::{self, Action, Change, Planned, Policy};
use crate::render::hidden::hidden;
use crate::render::outcome::done_line;
use crate::tenant::names::Names;
use crate::tenant::needs::Needs;
use crate::tenant::{Address, Object, Tenant};

/// A plan that the user agreed to, with all that is needed to carry it out.
pub(super) struct Run<'a> {
    pub(super) context: &'a Context,
    pub(super) session: &'a Session,
    pub(super) connected: &'a Connected,
    pub(super) drawn: Drawn,
}

/// Carries a plan out, tells what came of it, and gives the exit code.
///
/// # Errors
/// What stops it before anything is written.
pub(super) async fn carry_out(mut run: Run<'_>, tell: impl Fn(&Ledger)) -> Result<Exit, Error> {
    let Run { context, session, connected, .. } = run;
    let (root, home) = (session.settings.files.root(), &session.settings.home);
    for command in &session.settings.hooks.before_apply {
        hook(root, command).map_err(|error| error.hint("before_apply failed, nothing was written"))?;
    }
    let interrupt = watched(context)?;
    let clock = connected.client.clock();
    let registry = Registry::builtin();
    run.outline();
    let planned = &run.drawn.planned;
    let before = apply::before(&connected.client, registry, planned).await?;
    let snapshot = Snapshot::take(registry, &planned.plan, &before, &context.secrets, stamp(clock.now()));
    let journal = session.journals()?.begin(&planned.plan, &snapshot, &context.secrets, clock.now())?;
    let mut outcome = run.written(planned, planned.names.clone(), &journal, &interrupt).await;
    let rest = run.settled(&mut outcome, &journal, &interrupt).await;
    let ledger = run.ledger(&outcome, rest.as_ref(), &journal);
    tell(&ledger);
    if let Some(Err(error)) = &rest {
        context.ui.error(error);
    }
    if outcome.wrote && !ledger.is_as_planned() {
        let path = home.join(&journal.snapshot).display().to_string();
        let back = ["-e", &ledger.environment, "--rollback", &path];
        let command = if session.settings.protected {
            let plan = context.command("plan", &[&back[..], &["--allow-delete", "--out", "FILE"]].concat());
            format!("{plan}, then {}", context.command("apply", &[&back[..], &["FILE"]].concat()))
        } else {
            context.command("apply", &[&back[..], &["--allow-delete"]].concat())
        };
        context.ui.say(&format!("to go back: {command}"));
    }
    let is_seen = ledger.summary.unknown == 0 && ledger.differing.is_empty() && matches!(rest, Some(Ok(_)));
    if let Err(error) = journal.end(is_seen, clock.now()) {
        context.ui.error(&error);
    }
    let exit = match outcome {
        outcome if outcome.interrupted => Exit::Interrupted,
        _ if ledger.is_as_planned() => Exit::Done,
        outcome if outcome.wrote => Exit::Incomplete,
        _ => Exit::Failed,
    };
    for command in &session.settings.hooks.after_apply {
        if let Err(error) = hook(root, command) {
            context.ui.error(&error);
            return Ok(exit.max(Exit::Incomplete));
        }
    }
    Ok(exit)
}

/// Runs a command of the project file in the project folder, with our stdout kept for results.
fn hook(root: &Path, command: &str) -> Result<(), Error> {
    let failed = || Error::new(format!("the hook `{command}` failed"));
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let status = Command::new(shell).args([flag, command]).current_dir(root).stdout(std::io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed().because(status)),
        Err(error) => Err(failed().because(error)),
    }
}

impl Run<'_> {
    /// Forgets what is not needed any more: a tenant is large. What is read back is planned again
    /// beside the outline of the rest.
    fn outline(&mut self) {
        let Drawn { desired, live, planned } = &mut self.drawn;
        let touched: BTreeSet<Address> = planned.plan.changes.iter().map(Change::address).collect();
        let outlined = |tenant: &mut Tenant, is_whole: &dyn Fn(&Address) -> bool| {
            *tenant = apply::outlined(Registry::builtin(), std::mem::take(tenant), is_whole);
        };
        outlined(&mut desired.tenant, &|address| touched.contains(address));
        outlined(live, &|_| false);
    }

    /// Writes, with progress on the terminal and in the journal, until it is done or interrupted.
    async fn written(
        &self,
        planned: &Planned,
        names: Names,
        journal: &Journal,
        interrupt: &watch::Receiver<bool>,
    ) -> Outcome {
        let Self { context, session, connected, .. } = self;
        let client = &connected.client;
        let job = Job {
            registry: Registry::builtin(),
            plan: &planned.plan,
            desired: &planned.desired,
            live: &planned.live,
            client,
            interrupt: interrupt.clone(),
            lag: session.read_lag,
        };
        let progress = context.ui.progress(planned.plan.changes.len());
        let style = context.ui.style();
        let is_noted = AtomicBool::new(true);
        let show = |event: Event| {
            if let Err(error) = journal.note(&event, client.clock().now())
                && is_noted.swap(false, Ordering::Relaxed)
            {
                context.ui.error(&error.hint("the journal is not complete"));
            }
            match event.news {
                News::Started => progress.begin(&event.address.to_string()),
                News::Ended(entry) if entry.is_done() => progress.done(&done_line(&entry, style)),
                News::Ended(entry) if !entry.calls.is_empty() || entry.message.is_some() => {
                    progress.done(&format!("{}: {}", event.address, entry.message.unwrap_or_default()));
                }
                News::Sent(_) | News::Answered(_) | News::Ended(_) => {}
            }
        };
        apply::run(&job, names, &show).await
    }

    /// Reads back what was written, and completes what a create could not say; gives what still
    /// differs. Who interrupts does not wait for reads: the next plan shows what there is.
    async fn settled(
        &mut self,
        outcome: &mut Outcome,
        journal: &Journal,
        interrupt: &watch::Receiver<bool>,
    ) -> Option<Result<Planned, Error>> {
        // All that it was needed for is written.
        self.drawn.planned.live = Tenant::default();
        if outcome.interrupted {
            return None;
        }
        let rest = self.remaining(&[], outcome).await;
        let Some(missing) = rest.as_ref().ok().and_then(|found| completing(found, outcome)) else {
            return Some(rest);
        };
        let completed = self.written(&missing, outcome.names.clone(), journal, interrupt).await;
        outcome.entries.extend(completed.entries.into_iter().filter(|entry| !entry.is_done()));
        outcome.interrupted |= completed.interrupted;
        if outcome.interrupted { None } else { Some(self.remaining(&[&missing], outcome).await) }
    }

    /// Reads back what was written and plans it again: the changes left are what still differs.
    async fn remaining(&mut self, completed: &[&Planned], outcome: &Outcome) -> Result<Planned, Error> {
        let Self { session, connected, drawn: Drawn { desired, live, planned }, .. } = self;
        let registry = Registry::builtin();
        let done: Vec<&Entry> = outcome.entries.iter().filter(|entry| entry.is_done()).collect();
        let written: BTreeSet<Address> = done.iter().map(|entry| entry.address()).collect();
        let carried_out = || completed.iter().copied().chain([&*planned]);
        let shows = |raw: &Object| carried_out().all(|planned| plan::shows(registry, planned, &outcome.names, raw));
        let needs = Needs::of(registry, &part(&desired.tenant, &written), &session.policy.moves()).knowing(live);
        let (client, lag) = (&connected.client, session.read_lag);
        let read = ReadBack { client, registry, needs: &needs, live, lag }.read(&done, &shows).await?;
        *live = apply::refreshed(std::mem::take(live), read, &planned.plan, &done);
        let policy = Policy { just: Some(written.clone()), rotate: Vec::new(), ..session.policy.clone() };
        let mut again = plan::plan(registry, desired, live, &policy)?;
        again.plan.changes.retain(|change| written.contains(&change.address()));
        Ok(again)
    }

    /// Sums up.
    fn ledger(&self, outcome: &Outcome, rest: Option<&Result<Planned, Error>>, journal: &Journal) -> Ledger {
        let (plan, secrets) = (&self.drawn.planned.plan, &self.context.secrets);
        let entries = outcome.entries.iter().map(|entry| entry.hidden(secrets)).collect();
        let (differing, unread) = match rest {
            None => (Vec::new(), None),
            Some(Ok(rest)) => (hidden(&rest.plan, secrets).changes, None),
            Some(Err(error)) => (Vec::new(), Some(secrets.hide(&error.message))),
        };
        let ledger = Ledger::of(&plan.environment, &plan.tenant, entries).differing(differing);
        Ledger { interrupted: outcome.interrupted, unread, snapshot: Some(journal.snapshot.clone()), ..ledger }
    }
}

/// Gives the objects of some addresses.
fn part(tenant: &Tenant, addresses: &BTreeSet<Address>) -> Tenant {
    let mut part = Tenant::default();
    for object in tenant.iter().filter(|object| addresses.contains(&object.address)) {
        part.kinds.entry(object.address.kind.clone()).or_default().push(object.clone());
    }
    part
}

/// Gives the updates that objects need which were just made. The API fills in fields that a create
/// leaves out, and it has no way to say null there: only an update can clear them.
fn completing(found: &Planned, outcome: &Outcome) -> Option<Planned> {
    let done = outcome.entries.iter().filter(|entry| entry.is_done() && entry.action.makes());
    let made: BTreeSet<Address> = done.map(Entry::address).collect();
    let completes = |change: &Change| change.action == Action::Update && made.contains(&change.address());
    if !found.plan.changes.iter().any(completes) {
        return None;
    }
    let mut missing = found.clone();
    missing.plan.changes.retain(completes);
    Some(missing)
}
