//! How changes hang together: what each requires, and the order that follows.
//!
//! Creates and updates come after what they refer to, deletes after what refers to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Action, Change};
use serde_json::{Map, Value};

use crate::error::Problem;
use crate::kinds::Registry;
use crate::kinds::kind::Kind;
use crate::tenant::index::Index;
use crate::tenant::names::references;
use crate::tenant::{Address, Object, Tenant};

/// Gives the addresses by which an object is recognised: those that its identity refers to. It goes
/// with them when they are deleted.
pub fn recognised_by<'a>(kind: &'a Kind, object: &'a Object) -> impl Iterator<Item = Address> + 'a {
    kind.identity.iter().flat_map(|identity| &identity.fields).flat_map(|name| {
        let reference = kind.fields.get(name).and_then(|field| field.reference.as_ref());
        let text = object.value.get(name).and_then(Value::as_str);
        let both = reference.zip(text);
        both.into_iter().flat_map(|(reference, text)| reference.kinds().map(move |kind| Address::new(kind, text)))
    })
}

/// Fills in what each change requires, and puts the changes in an order that keeps to it.
///
/// # Errors
/// Changes that require each other in a circle.
pub fn in_order(
    registry: &Registry,
    desired: &Index<'_>,
    live: &Index<'_>,
    mut changes: Vec<Change>,
) -> Result<Vec<Change>, Problem> {
    require(registry, desired, live, &mut changes);
    let level: BTreeMap<&str, usize> =
        registry.in_order().enumerate().map(|(at, kind)| (kind.name.as_str(), at)).collect();
    changes.sort_by_cached_key(|change| {
        let at = level.get(change.kind.as_str()).copied().unwrap_or_default();
        let is_delete = change.action == Action::Delete;
        (is_delete, if is_delete { usize::MAX - at } else { at }, change.name.clone())
    });
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut ordered: Vec<Change> = Vec::new();
    while !changes.is_empty() {
        // The order of kinds is nearly right: most changes are ready when their turn comes.
        let before = ordered.len();
        let mut waiting = Vec::new();
        for change in changes {
            if change.requires.iter().all(|need| done.contains(need)) {
                done.insert(change.address().to_string());
                ordered.push(change);
            } else {
                waiting.push(change);
            }
        }
        if ordered.len() == before && !loosen(&mut waiting) {
            let circle: Vec<String> = waiting.iter().map(|change| change.address().to_string()).collect();
            return Err(Problem::error(format!("these changes require each other: {}", circle.join(", "))));
        }
        changes = waiting;
    }
    Ok(ordered)
}

/// Takes one requirement out of a circle that can go without it: an object that is there already can be
/// referred to before it changes, and of two that go, either can be the first.
fn loosen(changes: &mut [Change]) -> bool {
    let waiting: BTreeMap<String, (Action, Vec<String>)> =
        changes.iter().map(|it| (it.address().to_string(), (it.action, it.requires.clone()))).collect();
    for change in changes {
        let address = change.address().to_string();
        let least = if change.action == Action::Delete { Action::Delete } else { Action::Update };
        let is_loose = |need: &String| {
            waiting.get(need).is_some_and(|(action, _)| *action == least) && leads_to(&waiting, need, &address)
        };
        if let Some(at) = change.requires.iter().position(is_loose) {
            change.requires.remove(at);
            return true;
        }
    }
    false
}

/// Tells whether a change requires another one, directly or by others.
fn leads_to(waiting: &BTreeMap<String, (Action, Vec<String>)>, from: &str, to: &str) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut next = vec![from];
    while let Some(address) = next.pop() {
        if address == to {
            return true;
        }
        if seen.insert(address) {
            next.extend(waiting.get(address).iter().flat_map(|(_, requires)| requires).map(String::as_str));
        }
    }
    false
}

fn require(registry: &Registry, desired: &Index<'_>, live: &Index<'_>, changes: &mut [Change]) {
    // Of two objects with one name, the one that stays is meant.
    let made: BTreeSet<Address> =
        changes.iter().filter(|change| change.action != Action::Delete).map(Change::address).collect();
    // Who refers to an object as it is now must let go of it before it is deleted.
    let mut holders: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for change in changes.iter() {
        let found = change.id.as_deref().and_then(|id| live.by_id(&change.kind, id));
        let Some((kind, object)) = registry.get(&change.kind).zip(found) else { continue };
        for target in targets(kind, object, live) {
            holders.entry(target).or_default().insert(change.address());
        }
    }
    for change in changes {
        let address = change.address();
        let required: BTreeSet<Address> = if change.action == Action::Delete {
            holders.get(&address).cloned().unwrap_or_default()
        } else {
            let object = desired.meant(&address, change.id.as_deref());
            let found = registry.get(&change.kind).zip(object).map(|(kind, object)| targets(kind, object, desired));
            found.unwrap_or_default().into_iter().filter(|target| made.contains(target)).collect()
        };
        change.requires = required.iter().filter(|other| **other != address).map(ToString::to_string).collect();
    }
}

/// Gives a tenant without the elements of lists at endpoints of their own that name certain objects.
#[must_use]
pub fn without_elements(registry: &Registry, tenant: &Tenant, gone: &BTreeSet<Address>) -> Tenant {
    let side = Index::new(registry, tenant);
    let mut left = tenant.clone();
    for kind in registry {
        let Some(objects) = left.kinds.get_mut(&kind.name) else { continue };
        for object in objects {
            for (field, _) in kind.children() {
                let Some(Value::Array(elements)) = object.value.remove(&field.name) else { continue };
                let stays = |element: &Value| {
                    let value = Map::from_iter([(field.name.clone(), Value::Array(vec![element.clone()]))]);
                    let provenance = Arc::default();
                    let alone = Object { address: object.address.clone(), id: None, value, provenance };
                    targets(kind, &alone, &side).is_disjoint(gone)
                };
                let elements = elements.into_iter().filter(stays).collect();
                object.value.insert(field.name.clone(), Value::Array(elements));
            }
        }
    }
    left
}

/// The addresses that an object refers to, among those of one side.
fn targets(kind: &Kind, object: &Object, side: &Index<'_>) -> BTreeSet<Address> {
    let found = references(kind, &object.value).into_iter().flat_map(|mention| {
        let (reference, text) = mention.owner.unwrap_or((mention.reference, mention.text));
        let target = |kind: &str| match reference.path.first() {
            None => Some(Address::new(kind, &text)),
            Some(field) => side.by_value(kind, field, &text).map(|found| found.address.clone()),
        };
        reference.kinds().filter_map(target).collect::<Vec<_>>()
    });
    found.collect()
}
