//! Reading again what was written, and only that; and before, what will go.
//!
//! Comparing it with the definitions is the planner's; here is the reading, and the patience with
//! reads that lag behind writes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::api::{Client, unreadable};
use crate::error::Error;
use crate::kinds::Registry;
use crate::kinds::kind::Kind;
use crate::plan::ledger::Entry;
use crate::plan::planner::canonical;
use crate::plan::{Action, Plan, Planned};
use crate::tenant::needs::Needs;
use crate::tenant::{Object, Tenant, canon};

const FIRST_LOOK: Duration = Duration::from_millis(500);

/// Gives the live tenant as it is after an apply: what was read back in the place of what was there.
#[must_use]
pub fn refreshed(live: &Tenant, read: Tenant, plan: &Plan, done: &[&Entry]) -> Tenant {
    // Two objects can have one name: an update and a delete are told apart by the id.
    let known: HashSet<(String, Action, Option<&str>)> =
        done.iter().map(|entry| (entry.address().to_string(), entry.action, entry.kept_id())).collect();
    let gone: HashSet<(&str, Option<&str>)> = plan
        .changes
        .iter()
        .filter(|change| {
            let id = change.id.as_deref().filter(|_| !change.action.makes());
            known.contains(&(change.address().to_string(), change.action, id))
        })
        .map(|change| (change.kind.as_str(), change.id.as_deref()))
        .collect();
    let mut now = live.clone();
    for (kind, objects) in &mut now.kinds {
        // What was made had no handle before; a singleton never has one.
        objects.retain(|object| !gone.contains(&(kind.as_str(), object.id.as_deref())));
    }
    for (kind, objects) in read.kinds {
        now.kinds.entry(kind).or_default().extend(objects);
    }
    now.unreadable.extend(read.unreadable);
    now
}

/// Gives the live tenant of a plan with all that is known of the objects that will go: a snapshot
/// must hold their lists at endpoints of their own too.
///
/// # Errors
/// A read that failed for good.
pub async fn before(client: &Client, registry: &Registry, planned: &Planned) -> Result<Tenant, Error> {
    let (after, everything) = (client.rounds(), Needs::everything());
    let goes = planned.plan.changes.iter().filter(|change| matches!(change.action, Action::Delete | Action::Replace));
    let read = goes.filter_map(|change| {
        let (kind, id) = registry.get(&change.kind).zip(change.id.as_deref())?;
        kind.children().next()?;
        let read = client.read_object(kind, Some(id), &everything, after);
        Some(async move {
            match read.await {
                Ok(object) => Ok(Some(object)),
                // What can't be read is not kept: the delete says what is wrong, if it is.
                Err(failure) if unreadable(&failure).is_some() => Ok(None),
                Err(failure) => Err(Error::from(failure)),
            }
        })
    });
    let mut whole = Tenant::default();
    for object in try_join_all(read).await?.into_iter().flatten() {
        whole.kinds.entry(object.address.kind.clone()).or_default().push(object);
    }
    let whole = canonical(registry, &planned.names, &whole, canon::live);
    let mut live = planned.live.clone();
    for object in whole.kinds.into_values().flatten() {
        let found = live.kinds.get_mut(&object.address.kind).into_iter().flatten();
        if let Some(found) = found.into_iter().find(|found| found.id == object.id) {
            found.value = object.value;
        }
    }
    Ok(live)
}

/// Reading back: with what, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct ReadBack<'a> {
    /// The tenant.
    pub client: &'a Client,
    /// The kinds.
    pub registry: &'a Registry,
    /// What is needed of the objects.
    pub needs: &'a Needs,
    /// The tenant as it was when the plan was made.
    pub live: &'a Tenant,
    /// How long a read may lag behind a write.
    pub lag: Duration,
}

/// What came of reading one object.
enum Seen {
    Object(Object),
    Gone,
    Unreadable(String),
}

impl ReadBack<'_> {
    /// Reads what was done again, side by side, by the fewest requests: one by one, or the list
    /// where that has fewer pages.
    ///
    /// An object that is not there yet, or not gone yet, or of which `is_settled` says that it does
    /// not show the write yet, is read again until the lag is over; then it counts as it is. A kind
    /// of which all written objects are gone stands in the tenant with an empty list.
    ///
    /// # Errors
    /// A read that failed for good.
    pub async fn read(&self, done: &[&Entry], is_settled: &(impl Fn(&Object) -> bool + Sync)) -> Result<Tenant, Error> {
        let after = self.client.rounds();
        let mut kinds: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in done {
            kinds.entry(&entry.kind).or_default().push(entry);
        }
        let of_kind = kinds.into_iter().filter_map(|(kind, entries)| Some((self.registry.get(kind)?, entries)));
        let read = of_kind.map(|(kind, entries)| async move {
            let seen = if self.is_listed(kind, &entries) {
                self.listed(kind, &entries, is_settled).await?
            } else {
                try_join_all(entries.iter().map(|entry| self.single(kind, entry, is_settled, after))).await?
            };
            Ok::<_, Error>((kind, seen))
        });
        let mut tenant = Tenant::default();
        for (kind, seen) in try_join_all(read).await? {
            let mut objects = Vec::new();
            for seen in seen {
                match seen {
                    Seen::Object(object) => objects.push(object),
                    Seen::Gone => {}
                    Seen::Unreadable(reason) => drop(tenant.unreadable.insert(kind.name.clone(), reason)),
                }
            }
            // A kind is either read or not.
            if !tenant.unreadable.contains_key(&kind.name) {
                tenant.kinds.insert(kind.name.clone(), objects);
            }
        }
        Ok(tenant)
    }

    /// Tells whether the list takes fewer requests than its written objects, or is the only way.
    fn is_listed(&self, kind: &Kind, entries: &[&Entry]) -> bool {
        let is_single = |entry: &&Entry| (kind.get.is_some() || kind.keys.is_some()) && entry.id.is_some();
        match &kind.list {
            _ if kind.singleton || kind.keys.is_some() => false,
            None => false,
            Some(_) if !entries.iter().all(is_single) => true,
            Some(list) => {
                let made = entries.iter().filter(|entry| entry.action == Action::Create).count();
                let total = self.live.objects(&kind.name).len() + made;
                total.div_ceil(list.size.max(1)).max(1) < entries.len()
            }
        }
    }

    /// Reads the list of a kind until it shows what was written.
    async fn listed(
        &self,
        kind: &Kind,
        entries: &[&Entry],
        is_settled: &(impl Fn(&Object) -> bool + Sync),
    ) -> Result<Vec<Seen>, Error> {
        // By handle, or by name for kinds without: does it stay?
        let written: HashMap<&str, bool> = entries
            .iter()
            .map(|entry| (entry.id.as_deref().unwrap_or(&entry.name), entry.action != Action::Delete))
            .collect();
        let (mut left, mut pause) = (self.lag, FIRST_LOOK);
        loop {
            let mut found = self.client.fetch(&[kind], self.needs).await?;
            if let Some(reason) = found.unreadable.remove(&kind.name) {
                return Ok(vec![Seen::Unreadable(reason)]);
            }
            let mut objects = found.kinds.remove(&kind.name).unwrap_or_default();
            let handle = |object: &Object| object.id.clone().unwrap_or_else(|| object.address.name.clone());
            objects.retain(|object| written.contains_key(handle(object).as_str()));
            let shown: HashSet<String> = objects.iter().map(handle).collect();
            let is_final = written.iter().all(|(handle, stays)| shown.contains(*handle) == *stays)
                && objects.iter().all(is_settled);
            if is_final || left.is_zero() {
                return Ok(objects.into_iter().map(Seen::Object).collect());
            }
            self.later(&mut left, &mut pause).await;
        }
    }

    /// Reads one object until it shows what was written.
    async fn single(
        &self,
        kind: &Kind,
        entry: &Entry,
        is_settled: &(impl Fn(&Object) -> bool + Sync),
        after: usize,
    ) -> Result<Seen, Error> {
        let (mut left, mut pause) = (self.lag, FIRST_LOOK);
        loop {
            let seen = match self.client.read_object(kind, entry.id.as_deref(), self.needs, after).await {
                Ok(object) => Seen::Object(object),
                Err(failure) if failure.status == Some(404) => Seen::Gone,
                Err(failure) => Seen::Unreadable(unreadable(&failure).ok_or(failure)?),
            };
            let is_final = match &seen {
                Seen::Object(object) => entry.action != Action::Delete && is_settled(object),
                Seen::Gone => entry.action == Action::Delete,
                Seen::Unreadable(_) => true,
            };
            if is_final || left.is_zero() {
                return Ok(seen);
            }
            self.later(&mut left, &mut pause).await;
        }
    }

    /// Waits a while, twice as long each time, until the time that is left is over.
    async fn later(&self, left: &mut Duration, pause: &mut Duration) {
        let wait = (*pause).min(*left);
        self.client.clock().wait(wait).await;
        *left -= wait;
        *pause *= 2;
    }
}
