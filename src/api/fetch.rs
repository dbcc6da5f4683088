//! Reading kinds: all lists side by side, the pages of each as `paging` says.
//!
//! Stands between `Client` and the planner: answers go in, a raw `Tenant` comes out, ids where the
//! API has ids. A kind that may not be read is said to be unreadable, never to be empty.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Map, Value};

use super::failure::{Cause, Failure};
use super::paging::{Ask, Finish, Reading};
use super::{Client, Query};
use crate::error::Error;
use crate::kinds::kind::{Endpoint, Kind, List, Method};
use crate::plan::call::encoded;
use crate::tenant::{Address, Object, Provenance, Tenant};

/// A kind as it was read, or why it could not be.
enum Found {
    Objects(Vec<Object>),
    Unreadable(String),
}

impl Client {
    /// Reads all objects of some kinds, side by side.
    ///
    /// # Errors
    /// The first call that failed for good, or a list that is not complete.
    pub async fn fetch(&self, kinds: &[&Kind]) -> Result<Tenant, Error> {
        let after = self.rounds();
        let found = try_join_all(kinds.iter().map(|kind| self.fetch_kind(kind, after))).await?;
        let mut tenant = Tenant { kinds: BTreeMap::new(), unreadable: BTreeMap::new() };
        for (kind, found) in kinds.iter().zip(found) {
            match found {
                Found::Objects(objects) => drop(tenant.kinds.insert(kind.name.clone(), objects)),
                Found::Unreadable(reason) => drop(tenant.unreadable.insert(kind.name.clone(), reason)),
            }
        }
        Ok(tenant)
    }

    async fn fetch_kind(&self, kind: &Kind, after: usize) -> Result<Found, Failure> {
        let values = match (&kind.list, &kind.get) {
            (Some(list), _) if !kind.singleton => self.read_list(list, kind.id.as_deref(), after).await,
            (_, Some(get)) if kind.singleton => self.read_one(get, None, after).await.map(|value| vec![value]),
            _ => return Ok(Found::Unreadable("its declaration does not say how it is read".to_owned())),
        };
        match values {
            Ok(values) => Ok(Found::Objects(values.into_iter().map(|value| object(kind, value)).collect())),
            Err(failure) => unreadable(&failure).map(Found::Unreadable).ok_or(failure),
        }
    }

    /// Reads a list to its end.
    async fn read_list(&self, list: &List, id: Option<&str>, after: usize) -> Result<Vec<Map<String, Value>>, Failure> {
        let mut reading = Reading::new(list, id);
        let mut asked = FuturesUnordered::new();
        let mut asks = vec![(reading.start(), after)];
        loop {
            for (ask, after) in asks.drain(..) {
                let query = reading.query(&ask);
                asked.push(self.ask(list, ask, query, after));
            }
            let Some((ask, after, answer)) = asked.next().await else {
                match reading.finish() {
                    Finish::Complete(items) => return Ok(items),
                    Finish::Again(again) => asks.extend(again.into_iter().map(|ask| (ask, self.rounds()))),
                    Finish::Failed(why) => {
                        let failure = Failure::new(&format!("GET {}", list.path), Cause::Refused, why);
                        return Err(failure.hint("somebody else is changing the tenant: run it again"));
                    }
                }
                continue;
            };
            let more = match answer {
                Ok(answer) => reading.answered(&ask, answer).map_err(|why| {
                    Failure::new(&format!("GET {}", list.path), Cause::Refused, why)
                        .hint("this does not look like Auth0's Management API: check the tenant's domain")
                })?,
                Err(failure) if failure.status == Some(400) => reading.refused(&ask).ok_or(failure)?,
                Err(failure) => return Err(failure),
            };
            asks.extend(more.into_iter().map(|ask| (ask, after + 1)));
        }
    }

    async fn ask(
        &self,
        list: &List,
        ask: Ask,
        query: Vec<(String, String)>,
        after: usize,
    ) -> (Ask, usize, Result<Value, Failure>) {
        let bucket = list.bucket.as_deref().unwrap_or_default();
        let query = Query { path: &list.path, pairs: &query, bucket };
        (ask, after, self.read(&query, after).await)
    }

    /// Reads one object; a singleton without an id.
    pub(crate) async fn read_one(
        &self,
        get: &Endpoint,
        id: Option<&str>,
        after: usize,
    ) -> Result<Map<String, Value>, Failure> {
        debug_assert_eq!(get.method, Method::Get, "a read is a GET");
        let path = id.map_or_else(|| get.path.clone(), |id| get.path.replace("{id}", &encoded(id)));
        let query = Query { path: &path, pairs: &[], bucket: get.bucket.as_deref().unwrap_or_default() };
        match self.read(&query, after).await? {
            Value::Object(value) => Ok(value),
            _ => Err(Failure::new(&format!("GET {path}"), Cause::Refused, "the answer is not an object")
                .hint("this does not look like Auth0's Management API: check the tenant's domain")),
        }
    }
}

/// Gives the reason why a kind can't be read, where that is no reason to stop: the token lacks the
/// scope, the plan lacks the feature, or the tenant does not have it.
pub(crate) fn unreadable(failure: &Failure) -> Option<String> {
    matches!(failure.status, Some(403 | 404 | 501)).then(|| match failure.missing_scope() {
        Some(scopes) => format!("the token lacks the scope {}", scopes.replace(',', " or ")),
        None => failure.message.clone(),
    })
}

/// Wraps what the API gave.
pub(crate) fn object(kind: &Kind, value: Map<String, Value>) -> Object {
    let id = kind.id.as_ref().and_then(|id| value.get(id)).and_then(Value::as_str).map(str::to_owned);
    Object { address: Address::of(kind, &value), id, value, provenance: Provenance::default() }
}
