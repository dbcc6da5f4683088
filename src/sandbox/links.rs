//! What objects have to do with each other: what a member refers to, what answers show from there, and
//! what goes when an object goes.
//!
//! Pure; it reads declarations and names no kind.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::exchange::Response;
use super::store::{Object, Store, children_of, name_of};
use crate::kinds::kind::{Field, Kind, Reference, Type, at};
use crate::kinds::server::{Holders, Joined};

impl Store {
    /// Finds what a member refers to: an object, or an element of the set of one.
    fn meant(&self, kind: &Kind, field: &Field, object: &Object) -> Option<&Object> {
        let reference = field.reference.as_ref()?;
        let value = object.get(&field.name)?;
        if let [set, member] = reference.path.as_slice() {
            let sibling = kind.fields.find(reference.via.as_deref()?)?;
            let elements = self.meant(kind, sibling, object)?.get(set)?.as_array()?;
            let mut elements = elements.iter().filter_map(Value::as_object);
            return elements.find(|element| element.get(member) == Some(value));
        }
        reference.kinds().filter_map(|name| self.kind(name)).find_map(|kind| {
            let collection = name_of(kind, None);
            if let Some(name) = reference.path.first() {
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
            Some(target) if self.meant(kind, field, object).is_none() => {
                Err(Response::declared(404, &target.server.missing))
            }
            _ => Ok(()),
        }
    }

    /// Gives the value that an answer shows from what a member refers to.
    pub(super) fn joined(&self, kind: &Kind, field: &Field, object: &Object) -> Option<Value> {
        let Joined { by, field: wanted } = field.server.joined.as_ref()?;
        let by = kind.fields.find(by.as_deref().or(kind.id.as_deref())?)?;
        let target = self.meant(kind, by, object)?;
        match wanted {
            Some(pointer) if pointer.starts_with('/') => at(target, pointer).cloned(),
            Some(name) => target.get(name).cloned(),
            None if field.holds == Type::Object => {
                let shown = |member: &Field| Some((member.name.clone(), target.get(&member.name)?.clone()));
                Some(Value::Object(field.fields.iter().filter_map(shown).collect()))
            }
            None => None,
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

    /// Finds the objects of a kind that hold an element which refers to an object of another one.
    pub(super) fn holders<'s>(
        &'s self,
        holders: &Holders,
        kind: &Kind,
        handle: &str,
    ) -> Option<(&'static Kind, Vec<(u64, &'s Object)>)> {
        let holder = self.kind(&holders.kind)?;
        let element = children_of(holder).find(|child| child.name == holders.field)?;
        let means = |reference: &Reference| reference.is_by_handle() && reference.kinds().any(|name| name == kind.name);
        let fields = element.fields.iter().filter(|field| field.reference.as_ref().is_some_and(means));
        let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        let refers = |object: &Object| names.iter().any(|name| object.get(*name).is_some_and(|value| *value == handle));
        let holding: HashSet<&str> = self
            .rows_of(&name_of(element, Some(holder)))
            .filter(|row| refers(&row.object))
            .filter_map(|row| row.parent.as_deref())
            .collect();
        let id = holder.id.as_deref()?;
        let rows = self.rows_of(&name_of(holder, None)).map(|row| (row.number, &row.object));
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
                    let Some(wanted) = target(field.reference.as_ref(), kind, handle, object) else { continue };
                    self.remove_those(&collection, |row| row.get(&field.name) == Some(&wanted));
                }
            }
            for field in other.fields.iter().filter(|field| field.server.cascade) {
                let Some(wanted) = target(field.reference.as_ref(), kind, handle, object) else { continue };
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
fn target(reference: Option<&Reference>, kind: &Kind, handle: &str, object: &Object) -> Option<Value> {
    let reference = reference.filter(|reference| reference.kinds().any(|name| name == kind.name))?;
    match reference.path.as_slice() {
        [] => Some(json!(handle)),
        [name] => object.get(name).cloned(),
        _ => None,
    }
}
