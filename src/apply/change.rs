//! One change: its calls, one after the other, and what to do when an answer is lost.
//!
//! A create whose answer was lost is looked up by identity before it is sent again, so that no
//! object is made twice and none is forgotten (product.md, section 7):
//!
//! ```text
//!   POST -> answered -> id
//!        -> lost -> look up, until the read lag is over -> found: adopt it
//!                                                       -> not found: POST once more, look up again
//! ```

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::Job;
use crate::api::failure::{Cause, Failure};
use crate::api::{Answer, Client};
use crate::error::Error;
use crate::kinds::kind::{Kind, Method};
use crate::plan::call::{Call, encoded};
use crate::plan::{Action, Change};
use crate::tenant::needs::Needs;
use crate::tenant::{Address, canon};

pub(super) const FIRST_LOOK: Duration = Duration::from_secs(1);

/// A change that is being carried out.
pub(super) struct Work<'a> {
    pub(super) client: &'a Client,
    interrupt: watch::Receiver<bool>,
    pub(super) lag: Duration,
    pub(super) kind: &'a Kind,
    pub(super) change: &'a Change,
    /// Handles (and for kinds without, addresses) that were there before: none of them is ours.
    before: HashSet<String>,
    pub(super) chain: usize,
    wrote: bool,
}

/// An object that was made: its handle, if its kind has one.
struct Made {
    id: Option<String>,
}

/// What came of a change.
pub(super) struct Ended {
    pub(super) result: Result<Option<String>, Error>,
    /// The number of requests that had to follow each other up to its end.
    pub(super) chain: usize,
    /// Something was written, or may have been.
    pub(super) wrote: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(job: &Job<'a>, kind: &'a Kind, change: &'a Change, chain: usize) -> Self {
        let before = job.live.objects(&kind.name).iter();
        let before = before.map(|object| object.id.clone().unwrap_or_else(|| object.address.to_string())).collect();
        let (client, lag, interrupt) = (job.client, job.lag, job.interrupt.clone());
        Self { client, interrupt, lag, kind, change, before, chain, wrote: false }
    }

    /// Makes the calls.
    pub(super) async fn perform(mut self, calls: &[Call]) -> Ended {
        let mut done = Vec::new();
        let mut id = self.change.id.clone();
        for call in calls {
            match self.step(call, &mut id, done.is_empty()).await {
                Ok(()) => done.push(format!("{call:?}")),
                Err(error) => {
                    let error = match done.as_slice() {
                        [] => error,
                        done => error.because(format!("of this change, {} was done before", done.join(", "))),
                    };
                    return Ended { result: Err(error), chain: self.chain, wrote: self.wrote };
                }
            }
        }
        Ended { result: Ok(id), chain: self.chain, wrote: self.wrote }
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
        let is_made = matches!(self.change.action, Action::Create | Action::Replace);
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

    /// Waits a while, twice as long each time, until the time that is left is over.
    pub(super) async fn later(&self, left: &mut Duration, pause: &mut Duration) {
        let time = (*pause).min(*left);
        self.client.clock().wait(time).await;
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
                return Ok(Answer { status: 200, body: None });
            }
        }
        match self.send(call).await {
            // The first one has made it.
            Err(failure) if failure.status == Some(409) => Ok(Answer { status: 409, body: None }),
            answer => answer,
        }
    }

    fn is_create(&self, call: &Call) -> bool {
        matches!(self.change.action, Action::Create | Action::Replace)
            && self.kind.create.as_ref().is_some_and(|create| create.method == call.method && create.path == call.path)
    }

    async fn send(&mut self, call: &Call) -> Result<Answer, Failure> {
        let after = self.chain;
        self.chain += 1;
        let answer = self.client.send_after(call, after).await;
        self.wrote |= match &answer {
            Ok(_) => true,
            Err(failure) => failure.cause == Cause::Unknown,
        };
        answer
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
            Err(failure) => return Err(failure.into()),
        };
        if let Some(made) = self.look_up(call, &lost).await? {
            return Ok(made);
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
        match self.look_up(call, &lost).await? {
            Some(made) => Ok(made),
            None => Err(unknown(lost, "it was sent twice, and the tenant shows no such object")),
        }
    }

    /// Reads from an answer what was made, if it tells.
    fn made(&self, answer: &Answer) -> Option<Made> {
        let Some(field) = &self.kind.id else { return Some(Made { id: None }) };
        answer.body.as_ref()?.get(field)?.as_str().map(|id| Made { id: Some(id.to_owned()) })
    }

    /// Looks for the object that a create with a lost answer may have made, until reads can't lag
    /// any more.
    async fn look_up(&self, call: &Call, lost: &Failure) -> Result<Option<Made>, Error> {
        tracing::info!(address = %self.change.address(), "the answer was lost: looking for the object");
        let sent = call.body.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        let wanted = Address::of(self.kind, &sent);
        let (mut left, mut pause) = (self.lag, FIRST_LOOK);
        loop {
            let found = self.client.fetch(&[self.kind], &Needs::default()).await.map_err(|error| {
                let why = error.causes.iter().fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
                unknown(lost.clone(), &format!("looking for the object failed: {why}"))
            })?;
            if let Some(reason) = found.unreadable.get(&self.kind.name) {
                return Err(unknown(lost.clone(), &format!("looking for the object failed: {reason}")));
            }
            let is_new = |id: &Option<String>, address: &Address| match id {
                Some(id) => !self.before.contains(id),
                None => !self.before.contains(&address.to_string()),
            };
            let mut ours = found
                .objects(&self.kind.name)
                .iter()
                .filter(|object| object.address == wanted && is_new(&object.id, &object.address));
            match (ours.next(), ours.next()) {
                (Some(object), None) => return Ok(Some(Made { id: object.id.clone() })),
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

/// Says that it is not known whether an object was made.
fn unknown(lost: Failure, why: &str) -> Error {
    let hint = "it is not known whether the object was made: the next plan shows it";
    Error::from(lost.hint(hint)).because(why)
}
