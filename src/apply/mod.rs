//! Carrying a plan out: each change as soon as what it requires is done.
//!
//! Nothing that is not in the plan is done. A change becomes calls when its turn comes, so that the
//! ids of objects that were just made are known. What happens is told by events; nothing is printed.
//!
//! ```text
//!   Plan -> graph (who may start) -> plan::call::calls -> change (one after the other) -> Outcome
//!                                                                        Outcome -> read_back
//! ```

mod change;
mod graph;
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
use crate::plan::{Action, Change, Plan};
use crate::tenant::index::Index;
use crate::tenant::names::Names;
use crate::tenant::{Address, Object, Tenant};
use change::Work;
use graph::Graph;

pub use read_back::{read_back, refreshed};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The object.
    pub address: Address,
    /// What is done with it.
    pub action: Action,
    /// What happens.
    pub news: News,
}

/// What happens to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Its first call goes out.
    Started,
    /// It is done.
    Done {
        /// The object's handle, if it has one.
        id: Option<String>,
    },
    /// It failed.
    Failed {
        /// Why.
        message: String,
    },
    /// It can't be done any more.
    NotAttempted {
        /// Why.
        reason: String,
    },
}

/// What came of a plan; every change stands in exactly one list.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Done, with the object's handle.
    pub done: Vec<(Address, Action, Option<String>)>,
    /// Failed; the error says what of it was done.
    pub failed: Vec<(Address, Action, Error)>,
    /// Not attempted, with the reason.
    pub not_attempted: Vec<(Address, Action, String)>,
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
        self.failed.is_empty() && self.not_attempted.is_empty()
    }
}

/// Carries a plan out.
pub async fn run(job: &Job<'_>, names: Names, events: impl FnMut(Event) + Send) -> Outcome {
    run_with(job, names, events, calls).await
}

async fn run_with(
    job: &Job<'_>,
    names: Names,
    mut events: impl FnMut(Event) + Send,
    calls: impl Fn(&Kind, &Change, Option<&Object>, Option<&Object>, &Names) -> Result<Vec<Call>, Problem>,
) -> Outcome {
    let changes = &job.plan.changes;
    let base = job.client.rounds();
    let mut graph = Graph::new(changes);
    let (desired, live) = (Index::new(job.registry, job.desired), Index::new(job.registry, job.live));
    let mut running = FuturesUnordered::new();
    let mut report = Report { changes, events: &mut events, outcome: Outcome { names, ..Outcome::default() } };
    loop {
        for (at, reason) in graph.skip_hopeless() {
            report.skipped(at, reason);
        }
        let may_start = running.len() < job.client.parallelism() && !*job.interrupt.borrow();
        if may_start && let Some((at, chain)) = graph.start() {
            report.tell(at, News::Started);
            match prepared(job, &changes[at], (&desired, &live), &report.outcome.names, &calls) {
                Ok((kind, calls)) => {
                    let work = Work::new(job, kind, &changes[at], base + chain);
                    running.push(async move { (at, work.perform(&calls).await) });
                }
                Err(error) => {
                    graph.failed(at);
                    report.failed(at, error);
                }
            }
            continue;
        }
        let Some((at, ended)) = running.next().await else { break };
        report.outcome.wrote |= ended.wrote;
        match ended.result {
            Ok(id) => {
                graph.done(at, ended.chain - base);
                report.done(at, id);
            }
            Err(error) => {
                graph.failed(at);
                report.failed(at, error);
            }
        }
    }
    report.outcome.interrupted = *job.interrupt.borrow();
    let reason = if report.outcome.interrupted { "interrupted" } else { "it requires itself, by way of others" };
    for at in graph.skip_rest() {
        report.skipped(at, reason.to_owned());
    }
    report.outcome
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
struct Report<'a, E> {
    changes: &'a [Change],
    events: &'a mut E,
    outcome: Outcome,
}

impl<E: FnMut(Event)> Report<'_, E> {
    fn tell(&mut self, at: usize, news: News) {
        let (address, action) = self.named(at);
        (self.events)(Event { address, action, news });
    }

    fn named(&self, at: usize) -> (Address, Action) {
        (self.changes[at].address(), self.changes[at].action)
    }

    fn done(&mut self, at: usize, id: Option<String>) {
        let (address, action) = self.named(at);
        if let (Action::Replace, Some(id)) = (action, &self.changes[at].id) {
            self.outcome.names.forget(&address.kind, id);
        }
        if let (Action::Create | Action::Replace, Some(id)) = (action, &id) {
            self.outcome.names.learn(&address.kind, &address.name, id);
        }
        self.tell(at, News::Done { id: id.clone() });
        self.outcome.done.push((address, action, id));
    }

    fn failed(&mut self, at: usize, error: Error) {
        let (address, action) = self.named(at);
        let message = error.problems.clone().sorted().first().map_or_else(|| error.to_string(), |p| p.message.clone());
        self.tell(at, News::Failed { message });
        self.outcome.failed.push((address, action, error));
    }

    fn skipped(&mut self, at: usize, reason: String) {
        let (address, action) = self.named(at);
        self.tell(at, News::NotAttempted { reason: reason.clone() });
        self.outcome.not_attempted.push((address, action, reason));
    }
}

#[cfg(test)]
mod ready_tests;
#[cfg(test)]
mod tests;
