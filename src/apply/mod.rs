//! Carrying a plan out: each change as soon as what it requires is done.
//!
//! Nothing that is not in the plan is done. A change becomes calls when its turn comes, so that the
//! ids of objects that were just made are known. What happens is told by events; nothing is printed.
//!
//! ```text
//!   Plan -> graph (who may start) -> plan::call::calls -> change (one after the other) -> Outcome
//!                                         events -> journal              Outcome -> read_back
//! ```

mod change;
mod graph;
pub mod journal;
mod read_back;
mod ready;

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;

use crate::api::Client;
use crate::error::{Error, Problem};
use crate::kinds::Registry;
use crate::kinds::kind::Kind;
use crate::plan::call::{Call, calls};
use crate::plan::ledger::{Entry, Status};
use crate::plan::{Action, Change, Plan};
use crate::tenant::index::Index;
use crate::tenant::names::Names;
use crate::tenant::{Address, Object, Tenant};
use change::{Ended, Work};
use graph::Graph;

pub use read_back::{ReadBack, before, outlined, refreshed};

/// How long a read may lag behind a write, unless told otherwise (product.md, section 7).
pub const READ_LAG: Duration = Duration::from_secs(10);

/// What is to be carried out, and where.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The kinds.
    pub registry: &'a Registry,
    /// The plan.
    pub plan: &'a Plan,
    /// What the definitions ask for.
    pub desired: &'a Tenant,
    /// The tenant as it was when the plan was made.
    pub live: &'a Tenant,
    /// The tenant.
    pub client: &'a Client,
    /// Becomes true when the user interrupts: what is in flight ends, nothing more starts.
    pub interrupt: watch::Receiver<bool>,
    /// How long a read may lag behind a write.
    pub lag: Duration,
}

/// Something that happens to a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The object.
    pub address: Address,
    /// What is done with it.
    pub action: Action,
    /// What happens.
    pub news: News,
}

/// What happens to a change.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Its turn has come.
    Started,
    /// A write of it goes out, such as `POST /clients`.
    Sent(String),
    /// A write of it was answered, well or not: it is known what came of it.
    Answered(String),
    /// It is over.
    Ended(Box<Entry>),
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The ledger: every change once, in the plan's order.
    pub entries: Vec<Entry>,
    /// The user interrupted it.
    pub interrupted: bool,
    /// Something was written, or may have been.
    pub wrote: bool,
    /// The names, those of the objects that were made too.
    pub names: Names,
}

impl Outcome {
    /// Tells whether every change is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.entries.iter().all(Entry::is_done)
    }
}

/// Carries a plan out.
pub async fn run(job: &Job<'_>, names: Names, events: &(dyn Fn(Event) + Sync)) -> Outcome {
    run_with(job, names, events, calls).await
}

async fn run_with(
    job: &Job<'_>,
    names: Names,
    events: &(dyn Fn(Event) + Sync),
    calls: impl Fn(&Kind, &Change, Option<&Object>, Option<&Object>, &Names) -> Result<Vec<Call>, Problem>,
) -> Outcome {
    let changes = &job.plan.changes;
    let base = job.client.rounds();
    let mut graph = Graph::new(changes);
    let (desired, live) = (Index::new(job.registry, job.desired), Index::new(job.registry, job.live));
    let mut running = FuturesUnordered::new();
    let mut report = Report { changes, events, entries: vec![None; changes.len()], names };
    let mut wrote = false;
    loop {
        let may_start = running.len() < job.client.parallelism() && !*job.interrupt.borrow();
        if may_start && let Some((at, chain)) = graph.start() {
            report.tell(at, News::Started);
            match prepared(job, &changes[at], (&desired, &live), &report.names, &calls) {
                Ok((kind, calls)) => {
                    let work = Work::new(job, kind, &changes[at], &live, base + chain, events);
                    running.push(async move { (at, work.perform(&calls).await) });
                }
                Err(error) => {
                    report.ended(at, Ended::of(error), false);
                    report.skipped(graph.failed(at));
                }
            }
            continue;
        }
        let Some((at, ended)) = running.next().await else { break };
        wrote |= ended.wrote;
        if ended.result.is_ok() {
            graph.done(at, ended.chain - base);
            report.ended(at, ended, false);
        } else {
            report.ended(at, ended, *job.interrupt.borrow());
            report.skipped(graph.failed(at));
        }
    }
    let interrupted = *job.interrupt.borrow();
    let reason = if interrupted { "interrupted" } else { "it requires itself, by way of others" };
    report.skipped(graph.rest().into_iter().map(|at| (at, reason.to_owned())).collect());
    let Report { entries, names, .. } = report;
    Outcome { entries: entries.into_iter().flatten().collect(), interrupted, wrote, names }
}

/// Makes the calls of a change.
fn prepared<'a>(
    job: &Job<'a>,
    change: &Change,
    (desired, live): (&Index<'a>, &Index<'a>),
    names: &Names,
    calls: &impl Fn(&Kind, &Change, Option<&Object>, Option<&Object>, &Names) -> Result<Vec<Call>, Problem>,
) -> Result<(&'a Kind, Vec<Call>), Error> {
    let kind = job.registry.get(&change.kind).ok_or_else(|| {
        Error::new(format!("{}: this version of tenantctl does not know the kind `{}`", change.address(), change.kind))
    })?;
    let live = if kind.singleton {
        job.live.objects(&kind.name).first()
    } else {
        change.id.as_deref().and_then(|id| live.by_id(&kind.name, id))
    };
    let calls = calls(kind, change, desired.meant(&change.address(), change.id.as_deref()), live, names)?;
    Ok((kind, calls))
}

/// Writes down what happens, and tells it.
struct Report<'a> {
    changes: &'a [Change],
    events: &'a (dyn Fn(Event) + Sync),
    entries: Vec<Option<Entry>>,
    names: Names,
}

impl Report<'_> {
    fn tell(&self, at: usize, news: News) {
        let change = &self.changes[at];
        (self.events)(Event { address: change.address(), action: change.action, news });
    }

    fn ended(&mut self, at: usize, ended: Ended, is_interrupted: bool) {
        let change = &self.changes[at];
        let Ended { result, calls, request_id, has_sent, is_unknown, .. } = ended;
        match result {
            Ok(id) => {
                if let (Action::Replace, Some(id)) = (change.action, &change.id) {
                    self.names.forget(&change.kind, id);
                }
                if let (Action::Create | Action::Replace, Some(id)) = (change.action, &id) {
                    self.names.learn(&change.kind, &change.name, id);
                }
                self.enter(at, Entry { id, calls, ..entry(change, Status::Done) });
            }
            Err(error) => {
                let status = match has_sent {
                    false if is_interrupted => Status::NotAttempted,
                    _ if is_unknown => Status::Unknown,
                    _ => Status::Failed,
                };
                let problems = error.problems.sorted();
                let mut messages = problems.iter().map(|problem| problem.message.clone());
                let hints = error.hint.into_iter().chain(problems.iter().filter_map(|problem| problem.hint.clone()));
                let hint = hints.collect::<Vec<_>>().join("; ");
                self.enter(
                    at,
                    Entry {
                        calls,
                        request_id,
                        message: Some(messages.next().unwrap_or(error.message)),
                        causes: messages.chain(error.causes).collect(),
                        hint: Some(hint).filter(|hint| !hint.is_empty()),
                        ..entry(change, status)
                    },
                );
            }
        }
    }

    fn skipped(&mut self, skipped: Vec<(usize, String)>) {
        for (at, reason) in skipped {
            self.enter(at, Entry { message: Some(reason), ..entry(&self.changes[at], Status::NotAttempted) });
        }
    }

    fn enter(&mut self, at: usize, entry: Entry) {
        self.tell(at, News::Ended(Box::new(entry.clone())));
        self.entries[at] = Some(entry);
    }
}

/// Begins the entry of a change.
fn entry(change: &Change, status: Status) -> Entry {
    Entry {
        kind: change.kind.clone(),
        name: change.name.clone(),
        action: change.action,
        status,
        id: change.id.clone(),
        calls: Vec::new(),
        request_id: None,
        message: None,
        causes: Vec::new(),
        hint: None,
        source: change.fields.iter().find_map(|edit| edit.source.clone()),
    }
}

#[cfg(test)]
mod ready_tests;
#[cfg(test)]
mod tests;
