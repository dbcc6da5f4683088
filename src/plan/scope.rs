//! What we manage: settles ownership before anything is compared.
//!
//! Objects that we may not touch leave both sides here, so that no later room needs to know.

use std::collections::BTreeSet;

use super::{KindField, Policy};
use crate::kinds::Registry;
use crate::kinds::kind::{Condition, Kind, Reference, remove_at};
use crate::tenant::names::{self, Mention, Names};
use crate::tenant::{Address, Desired, Object, Pattern, Tenant};
use crate::text::{escape, unescape};

/// Gives the kinds that must be read for a plan: those that the definitions manage, and those that
/// their objects refer to, or are recognised by.
#[must_use]
pub fn needed<'a>(registry: &'a Registry, desired: &Desired, policy: &Policy) -> Vec<&'a Kind> {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    for kind in registry.iter().filter(|kind| is_managed(desired, policy, kind)) {
        wanted.insert(&kind.name);
        for object in desired.tenant.objects(&kind.name) {
            for mention in names::references(kind, &object.value) {
                let referred = mention.reference.kinds().filter_map(|name| registry.get(name));
                wanted.extend(referred.map(|kind| kind.name.as_str()));
            }
        }
    }
    loop {
        let before = wanted.len();
        for kind in registry {
            if wanted.contains(kind.name.as_str()) {
                wanted.extend(kinds_in_identity(kind));
            } else if policy.allow_delete && kinds_in_identity(kind).any(|other| wanted.contains(other)) {
                // What goes with an object that is deleted must be known before it is.
                wanted.insert(&kind.name);
            }
        }
        if wanted.len() == before {
            break;
        }
    }
    registry.in_order().filter(|kind| wanted.contains(kind.name.as_str())).collect()
}

/// Tells whether the definitions manage a kind, as far as `--only` and `--exclude` let them.
pub(super) fn is_managed(desired: &Desired, policy: &Policy, kind: &Kind) -> bool {
    desired.tenant.kinds.contains_key(&kind.name) && may_hold(policy, kind)
}

/// Gives the kinds that objects of a kind are recognised by.
fn kinds_in_identity(kind: &Kind) -> impl Iterator<Item = &str> {
    let fields = kind.identity.iter().flat_map(|identity| &identity.fields);
    fields.filter_map(|name| kind.fields.get(name)?.reference.as_ref()).flat_map(Reference::kinds)
}

/// Gives a live tenant with names in the place of ids, without what `--only` and `--exclude` leave
/// out: what an export writes down.
#[must_use]
pub fn chosen(registry: &Registry, mut live: Tenant, policy: &Policy) -> Tenant {
    let names = Names::of(registry, &live, &Tenant::default(), &[]);
    // What is ours or the API's own is told by its ids, before names stand in their place.
    for (kind, objects) in &mut live.kinds {
        let Some(kind) = registry.get(kind) else { continue };
        objects.retain(|object| untouchable(kind, object, policy).is_none());
    }
    let mut tenant = names.named(registry, live);
    let scope = Scope::new(registry, policy, [&tenant, &Tenant::default()]);
    for objects in tenant.kinds.values_mut() {
        objects.retain(|object| scope.holds(&object.address));
    }
    tenant.kinds.retain(|name, _| registry.get(name).is_some_and(|kind| may_hold(policy, kind)));
    without_fields(registry, &mut tenant, policy);
    tenant
}

/// Gives the addresses of all objects of a live tenant, by names.
#[must_use]
pub fn addresses(registry: &Registry, live: &Tenant) -> BTreeSet<Address> {
    let names = Names::of(registry, live, &Tenant::default(), &[]);
    names.named(registry, live.clone()).iter().map(|object| object.address.clone()).collect()
}

/// Tells whether `--only` and `--exclude` let an object in, as far as it alone can tell.
#[must_use]
pub fn is_meant(policy: &Policy, address: &Address) -> bool {
    let nothing = Scope { policy, left_out: BTreeSet::new() };
    nothing.holds(address) && !nothing.is_unwanted(address)
}

/// Takes out the fields that are neither compared, sent nor exported, under each of their names.
pub fn without_fields(registry: &Registry, tenant: &mut Tenant, policy: &Policy) {
    for KindField { kind, pointer } in &policy.exclude_fields {
        let objects = tenant.kinds.get_mut(kind);
        let names = registry.get(kind).map_or_else(Vec::new, |kind| spellings(kind, pointer));
        for object in objects.into_iter().flatten() {
            for name in &names {
                remove_at(&mut object.value, name);
            }
        }
    }
}

/// Gives a pointer with each name that its first part has in files and on the wire.
fn spellings(kind: &Kind, pointer: &str) -> Vec<String> {
    let (first, rest) = pointer[1..].find('/').map_or((&pointer[1..], ""), |at| pointer[1..].split_at(at));
    let field = kind.fields.find(&unescape(first));
    let wire = field.iter().filter_map(|field| field.convert.as_ref()).map(|convert| &convert.wire);
    let others = field.iter().flat_map(|field| field.alias.iter().chain(&field.handle_as)).chain(wire);
    let others = others.map(|name| format!("/{}{rest}", escape(name)));
    std::iter::once(pointer.to_owned()).chain(others).collect()
}

/// Tells whether `--only` and `--exclude` leave anything of a kind.
fn may_hold(policy: &Policy, kind: &Kind) -> bool {
    let is_chosen = |only: &Vec<Pattern>| only.iter().any(|pattern| crate::text::fits(pattern.kind(), &kind.name));
    let is_meant = |just: &BTreeSet<Address>| just.iter().any(|address| address.kind == kind.name);
    policy.just.as_ref().is_none_or(is_meant)
        && policy.only.iter().all(is_chosen)
        && !policy
            .exclude
            .iter()
            .any(|pattern| pattern.is_whole_kind() && crate::text::fits(pattern.kind(), &kind.name))
}

/// Decides which addresses a run is about.
#[derive(Debug)]
pub struct Scope<'a> {
    policy: &'a Policy,
    left_out: BTreeSet<Address>,
}

impl<'a> Scope<'a> {
    /// Looks at both sides: who leaves an object out leaves out those that are recognised by it.
    #[must_use]
    pub fn new(registry: &Registry, policy: &'a Policy, sides: [&Tenant; 2]) -> Self {
        let mut scope = Self { policy, left_out: BTreeSet::new() };
        for kind in registry.in_order() {
            for object in sides.iter().flat_map(|side| side.objects(&kind.name)) {
                let fits =
                    |(name, condition): &(String, Condition)| *name == kind.name && condition.fits(&object.value);
                let is_unwanted = scope.is_unwanted(&object.address) || policy.exclude_where.iter().any(fits);
                if is_unwanted || scope.hangs_on_left_out(kind, object) {
                    scope.left_out.insert(object.address.clone());
                }
            }
        }
        scope
    }

    /// Tells whether an object is part of the run.
    #[must_use]
    pub fn holds(&self, address: &Address) -> bool {
        let is_chosen = |only: &Vec<Pattern>| only.iter().any(|pattern| pattern.fits(address));
        self.policy.just.as_ref().is_none_or(|just| just.contains(address))
            && self.policy.only.iter().all(is_chosen)
            && !self.left_out.contains(address)
    }

    /// Excluded, or one of a kind of which only others are chosen.
    fn is_unwanted(&self, address: &Address) -> bool {
        let leaves_out = |only: &Vec<Pattern>| {
            let is_kind_named = only.iter().any(|pattern| crate::text::fits(pattern.kind(), &address.kind));
            is_kind_named && !only.iter().any(|pattern| pattern.fits(address))
        };
        self.policy.exclude.iter().any(|pattern| pattern.fits(address)) || self.policy.only.iter().any(leaves_out)
    }

    fn hangs_on_left_out(&self, kind: &Kind, object: &Object) -> bool {
        if self.left_out.is_empty() {
            return false;
        }
        let by_identity: BTreeSet<&str> =
            kind.identity.iter().flat_map(|identity| &identity.fields).map(String::as_str).collect();
        names::references(kind, &object.value).into_iter().any(|Mention { pointer, reference, text, .. }| {
            by_identity.contains(pointer.trim_start_matches('/'))
                && reference.kinds().any(|kind| self.left_out.contains(&Address::new(kind, &text)))
        })
    }
}

/// Tells why an object of the live tenant is never touched.
#[must_use]
pub fn untouchable(kind: &Kind, raw: &Object, policy: &Policy) -> Option<&'static str> {
    if kind.system.iter().any(|condition| condition.fits(&raw.value)) {
        return Some("it belongs to the API itself");
    }
    let own = kind.own.as_ref().zip(policy.own_client.as_ref());
    let is_own = own.is_some_and(|(field, own)| {
        raw.value.get(field).and_then(serde_json::Value::as_str) == Some(own)
            || (kind.id.as_ref() == Some(field) && raw.id.as_ref() == Some(own))
    });
    is_own.then_some("tenantctl signs in with it")
}
