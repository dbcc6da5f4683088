//! One change: its calls, one after the other, and what to do when an answer is lost.
//!
//! A create whose answer was lost is looked up by identity before it is sent again, so that no
//! object is made twice and none is forgotten (product.md, section 7):
//!
//! ```text
//!   POST -> answered -> id
//!        -> conflict -> look up -> new since the plan, and equal: adopt it; else it failed
//!        -> lost -> look up, until the read lag is over -> found: adopt it
//!                                                       -> not found: POST once more, look up again
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::{Event, Job, News};
use crate::api::failure::{Cause, Failure};
use crate::api::{Answer, Client};
use crate::error::Error;
use crate::kinds::kind::{Endpoint, Kind, Method};
use crate::plan::Change;
use crate::plan::call::{Call, encoded};
use crate::tenant::index::Index;
use crate::tenant::needs::Needs;
use crate::tenant::{Address, Object, canon};

pub(super) const FIRST_LOOK: Duration = Duration::from_secs(1);

/// A change that is being carried out.
pub(super) struct Work<'a> {
    pub(super) client: &'a Client,
    interrupt: watch::Receiver<bool>,
    pub(super) lag: Duration,
    pub(super) kind: &'a Kind,
    pub(super) change: &'a Change,
    /// What was there before: nothing of it is ours.
    before: &'a Index<'a>,
    pub(super) chain: usize,
    events: &'a (dyn Fn(Event) + Sync),
    /// The calls that were answered with success.
    calls: Vec<String>,
    /// A write was sent.
    has_sent: AtomicBool,
    wrote: bool,
    /// A write was sent, and it is not known what came of it.
    is_unknown: bool,
    request_id: Option<String>,
}

/// An object that was made: its handle, if its kind has one.
struct Made {
    id: Option<String>,
}

/// What came of a change.
#[derive(Debug)]
pub(super) struct Ended {
    /// The object's handle, if it has one.
    pub(super) result: Result<Option<String>, Error>,
    /// The calls that were answered with success.
    pub(super) calls: Vec<String>,
    /// The number of requests that had to follow each other up to its end.
    pub(super) chain: usize,
    /// A write was sent.
    pub(super) has_sent: bool,
    /// Something was written, or may have been.
    pub(super) wrote: bool,
    /// It failed, and it is not known what came of the last write.
    pub(super) is_unknown: bool,
    /// The API's id of the request that failed.
    pub(super) request_id: Option<String>,
}

impl Ended {
    /// Ends a change that could not begin.
    pub(super) fn of(error: Error) -> Self {
        let (result, calls) = (Err(error), Vec::new());
        Self { result, calls, chain: 0, has_sent: false, wrote: false, is_unknown: false, request_id: None }
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(
        job: &Job<'a>,
        kind: &'a Kind,
        change: &'a Change,
        before: &'a Index<'a>,
        chain: usize,
        events: &'a (dyn Fn(Event) + Sync),
    ) -> Self {
        let (client, lag, interrupt) = (job.client, job.lag, job.interrupt.clone());
        let (calls, request_id) = (Vec::new(), None);
        Self {
            client,
            interrupt,
            lag,
            kind,
            change,
            before,
            chain,
            events,
            calls,
            has_sent: AtomicBool::new(false),
            wrote: false,
            is_unknown: false,
            request_id,
        }
    }

    /// Makes the calls.
    pub(super) async fn perform(mut self, calls: &[Call]) -> Ended {
        let mut id = self.change.id.clone();
        let mut result = Ok(());
        for (at, call) in calls.iter().enumerate() {
            result = self.step(call, &mut id, at == 0).await;
            if result.is_err() {
                break;
            }
        }
        let result = match result {
            Ok(()) => Ok(id),
            Err(error) if self.calls.is_empty() => Err(error),
            Err(error) => Err(error.because(format!("of this change, {} was done before", self.calls.join(", ")))),
        };
        let Self { calls, chain, has_sent, wrote, is_unknown, request_id, .. } = self;
        Ended { result, calls, chain, has_sent: has_sent.into_inner(), wrote, is_unknown, request_id }
    }

    async fn step(&mut self, call: &Call, id: &mut Option<String>, is_first: bool) -> Result<(), Error> {
        if !is_first && self.is_interrupted() {
            return Err(Error::new(format!("{call:?} was not sent: interrupted")));
        }
        let call = self.filled(call, id.as_deref())?;
        let call = self.looked_up(call).await?;
        if self.is_create(&call) {
            *id = self.create(&call).await?.id;
            return Ok(());
        }
        let mut answer = self.send_when_ready(&call, id.as_deref()).await?;
        if let (Err(failure), Method::Post) = (&answer, call.method)
            && failure.cause == Cause::Unknown
        {
            let lost = failure.clone();
            answer = self.send_again(&call, id.as_deref(), lost).await;
        }
        if let (Err(failure), Some(spare)) = (&answer, &call.spare)
            && failure.status == Some(400)
        {
            tracing::info!(?call, "is sent again without members that are not known");
            answer = self.send(&Call { body: Some(spare.clone()), ..call.clone() }).await;
        }
        if let (Ok(answer), true) = (&answer, self.is_create_by_name(&call)) {
            *id = self.made(answer).and_then(|made| made.id);
        }
        match answer {
            Ok(_) => match &call.wait {
                Some(wait) if !wait.then.0.is_empty() => self.wait_for(&call, wait, &wait.then, id.as_deref()).await,
                _ => Ok(()),
            },
            Err(failure) if call.method == Method::Delete && failure.status == Some(404) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Puts the handle into the path.
    fn filled(&self, call: &Call, id: Option<&str>) -> Result<Call, Error> {
        if !call.path.contains("{id}") {
            return Ok(call.clone());
        }
        let id = id.ok_or_else(|| Error::new(format!("{call:?}: the id of {} is not known", self.change.address())))?;
        Ok(Call { path: call.path.replace("{id}", &encoded(id)), ..call.clone() })
    }

    /// Sends a call about an object. One that was just made may not be known everywhere yet.
    async fn send_to_known(&mut self, call: &Call) -> Result<Answer, Failure> {
        let is_made = self.change.action.makes();
        let (mut left, mut pause) = (self.lag, FIRST_LOOK);
        loop {
            let answer = self.send(call).await;
            let is_unknown = answer.as_ref().is_err_and(|failure| failure.status == Some(404));
            if !is_unknown || !is_made || call.method == Method::Delete || left.is_zero() || self.is_interrupted() {
                return answer;
            }
            self.later(&mut left, &mut pause).await;
        }
    }

    /// Sends a call when the live object is ready for it. A read may still show the object as it was
    /// before this change wrote it: then the call is refused, and the wait begins again.
    async fn send_when_ready(&mut self, call: &Call, id: Option<&str>) -> Result<Result<Answer, Failure>, Error> {
        let Some(wait) = &call.wait else { return Ok(self.send_to_known(call).await) };
        let lag = if self.wrote { self.lag } else { Duration::ZERO };
        let (mut left, mut pause) = (lag, FIRST_LOOK);
        loop {
            self.wait_for(call, wait, &wait.until, id).await?;
            let answer = self.send_to_known(call).await;
            let is_early = answer.as_ref().is_err_and(|failure| failure.status == Some(400));
            if !is_early || left.is_zero() || self.is_interrupted() {
                return Ok(answer);
            }
            self.later(&mut left, &mut pause).await;
        }
    }

    /// Waits a while, twice as long each time, until the time that is left is over; not at all where
    /// the user has interrupted.
    pub(super) async fn later(&self, left: &mut Duration, pause: &mut Duration) {
        let time = (*pause).min(*left);
        let mut interrupt = self.interrupt.clone();
        tokio::select! {
            () = self.client.clock().wait(time) => {}
            Ok(_) = interrupt.wait_for(|is_interrupted| *is_interrupted) => {}
        }
        *left -= time;
        *pause *= 2;
    }

    /// Sends a call whose answer was lost again, where the object does not show that it was made.
    async fn send_again(&mut self, call: &Call, id: Option<&str>, lost: Failure) -> Result<Answer, Failure> {
        if self.is_interrupted() {
            return Err(lost);
        }
        if let (Some((field, value)), Some(get)) = (&call.shown_by, &self.kind.get) {
            let after = self.chain;
            self.chain += 1;
            let live = self.client.read_one(get, id, after).await?;
            if canon::live(self.kind, &live).get(field) == Some(value) {
                self.is_unknown = false;
                return Ok(Answer { status: 200, body: None, request_id: None });
            }
        }
        match self.send(call).await {
            // The first one has made it.
            Err(failure) if failure.status == Some(409) => Ok(Answer { status: 409, body: None, request_id: None }),
            answer => answer,
        }
    }

    fn is_create(&self, call: &Call) -> bool {
        self.change.action.makes()
            && self.kind.create.as_ref().is_some_and(|create| create.method == call.method && create.path == call.path)
    }

    /// One that names the object in its path can be sent again: it makes none twice.
    fn is_create_by_name(&self, call: &Call) -> bool {
        let is_it = |create: &Endpoint| create.method == call.method && create.path.contains('{');
        self.change.action.makes() && self.kind.create.as_ref().is_some_and(is_it)
    }

    /// Sends a write, and notes what is known of it.
    async fn send(&mut self, call: &Call) -> Result<Answer, Failure> {
        let after = self.chain;
        self.chain += 1;
        let name = format!("{call:?}");
        let sent = || {
            self.has_sent.store(true, Ordering::Relaxed);
            self.tell(News::Sent(name.clone()));
        };
        let answer = self.client.send_after(call, after, &sent, Some(&self.interrupt)).await;
        self.request_id = answer.as_ref().err().and_then(|failure| failure.request_id.as_deref().map(str::to_owned));
        self.is_unknown = answer.as_ref().is_err_and(|failure| failure.cause == Cause::Unknown);
        self.wrote |= answer.is_ok() || self.is_unknown;
        if !self.is_unknown {
            self.tell(News::Answered(name.clone()));
        }
        if answer.is_ok() {
            self.calls.push(name);
        }
        answer
    }

    fn tell(&self, news: News) {
        (self.events)(Event { address: self.change.address(), action: self.change.action, news });
    }

    /// Makes an object, once.
    async fn create(&mut self, call: &Call) -> Result<Made, Error> {
        let lost = match self.send(call).await {
            Ok(answer) => match self.made(&answer) {
                Some(made) => return Ok(made),
                None => {
                    Failure::new(&format!("{call:?}"), Cause::Unknown, "the answer does not tell the new object's id")
                }
            },
            Err(failure) if failure.cause == Cause::Unknown => failure,
            Err(failure) if failure.status == Some(409) => return self.adopt(call, failure).await,
            Err(failure) => return Err(failure.into()),
        };
        if let Some(object) = self.look_up(call, &lost).await? {
            return Ok(self.take(call, &object));
        }
        if self.is_interrupted() {
            return Err(unknown(lost, "interrupted before it could be sent again"));
        }
        let lost = match self.send(call).await {
            Ok(answer) => match self.made(&answer) {
                Some(made) => return Ok(made),
                None => lost,
            },
            // A conflict now can be with the object that the first one made.
            Err(failure) if failure.cause == Cause::Unknown || failure.status == Some(409) => failure,
            Err(failure) => return Err(failure.into()),
        };
        if let Some(object) = self.look_up(call, &lost).await? {
            return Ok(self.take(call, &object));
        }
        self.is_unknown = true;
        Err(unknown(lost, "it was sent twice, and the tenant shows no such object"))
    }

    /// Takes the object that a create whose answer was lost has made.
    fn take(&mut self, call: &Call, object: &Object) -> Made {
        self.is_unknown = false;
        self.tell(News::Answered(format!("{call:?}")));
        self.calls.push(format!("{call:?}"));
        Made { id: object.id.clone() }
    }

    /// Takes the object that a create met, where it is new since the plan was made and is what the
    /// create would have made.
    async fn adopt(&mut self, call: &Call, conflict: Failure) -> Result<Made, Error> {
        let Some(object) = self.look_up(call, &conflict).await? else { return Err(conflict.into()) };
        let sent = call.body.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        let (sent, live) = (canon::live(self.kind, &sent), canon::live(self.kind, &object.value));
        let is_shown = |(name, value): (&String, &Value)| {
            let is_hidden = self.kind.of(&live).fields.get(name).is_none_or(|field| field.secret || field.write_only);
            is_hidden || live.get(name).is_some_and(|live| covers(live, value))
        };
        if sent.iter().all(is_shown) {
            tracing::info!(address = %self.change.address(), "was made since the plan, and is as it should be");
            return Ok(self.take(call, &object));
        }
        let id = object.id.map_or_else(String::new, |id| format!(" ({id})"));
        let why = format!("the tenant has such an object{id} since the plan was made, and it differs from this one");
        Err(Error::from(conflict.hint("run plan again: it shows what differs")).because(why))
    }

    /// Reads from an answer what was made, if it tells.
    fn made(&self, answer: &Answer) -> Option<Made> {
        let Some(field) = &self.kind.id else { return Some(Made { id: None }) };
        answer.body.as_ref()?.get(field)?.as_str().map(|id| Made { id: Some(id.to_owned()) })
    }

    /// Looks for the object that a create with a lost answer may have made, until reads can't lag
    /// any more.
    async fn look_up(&self, call: &Call, lost: &Failure) -> Result<Option<Object>, Error> {
        tracing::info!(address = %self.change.address(), "looking for the object");
        let sent = call.body.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        let wanted = Address::of(self.kind, &sent);
        let (mut left, mut pause) = (self.lag, FIRST_LOOK);
        loop {
            let mut found = self.client.fetch(&[self.kind], &Needs::default()).await.map_err(|error| {
                let why = error.causes.iter().fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
                unknown(lost.clone(), &format!("looking for the object failed: {why}"))
            })?;
            if let Some(reason) = found.unreadable.get(&self.kind.name) {
                return Err(unknown(lost.clone(), &format!("looking for the object failed: {reason}")));
            }
            let is_new = |id: &Option<String>, address: &Address| match id {
                Some(id) => self.before.by_id(&self.kind.name, id).is_none(),
                None => self.before.named(address).is_empty(),
            };
            let all = found.kinds.remove(&self.kind.name).unwrap_or_default().into_iter();
            let mut ours = all.filter(|object| object.address == wanted && is_new(&object.id, &object.address));
            match (ours.next(), ours.next()) {
                (Some(object), None) => return Ok(Some(object)),
                (Some(_), Some(_)) => return Err(unknown(lost.clone(), "several new objects have its identity")),
                (None, _) if left.is_zero() => return Ok(None),
                (None, _) => {}
            }
            self.later(&mut left, &mut pause).await;
        }
    }

    pub(super) fn is_interrupted(&self) -> bool {
        *self.interrupt.borrow()
    }
}

/// Tells whether a live value holds all that a value asks for.
fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| value.is_null() || live.get(name).is_some_and(|live| covers(live, value)))
        }
        (live, wanted) => canon::are_equal(live, wanted),
    }
}

/// Says that it is not known whether an object was made.
fn unknown(lost: Failure, why: &str) -> Error {
    let hint = "it is not known whether the object was made: the next plan shows it";
    Error::from(lost.hint(hint)).because(why)
}
