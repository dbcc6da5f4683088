//! How changes hang together: references that must lead somewhere, and the order that follows.
//!
//! Creates and updates come after what they refer to, deletes after what refers to them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scope::Scope;
use super::{Action, Change};
use crate::error::{Origin, Problem};
use crate::kinds::Registry;
use crate::kinds::check::label;
use crate::kinds::kind::{Kind, Reference, at};
use crate::tenant::names::{Meaning, Names, references};
use crate::tenant::{Address, Object, Tenant};
use crate::text::did_you_mean;

/// Both sides, canonical, with what is needed to follow a reference.
#[derive(Debug)]
pub struct Links<'a> {
    /// All kinds.
    pub registry: &'a Registry,
    /// Names and ids of the live tenant.
    pub names: &'a Names,
    /// The definitions.
    pub desired: &'a Tenant,
    /// The live tenant.
    pub live: &'a Tenant,
    /// The definitions as they were written: sets in the order of the files.
    pub written: &'a Tenant,
    /// What the run is about.
    pub scope: &'a Scope<'a>,
}

/// Gives the addresses by which an object is recognised: those that its identity refers to. It goes
/// with them when they are deleted.
pub fn recognised_by<'a>(kind: &'a Kind, object: &'a Object) -> impl Iterator<Item = Address> + 'a {
    kind.identity.iter().flat_map(|identity| &identity.fields).filter_map(|name| {
        let reference = kind.fields.get(name)?.reference.as_ref()?;
        Some(Address::new(&reference.kind, object.value.get(name)?.as_str()?))
    })
}

impl Links<'_> {
    /// Finds the references that lead nowhere, in what changes, and those that the plan leaves without
    /// what they refer to, in all definitions.
    #[must_use]
    pub fn problems(&self, changes: &[Change]) -> Vec<Problem> {
        let gone: BTreeSet<Address> =
            changes.iter().filter(|change| change.action == Action::Delete).map(Change::address).collect();
        let mut problems = Vec::new();
        for object in self.desired.iter().filter(|object| self.scope.holds(&object.address)) {
            let Some(kind) = self.registry.get(&object.address.kind) else { continue };
            let is_its = |change: &&Change| {
                let wanted = self.desired.find_by(&change.address(), change.id.as_deref());
                change.action != Action::Delete && wanted.is_some_and(|wanted| std::ptr::eq(wanted, object))
            };
            let change = changes.iter().find(is_its);
            for (pointer, reference, text) in references(kind, &object.value) {
                let found = if change.is_some_and(|change| self.is_news(change, &pointer, &text)) {
                    self.problem(object, &pointer, &reference, &text, &gone)
                } else {
                    bereft(kind, object, (&pointer, &reference, &text), changes)
                };
                problems.extend(found.map(|problem| problem.at(self.place(kind, object, &pointer, &text))));
            }
        }
        problems
    }

    /// Tells whether a change brings a reference that was not there.
    fn is_news(&self, change: &Change, pointer: &str, text: &str) -> bool {
        let is_new = matches!(change.action, Action::Create | Action::Replace);
        let is_edited = change.fields.iter().any(|edit| pointer.starts_with(&edit.path));
        (is_new || is_edited) && !self.is_said_already(change, pointer, text)
    }

    /// Finds where a reference stands in the files: a set has another order there.
    fn place(&self, kind: &Kind, object: &Object, pointer: &str, text: &str) -> Option<Origin> {
        let parent = |pointer: &str| pointer.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        let written = self
            .written
            .find_by(&object.address, object.id.as_deref())
            .map_or_else(Vec::new, |found| references(kind, &found.value));
        let is_it = |(at, _, wanted): &&(String, Reference, String)| wanted == text && parent(at) == parent(pointer);
        match written.iter().find(is_it) {
            Some((at, ..)) => object.provenance.origin(at),
            None => object.provenance.origin(&parent(pointer)?),
        }
    }

    /// Tells whether the live object has the same element in the same set already.
    fn is_said_already(&self, change: &Change, pointer: &str, text: &str) -> bool {
        let live = self.live.objects(&change.kind).iter().find(|live| live.id.is_some() && live.id == change.id);
        let (Some(live), Some((set, _))) = (live, pointer.rsplit_once('/')) else { return false };
        let value = at(&live.value, set);
        value.and_then(Value::as_array).is_some_and(|items| items.iter().any(|item| item == text))
    }

    /// Counts the definitions of a name that pin a live object.
    fn pins(&self, address: &Address) -> usize {
        let named = self.desired.objects(&address.kind).iter().filter(|object| object.address == *address);
        named.filter(|object| object.id.is_some()).count()
    }

    fn problem(
        &self,
        object: &Object,
        pointer: &str,
        reference: &Reference,
        text: &str,
        gone: &BTreeSet<Address>,
    ) -> Option<Problem> {
        let kind = self.registry.get(&reference.kind)?;
        let known = match (&reference.via, reference.path.as_slice()) {
            (Some(via), [set, member]) => self.members(object, kind, via, set, member)?,
            (None, [field]) => self.values(kind, field),
            _ => self.handles(kind),
        };
        let is_named = known.contains(text) || reference.is_by_handle() && self.is_id(kind, text);
        let address = Address::new(&kind.name, text);
        if let Meaning::Several(ids) = self.names.meaning(&kind.name, text)
            && reference.is_by_handle()
            && self.pins(&address) != 1
        {
            let message = format!(
                "{} refers to `{text}`, and the tenant has {} of that name: {}",
                object.address,
                ids.len(),
                ids.join(", ")
            );
            return Some(Problem::error(message).hint("refer by id, or pin one of them in its definition"));
        }
        if is_named && !(gone.contains(&address) && self.desired.find(&address).is_none()) {
            return None;
        }
        let what = shown(pointer);
        if is_named {
            return Some(Problem::error(format!(
                "{}: `{what}` refers to {address}, which this plan deletes",
                object.address
            )));
        }
        let where_to = match &reference.via {
            Some(via) => format!(
                "{} of {}/{}",
                reference.path.first().map_or("", String::as_str),
                kind.name,
                object.value.get(via).and_then(Value::as_str).unwrap_or_default()
            ),
            None => kind.name.clone(),
        };
        let shown = if object.provenance.is_sensitive(pointer) { "***" } else { text };
        let message = format!("{}: `{what}` refers to {where_to} `{shown}`", object.address);
        if self.is_left_out(kind, reference, text) {
            let hint = "let `--only` and `--exclude`, and those of the project file, leave both out or none";
            return Some(Problem::error(format!("{message}, which is left out and not in the tenant")).hint(hint));
        }
        let near = did_you_mean(text, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        let message = format!("{message}, which neither the definitions nor the tenant have");
        Some(Problem::error(message).maybe_hint(near))
    }

    /// Tells whether the definitions have what is referred to, but the run is not about it.
    fn is_left_out(&self, kind: &Kind, reference: &Reference, text: &str) -> bool {
        self.desired.objects(&kind.name).iter().filter(|object| !self.scope.holds(&object.address)).any(|object| {
            match reference.path.as_slice() {
                [] => object.address.name == text,
                [field] => object.value.get(field).and_then(Value::as_str) == Some(text),
                [set, member, ..] => {
                    let items = object.value.get(set).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    items.iter().any(|item| item.get(member).and_then(Value::as_str) == Some(text))
                }
            }
        })
    }

    /// Goes through the definitions of a kind that the run is about.
    fn held<'b>(&'b self, kind: &Kind) -> impl Iterator<Item = &'b Object> {
        self.desired.objects(&kind.name).iter().filter(|object| self.scope.holds(&object.address))
    }

    fn is_id(&self, kind: &Kind, text: &str) -> bool {
        matches!(self.names.meaning(&kind.name, text), Meaning::Id(_))
    }

    /// All names of a kind, on both sides.
    fn handles(&self, kind: &Kind) -> BTreeSet<String> {
        let desired = self.held(kind).map(|object| object.address.name.clone());
        desired.chain(self.names.known(&kind.name).map(str::to_owned)).collect()
    }

    /// All values of a field, on both sides.
    fn values(&self, kind: &Kind, field: &str) -> BTreeSet<String> {
        let both = self.held(kind).chain(self.live.objects(&kind.name));
        both.filter_map(|object| object.value.get(field)?.as_str().map(str::to_owned)).collect()
    }

    /// The members of a set in the object that a sibling field refers to; none where it is unknown.
    fn members(&self, object: &Object, kind: &Kind, via: &str, set: &str, member: &str) -> Option<BTreeSet<String>> {
        let target = object.value.get(via)?.as_str()?;
        let own = self.registry.get(&object.address.kind)?.fields.get(via)?.reference.as_ref()?.path.first()?;
        let is_target = |other: &&Object| other.value.get(own).and_then(Value::as_str) == Some(target);
        let desired = self.held(kind).find(is_target);
        let live = self.live.objects(&kind.name).iter().find(is_target);
        if desired.is_none() && live.is_none() {
            return None;
        }
        let items =
            desired.and_then(|found| found.value.get(set)).or_else(|| live.and_then(|found| found.value.get(set)));
        let items = items.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Some(items.iter().filter_map(|item| item.get(member)?.as_str().map(str::to_owned)).collect())
    }

    /// Fills in what each change requires, and puts the changes in an order that keeps to it.
    ///
    /// # Errors
    /// Changes that require each other in a circle.
    pub fn in_order(&self, mut changes: Vec<Change>) -> Result<Vec<Change>, Problem> {
        // Of two objects with one name, the one that stays is meant.
        let (gone, kept) = changes.iter().partition::<Vec<_>, _>(|change| change.action == Action::Delete);
        let present: BTreeMap<Address, Action> =
            gone.into_iter().chain(kept).map(|change| (change.address(), change.action)).collect();
        let all = changes.clone();
        for change in &mut changes {
            change.requires = self.requirements(change, &present, &all).iter().map(ToString::to_string).collect();
        }
        let level: BTreeMap<&str, usize> =
            self.registry.in_order().enumerate().map(|(at, kind)| (kind.name.as_str(), at)).collect();
        changes.sort_by_key(|change| {
            let at = level.get(change.kind.as_str()).copied().unwrap_or_default();
            let is_delete = change.action == Action::Delete;
            (is_delete, if is_delete { usize::MAX - at } else { at }, change.name.clone())
        });
        let mut done: BTreeSet<String> = BTreeSet::new();
        let mut ordered: Vec<Change> = Vec::new();
        while !changes.is_empty() {
            let ready = changes.iter().position(|change| change.requires.iter().all(|need| done.contains(need)));
            let Some(at) = ready else {
                let circle: Vec<String> = changes.iter().map(|change| change.address().to_string()).collect();
                return Err(Problem::error(format!("these changes require each other: {}", circle.join(", "))));
            };
            let change = changes.remove(at);
            done.insert(change.address().to_string());
            ordered.push(change);
        }
        Ok(ordered)
    }

    fn requirements(&self, change: &Change, present: &BTreeMap<Address, Action>, all: &[Change]) -> BTreeSet<Address> {
        let address = change.address();
        let Some(kind) = self.registry.get(&change.kind) else { return BTreeSet::new() };
        if change.action != Action::Delete {
            let object = self.desired.find_by(&address, change.id.as_deref());
            let targets = object.map(|object| targets(kind, object, self.desired)).unwrap_or_default();
            let is_made = |target: &Address| present.get(target).is_some_and(|action| *action != Action::Delete);
            return targets.into_iter().filter(|target| *target != address && is_made(target)).collect();
        }
        let refers_here = |other: &&Change| {
            let live = self.live.objects(&other.kind).iter().find(|live| live.id.is_some() && live.id == other.id);
            let kind = self.registry.get(&other.kind);
            kind.zip(live).is_some_and(|(kind, live)| targets(kind, live, self.live).contains(&address))
        };
        let others = all.iter().filter(|other| other.address() != address).filter(refers_here);
        others.map(Change::address).collect()
    }
}

/// The addresses that an object refers to, among those of one side.
fn targets(kind: &Kind, object: &Object, side: &Tenant) -> BTreeSet<Address> {
    let found = references(kind, &object.value).into_iter().filter_map(|(_, reference, text)| {
        let (field, text) = match &reference.via {
            None => (reference.path.first().cloned(), text),
            Some(via) => {
                let own = kind.fields.get(via)?.reference.as_ref()?.path.first().cloned();
                (own, object.value.get(via)?.as_str()?.to_owned())
            }
        };
        let Some(field) = field else { return Some(Address::new(reference.kind, text)) };
        let is_target = |other: &&Object| other.value.get(&field).and_then(Value::as_str) == Some(&text);
        Some(side.objects(&reference.kind).iter().find(is_target)?.address.clone())
    });
    found.collect()
}

/// Says that the plan takes away what a definition that stays as it is refers to.
fn bereft(
    kind: &Kind,
    object: &Object,
    (pointer, reference, text): (&str, &Reference, &str),
    changes: &[Change],
) -> Option<Problem> {
    let what = shown(pointer);
    let change_of = |address: &Address| changes.iter().find(|change| change.address() == *address);
    let message = if let (Some(via), [set, member]) = (&reference.via, reference.path.as_slice()) {
        let owner = kind.fields.get(via)?.reference.as_ref()?;
        let address = Address::new(&owner.kind, object.value.get(via)?.as_str()?);
        let edit = change_of(&address)?.fields.iter().find(|edit| edit.path.trim_start_matches('/') == set)?;
        let is_it = |item: &&Value| item.get(member).and_then(Value::as_str) == Some(text);
        edit.set.as_ref()?.removed.iter().find(is_it)?;
        format!("{}: `{text}` in `{what}` is taken from the {set} of {address} by this plan", object.address)
    } else {
        let address = Address::new(&reference.kind, text);
        change_of(&address).filter(|change| change.action == Action::Delete)?;
        format!("{}: `{what}` refers to {address}, which this plan deletes", object.address)
    };
    Some(Problem::error(message).hint("remove it here too, or keep it there"))
}

/// Shows where a reference stands. An element's number is that of the canonical order, which nobody
/// sees.
fn shown(pointer: &str) -> String {
    label(pointer.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('/'))
}
