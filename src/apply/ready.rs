//! What a call needs before it can be sent: values that are in lists of the API, and a live object
//! that gets where it must be by itself, such as an action that is being built.
//!
//! A part of `change`; waits are bounded, and end when the user interrupts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::change::{FIRST_LOOK, Work};
use crate::error::Error;
use crate::kinds::kind::{Condition, List, Paging, Wait};
use crate::plan::call::{Call, LookedUp, encoded};
use crate::tenant::fill;

const LONGEST_LOOK: Duration = Duration::from_secs(8);

impl Work<'_> {
    /// Reads the values of a body that are in lists of the API.
    pub(super) async fn looked_up(&mut self, mut call: Call) -> Result<Call, Error> {
        for LookedUp { owner: at, name, lookup } in std::mem::take(&mut call.lookups) {
            let owner = call.body.as_ref().and_then(|body| body.pointer(&at)?.as_object()).cloned();
            let owner = owner.unwrap_or_default();
            let text = |name: &str| owner.get(name)?.as_str().map(encoded);
            let list = List {
                path: fill(&lookup.path, text),
                items: lookup.items.clone(),
                paging: vec![Paging::Page],
                size: 50,
                query: BTreeMap::new(),
                totals: false,
                summary: false,
                only: Condition::default(),
                except: None,
                scopes: lookup.scopes.clone(),
                bucket: None,
            };
            let fits = |item: &Map<String, Value>| {
                lookup.fits.iter().all(|(theirs, ours)| item.get(theirs) == owner.get(ours))
            };
            let value = self.found(&list, |item| fits(item).then(|| item.get(&lookup.value).cloned())?).await?;
            let value = value.ok_or_else(|| {
                let wanted = lookup.fits.values().filter_map(|ours| Some(format!("{ours} {}", owner.get(ours)?)));
                Error::new(format!("{call:?}: {} has no {}", list.path, wanted.collect::<Vec<_>>().join(", ")))
            })?;
            if let Some(owner) = call.body.as_mut().and_then(|body| body.pointer_mut(&at)?.as_object_mut()) {
                owner.insert(name, value);
            }
        }
        Ok(call)
    }

    /// Reads a list until an item has what is wanted. What this run wrote before may be shown late.
    async fn found(
        &mut self,
        list: &List,
        wanted: impl Fn(&Map<String, Value>) -> Option<Value>,
    ) -> Result<Option<Value>, Error> {
        let lag = if self.change.requires.is_empty() { Duration::ZERO } else { self.lag };
        let (mut left, mut pause) = (lag, FIRST_LOOK);
        loop {
            let after = self.chain;
            self.chain += 1;
            let found = match self.client.read_list(list, None, None, after).await {
                Ok(items) => items.iter().find_map(&wanted),
                Err(failure) if failure.status == Some(404) && !left.is_zero() => None,
                Err(failure) => return Err(failure.into()),
            };
            if found.is_some() || left.is_zero() || self.is_interrupted() {
                return Ok(found);
            }
            self.later(&mut left, &mut pause).await;
        }
    }

    /// Waits until the live object is what a call needs it to be before, or makes of it.
    pub(super) async fn wait_for(
        &mut self,
        call: &Call,
        wait: &Wait,
        until: &Condition,
        id: Option<&str>,
    ) -> Result<(), Error> {
        let (mut left, mut pause) = (Duration::from_secs(wait.seconds), FIRST_LOOK);
        let get = self.kind.get.as_ref();
        let get = get.ok_or_else(|| Error::new(format!("{call:?}: it can't be seen whether the object is ready")))?;
        loop {
            let after = self.chain;
            self.chain += 1;
            match self.client.read_one(get, id, after).await {
                Ok(live) if until.fits(&live) => return Ok(()),
                Ok(live) if wait.unless.fits(&live) => {
                    let errors =
                        live.get("errors").filter(|errors| errors.as_array().is_some_and(|all| !all.is_empty()));
                    let why = errors.map_or_else(String::new, |errors| format!(": {errors}"));
                    return Err(Error::new(format!("{call:?}: {}{why}", said(&wait.unless))));
                }
                Ok(_) if left.is_zero() => {
                    let message = format!("{call:?}: after {} s not yet: {}", wait.seconds, said(until));
                    return Err(Error::new(message).hint("apply again: it goes on from there"));
                }
                Ok(_) => {}
                // A read may lag behind the create.
                Err(failure) if failure.status == Some(404) && !left.is_zero() => {}
                Err(failure) => return Err(failure.into()),
            }
            if self.is_interrupted() {
                return Err(Error::new(format!("{call:?}: interrupted while waiting for: {}", said(until))));
            }
            self.later(&mut left, &mut pause).await;
            pause = pause.min(LONGEST_LOOK);
        }
    }
}

/// Says a condition in words: `status is built`.
fn said(condition: &Condition) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let words = condition.0.iter().map(|(name, wanted)| {
        let values: Vec<String> = wanted.values.iter().map(text).collect();
        let is = if wanted.not { "is not" } else { "is" };
        format!("{} {is} {}", name.trim_start_matches('/'), values.join(" or "))
    });
    words.collect::<Vec<_>>().join(", ")
}
