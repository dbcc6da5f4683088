//! What objects have to do with each other: what a member refers to, what answers show from there, and
//! what goes when an object goes.
//!
//! Pure; it reads declarations and names no kind.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::exchange::{Request, Response};
use super::operations::mentions;
use super::store::{Object, Row, Store, children_of, name_of};
use super::{make, view};
use crate::kinds::kind::{Field, Fields, Kind, Reference, Type};
use crate::kinds::server::{Answer, Holders, Joined, UsedBy};

impl Store {
    /// Finds what a member refers to: an object, or an element of the set of one.
    fn meant(&self, fields: &Fields, field: &Field, object: &Object) -> Option<&Object> {
        let reference = field.reference.as_ref()?;
        let value = object.get(field.wire_name()).or_else(|| object.get(&field.name))?;
        if let [set, member] = reference.path.as_slice() {
            let sibling = fields.find(reference.via.as_deref()?)?;
            let elements = self.meant(fields, sibling, object)?.get(set)?.as_array()?;
            let mut elements = elements.iter().filter_map(Value::as_object);
            return elements.find(|element| element.get(member) == Some(value));
        }
        reference.kinds().filter_map(|name| self.kind(name)).find_map(|kind| {
            let collection = name_of(kind, None);
            if let (Some(name), false) = (reference.path.first(), field.server.by_handle) {
                return self.objects(&collection).find(|object| object.get(name) == Some(value));
            }
            let number = self.find(&collection, kind, None, value.as_str()?)?;
            Some(&self.row(&collection, number).object)
        })
    }

    /// Refuses an object that refers to what is not there, where the declaration says that it must be.
    ///
    /// # Errors
    /// Gives the refusal of the unknown handle.
    pub(super) fn check_references(&self, kind: &Kind, sent: &Object) -> Result<(), Response> {
        let mut fields = kind.fields.iter().filter(|field| field.server.exists && sent.contains_key(&field.name));
        fields.try_for_each(|field| self.check_reference(kind, &field.name, sent))
    }

    /// Refuses an object whose member refers to what is not there.
    ///
    /// # Errors
    /// Gives the refusal of the unknown handle.
    pub(super) fn check_reference(&self, kind: &Kind, name: &str, object: &Object) -> Result<(), Response> {
        let Some(field) = kind.fields.get(name) else { return Ok(()) };
        let target = field.reference.as_ref().and_then(|reference| self.kind(&reference.kind));
        match target {
            Some(target) if self.meant(&kind.fields, field, object).is_none() => {
                Err(Response::declared(404, &target.server.missing))
            }
            _ => Ok(()),
        }
    }

    /// Gives the value that an answer shows from another object.
    pub(super) fn joined(&self, kind: &Kind, field: &Field, object: &Object) -> Option<Value> {
        self.joined_in(&kind.fields, Some(kind), field, object)
    }

    /// Gives the value that an answer shows from another object, for an object with these fields, which need not
    /// be one of a kind.
    pub(super) fn joined_in(
        &self,
        fields: &Fields,
        kind: Option<&Kind>,
        field: &Field,
        object: &Object,
    ) -> Option<Value> {
        let Joined { by, child, fits, shape } = field.server.joined.as_ref()?;
        let (mut of, mut target) = (kind, object);
        if by.is_some() || child.is_none() {
            let by = fields.find(by.as_deref().or_else(|| kind?.id.as_deref())?)?;
            of = by.reference.iter().flat_map(Reference::kinds).find_map(|name| self.kind(name));
            target = self.meant(fields, by, object)?;
        }
        if let Some(child) = child {
            let has = |row: &Row, member: &str, wanted: &Value| {
                row.object.get(member) == make::shaped(wanted, object).as_ref()
            };
            let is_it = |row: &&Row| fits.iter().all(|(member, wanted)| has(row, member, wanted));
            target = &self.rows_below(of?, child, target)?.filter(is_it).last()?.object;
            of = children_of(of?).find(|other| other.name == *child);
        }
        match shape {
            Some(shape) => make::shaped(shape, target),
            None if field.holds == Type::Object => {
                let shown = |member: &Field| {
                    let from_elsewhere = || self.joined(of?, of?.fields.get(&member.name)?, target);
                    let constant = || member.server.fills.first()?.value.clone();
                    let value = target.get(&member.name).cloned().or_else(from_elsewhere).or_else(constant)?;
                    Some((member.name.clone(), value))
                };
                let mut shown: Object = field.fields.iter().filter_map(shown).collect();
                view::hide(self, &field.fields, &mut shown, Answer::Get);
                Some(Value::Object(shown))
            }
            None => None,
        }
    }

    /// Goes through the children of an object that have a name.
    fn rows_below(&self, kind: &Kind, child: &str, object: &Object) -> Option<impl Iterator<Item = &Row>> {
        let child = children_of(kind).find(|other| other.name == child)?;
        let handle = object.get(kind.id.as_deref()?)?.as_str()?.to_owned();
        let rows = self.rows_of(&name_of(child, Some(kind)));
        Some(rows.filter(move |row| row.parent.as_ref() == Some(&handle)))
    }

    /// Gives what an object shows of those that name it: the first in a shape, or how many there are.
    pub(super) fn told_by_holders(&self, kind: &Kind, field: &Field, object: &Object) -> Option<Value> {
        let holders = field.server.holders.as_ref()?;
        let (_, rows) = self.holders(holders, kind, object.get(kind.id.as_deref()?)?.as_str()?)?;
        match &holders.shape {
            Some(shape) => make::shaped(shape, rows.first()?.1),
            None => Some(json!(rows.len())),
        }
    }

    /// Refuses to delete what objects of other kinds name.
    ///
    /// # Errors
    /// Gives the declared refusal.
    pub(super) fn check_unused(&self, kind: &Kind, handle: &str, request: &Request) -> Result<(), Response> {
        let is_forced =
            |used: &UsedBy| used.unless.as_ref().is_some_and(|name| request.parameter(name) == Some("true"));
        let is_named = |used: &UsedBy| match (&used.field, self.kind(&used.kind)) {
            (Some(field), _) => {
                let holders = Holders { kind: used.kind.clone(), field: field.clone(), shape: None };
                self.holders(&holders, kind, handle).is_some_and(|(_, rows)| !rows.is_empty())
            }
            (None, Some(other)) => {
                let names = |object: &Object| object.values().any(|value| mentions(value, handle));
                self.objects(&name_of(other, None)).any(names)
            }
            (None, None) => false,
        };
        let mut used_by = kind.server.used_by.iter().filter(|used| !is_forced(used));
        match used_by.find(|used| is_named(used)) {
            Some(used) => Err(Response::declared(used.status, &used.refusal)),
            None => Ok(()),
        }
    }

    /// Turns names into handles where those are kept.
    pub(super) fn by_handle(&self, kind: &Kind, object: &mut Object) {
        for field in kind.fields.iter().filter(|field| field.server.by_handle) {
            let Some((reference, value)) = field.reference.as_ref().zip(object.get(&field.name)) else { continue };
            let (Some(target), Some(name)) = (self.kind(&reference.kind), reference.path.first()) else { continue };
            let collection = name_of(target, None);
            let found = self.objects(&collection).find(|other| other.get(name) == Some(value));
            if let Some(handle) = found.and_then(|other| other.get(target.id.as_deref()?).cloned()) {
                object.insert(field.name.clone(), handle);
            }
        }
    }

    /// Gives an object with all that answers show from elsewhere.
    pub(super) fn with_joined(&self, kind: &Kind, object: &Object) -> Object {
        let mut whole = object.clone();
        for field in &kind.fields {
            if let Some(value) = self.joined(kind, field, object) {
                whole.insert(field.name.clone(), value);
            }
        }
        whole
    }

    /// Finds the objects of a kind that name an object of another one: in a field, or in an element of it.
    pub(super) fn holders<'s>(
        &'s self,
        holders: &Holders,
        kind: &Kind,
        handle: &str,
    ) -> Option<(&'static Kind, Vec<(u64, &'s Object)>)> {
        let holder = self.kind(&holders.kind)?;
        let rows = self.rows_of(&name_of(holder, None)).map(|row| (row.number, &row.object));
        let Some(element) = children_of(holder).find(|child| child.name == holders.field) else {
            // Named by its handle, or by the value of the field that the reference says.
            let collection = name_of(kind, None);
            let meant = self.find(&collection, kind, None, handle).map(|number| &self.row(&collection, number).object);
            let wanted =
                holder.fields.get(&holders.field).zip(meant).and_then(|(by, meant)| target(by, kind, handle, meant));
            let wanted = wanted.as_ref().and_then(Value::as_str).unwrap_or(handle);
            let names = |object: &Object| object.get(&holders.field).is_some_and(|value| mentions(value, wanted));
            return Some((holder, rows.filter(|(_, object)| names(object)).collect()));
        };
        let means = |field: &Field| {
            let reference = field.reference.as_ref().filter(|it| it.is_by_handle() || field.server.by_handle);
            reference.is_some_and(|reference| reference.kinds().any(|name| name == kind.name))
        };
        let fields = element.fields.iter().filter(|field| means(field));
        let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        let refers = |object: &Object| names.iter().any(|name| object.get(*name).is_some_and(|value| *value == handle));
        let holding: HashSet<&str> = self
            .rows_of(&name_of(element, Some(holder)))
            .filter(|row| refers(&row.object))
            .filter_map(|row| row.parent.as_deref())
            .collect();
        let id = holder.id.as_deref()?;
        let holds = |object: &Object| object.get(id).and_then(Value::as_str).is_some_and(|id| holding.contains(id));
        Some((holder, rows.filter(|(_, object)| holds(object)).collect()))
    }

    /// Deletes what goes with an object: what lives below it, elements of other objects that refer to it, and
    /// objects of which the declarations say so.
    pub(super) fn remove_dependants(&mut self, kind: &Kind, handle: &str, object: &Object) {
        self.remove_below(&name_of(kind, None), handle);
        for other in self.kinds() {
            for (element, collection) in elements_below(other, &name_of(other, None)) {
                for field in &element.fields {
                    let Some(wanted) = target(field, kind, handle, object) else { continue };
                    self.remove_those(&collection, |row| row.get(&field.name) == Some(&wanted));
                }
            }
            for field in other.fields.iter().filter(|field| field.server.cascade) {
                let Some(wanted) = target(field, kind, handle, object) else { continue };
                let collection = name_of(other, None);
                for gone in self.remove_those(&collection, |row| row.get(&field.name) == Some(&wanted)) {
                    let handle = other.id.as_deref().and_then(|id| gone.get(id)?.as_str()).unwrap_or_default();
                    self.remove_dependants(other, handle, &gone);
                }
            }
        }
    }

    /// Removes the rows that fit, and gives them.
    fn remove_those(&mut self, collection: &str, fits: impl Fn(&Object) -> bool) -> Vec<Object> {
        let rows = self.rows_of(collection).filter(|row| fits(&row.object));
        let (numbers, gone): (Vec<u64>, Vec<Object>) = rows.map(|row| (row.number, row.object.clone())).unzip();
        for number in numbers {
            self.remove(collection, number);
        }
        gone
    }
}

/// Lists what lives below a kind at any depth, each with the name of its collection.
fn elements_below<'k>(kind: &'k Kind, collection: &str) -> Vec<(&'k Kind, String)> {
    let mut found = Vec::new();
    for child in children_of(kind) {
        let collection = format!("{collection}/{}", child.name);
        found.extend(elements_below(child, &collection));
        found.push((child, collection));
    }
    found
}

/// Gives the value by which a reference means an object that is deleted.
fn target(field: &Field, kind: &Kind, handle: &str, object: &Object) -> Option<Value> {
    let reference = field.reference.as_ref().filter(|it| it.kinds().any(|name| name == kind.name))?;
    match reference.path.as_slice() {
        _ if field.server.by_handle => Some(json!(handle)),
        [] => Some(json!(handle)),
        [name] => object.get(name).cloned(),
        _ => None,
    }
}
