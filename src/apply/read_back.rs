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
use crate::plan::{Action, Change, Plan, Planned};
use crate::tenant::index::Index;
use crate::tenant::needs::Needs;
use crate::tenant::unreadable::Unreadable;
use crate::tenant::{Address, Object, Tenant, canon};

const FIRST_LOOK: Duration = Duration::from_millis(500);

/// Gives the live tenant as it is after an apply: what was read back in the place of what was there.
#[must_use]
pub fn refreshed(mut live: Tenant, read: Tenant, plan: &Plan, done: &[&Entry]) -> Tenant {
    // Two objects can have one name: an update and a delete are told apart by the id.
    let known: HashSet<(String, Action, Option<&str>)> =
        done.iter().map(|entry| (entry.address().to_string(), entry.action, entry.kept_id())).collect();
    let was_done = |change: &&Change| {
        let id = change.id.as_deref().filter(|_| !change.action.makes());
        known.contains(&(change.address().to_string(), change.action, id))
    };
    // What was made may have been read back before; a singleton never has a handle.
    let before = plan.changes.iter().filter(was_done).map(|change| (change.kind.as_str(), change.id.as_deref()));
    let after = done.iter().filter(|entry| entry.id.is_some()).map(|entry| (entry.kind.as_str(), entry.id.as_deref()));
    let gone: HashSet<(&str, Option<&str>)> = before.chain(after).collect();
    for (kind, objects) in &mut live.kinds {
        objects.retain(|object| !gone.contains(&(kind.as_str(), object.id.as_deref())));
    }
    for (kind, objects) in read.kinds {
        live.kinds.entry(kind).or_default().extend(objects);
    }
    live.unreadable.extend(read.unreadable);
    live
}

/// Takes all out of a tenant's objects but what names them, except for some that stay whole.
#[must_use]
pub fn outlined(registry: &Registry, mut tenant: Tenant, is_whole: impl Fn(&Address) -> bool) -> Tenant {
    for object in tenant.kinds.values_mut().flatten().filter(|object| !is_whole(&object.address)) {
        if let Some(kind) = registry.get(&object.address.kind) {
            let value = std::mem::take(&mut object.value);
            object.value = value.into_iter().filter(|(name, _)| kind.is_told_by(name)).collect();
        }
    }
    tenant
}

/// Gives the live objects that a plan touches, with all that is known of those that will go: a
/// snapshot must hold their lists at endpoints of their own too.
///
/// # Errors
/// A read that failed for good.
pub async fn before(client: &Client, registry: &Registry, planned: &Planned) -> Result<Tenant, Error> {
    let (after, everything) = (client.rounds(), &Needs::everything());
    let (plan, live) = (&planned.plan, Index::new(registry, &planned.live));
    let goes = |change: &&Change| matches!(change.action, Action::Delete | Action::Replace);
    let read = plan.changes.iter().filter(goes).filter_map(|change| {
        let (kind, id) = registry.get(&change.kind).zip(change.id.as_deref())?;
        if !kind.has_summaries() {
            kind.children().next()?;
        }
        Some(async move {
            match client.read_object(kind, Some(id), everything, after).await {
                Ok(object) => Ok(Some(object)),
                // What can't be read is not kept: the delete says what is wrong, if it is.
                Err(failure) if unreadable(kind, None, &failure).is_some() => Ok(None),
                Err(failure) => Err(Error::from(failure)),
            }
        })
    });
    let mut whole = Tenant::default();
    for object in try_join_all(read).await?.into_iter().flatten() {
        whole.kinds.entry(object.address.kind.clone()).or_default().push(object);
    }
    let mut touched = canonical(registry, &planned.names, &whole, canon::live);
    let is_read: HashSet<(String, Option<String>)> =
        touched.iter().map(|object| (object.address.kind.clone(), object.id.clone())).collect();
    for change in plan.changes.iter().filter(|change| change.action != Action::Create) {
        let found = match change.id.as_deref() {
            Some(id) => live.by_id(&change.kind, id),
            None => planned.live.objects(&change.kind).first(),
        };
        if let Some(object) = found.filter(|it| !is_read.contains(&(change.kind.clone(), it.id.clone()))) {
            touched.kinds.entry(change.kind.clone()).or_default().push(object.clone());
        }
    }
    Ok(touched)
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
    /// The tenant as it was when the plan was made: it says how long lists are.
    pub live: &'a Tenant,
    /// How long a read may lag behind a write.
    pub lag: Duration,
}

/// What came of reading one object.
enum Seen {
    Object(Object),
    Gone,
    Unreadable(Unreadable),
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
                self.listed(kind, &entries, is_settled, after).await?
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
        let is_single = |entry: &&Entry| kind.get.is_some() && entry.id.is_some();
        match &kind.list {
            _ if kind.singleton => false,
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
        after: usize,
    ) -> Result<Vec<Seen>, Error> {
        // By handle, or by name for kinds without: does it stay?
        let written: HashMap<&str, bool> = entries
            .iter()
            .map(|entry| (entry.id.as_deref().unwrap_or(&entry.name), entry.action != Action::Delete))
            .collect();
        let (mut left, mut pause) = (self.lag, FIRST_LOOK);
        loop {
            let mut found = self.client.fetch_after(&[kind], self.needs, after).await?;
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
                Err(failure) => Seen::Unreadable(unreadable(kind, None, &failure).ok_or(failure)?),
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
