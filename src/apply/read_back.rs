//! Reading again what was written, and only that.
//!
//! Comparing it with the definitions is the planner's; here is the reading, and the patience with
//! reads that lag behind writes.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::api::{Client, unreadable};
use crate::error::Error;
use crate::kinds::Registry;
use crate::kinds::kind::Kind;
use crate::plan::{Action, Change, Plan};
use crate::tenant::needs::Needs;
use crate::tenant::{Address, Object, Tenant};

const FIRST_LOOK: Duration = Duration::from_millis(500);

/// Gives the live tenant as it is after an apply: what was read back in the place of what was there.
#[must_use]
pub fn refreshed(live: &Tenant, read: Tenant, plan: &Plan, done: &[(Address, Action, Option<String>)]) -> Tenant {
    let is_done = |change: &&Change| {
        // Two objects can have one name; what is made has an id that the plan does not know.
        let is_it = |id: &Option<String>| matches!(change.action, Action::Create | Action::Replace) || *id == change.id;
        done.iter().any(|(address, action, id)| *address == change.address() && *action == change.action && is_it(id))
    };
    let gone: Vec<(&str, Option<&str>)> =
        plan.changes.iter().filter(is_done).map(|change| (change.kind.as_str(), change.id.as_deref())).collect();
    let mut now = live.clone();
    for (kind, objects) in &mut now.kinds {
        objects.retain(|object| {
            // What was made had no handle before; a singleton never has one.
            !gone.iter().any(|(written, id)| written == kind && *id == object.id.as_deref())
        });
    }
    for (kind, objects) in read.kinds {
        now.kinds.entry(kind).or_default().extend(objects);
    }
    now.unreadable.extend(read.unreadable);
    now
}

/// What came of reading one object.
enum Seen {
    Object(Object),
    Gone,
    Unreadable(String),
}

/// Reads the objects of an outcome's `done` again, side by side.
///
/// An object that is not there yet, or not gone yet, or of which `is_settled` says that it does not
/// show the write yet, is read again until `lag` is over; then it counts as it is. A kind of which
/// all written objects are gone stands in the tenant with an empty list.
///
/// # Errors
/// A read that failed for good.
pub async fn read_back(
    client: &Client,
    registry: &Registry,
    needs: &Needs,
    done: &[(Address, Action, Option<String>)],
    is_settled: impl Fn(&Object) -> bool + Sync,
    lag: Duration,
) -> Result<Tenant, Error> {
    let after = client.rounds();
    let written = done
        .iter()
        .filter_map(|(address, action, id)| registry.get(&address.kind).map(|kind| (kind, *action, id.as_deref())));
    let (single, listed): (Vec<_>, Vec<_>) = written
        .partition(|(kind, _, id)| (kind.get.is_some() || kind.keys.is_some()) && (kind.singleton || id.is_some()));
    let seen = try_join_all(single.iter().map(|(kind, action, id)| {
        let is_settled = &is_settled;
        async move { patient(client, (kind, *id, needs), *action, is_settled, (lag, after)).await }
    }));
    let is_listed = |kind: &&Kind| listed.iter().any(|(listed, ..)| listed.name == kind.name);
    let lists: Vec<&Kind> = registry.iter().filter(is_listed).collect();
    let (seen, mut tenant) = tokio::try_join!(seen, client.fetch(&lists, needs))?;
    let names: Vec<&Address> = done.iter().map(|(address, ..)| address).collect();
    let ids: Vec<&String> = done.iter().filter_map(|(_, _, id)| id.as_ref()).collect();
    for kind in &lists {
        if let Some(objects) = tenant.kinds.get_mut(&kind.name) {
            objects.retain(|object| match &object.id {
                Some(id) => ids.contains(&id),
                None => names.contains(&&object.address),
            });
        }
    }
    for ((kind, ..), seen) in single.iter().zip(seen) {
        match seen {
            Seen::Object(object) => tenant.kinds.entry(kind.name.clone()).or_default().push(object),
            Seen::Gone => drop(tenant.kinds.entry(kind.name.clone()).or_default()),
            Seen::Unreadable(reason) => drop(tenant.unreadable.insert(kind.name.clone(), reason)),
        }
    }
    // A kind is either read or not.
    let Tenant { kinds, unreadable } = &mut tenant;
    kinds.retain(|kind, _| !unreadable.contains_key(kind));
    Ok(tenant)
}

/// Reads one object until it shows what was written.
async fn patient(
    client: &Client,
    (kind, id, needs): (&Kind, Option<&str>, &Needs),
    action: Action,
    is_settled: &(impl Fn(&Object) -> bool + Sync),
    (lag, after): (Duration, usize),
) -> Result<Seen, Error> {
    let (mut left, mut pause) = (lag, FIRST_LOOK);
    loop {
        let seen = match client.read_object(kind, id, needs, after).await {
            Ok(object) => Seen::Object(object),
            Err(failure) if failure.status == Some(404) => Seen::Gone,
            Err(failure) => Seen::Unreadable(unreadable(&failure).ok_or(failure)?),
        };
        let is_final = match &seen {
            Seen::Object(object) => action != Action::Delete && is_settled(object),
            Seen::Gone => action == Action::Delete,
            Seen::Unreadable(_) => true,
        };
        if is_final || left.is_zero() {
            return Ok(seen);
        }
        let wait = pause.min(left);
        client.clock().wait(wait).await;
        left -= wait;
        pause *= 2;
    }
}
