//! Names and handles: the API refers to objects by id, files by name.
//!
//! The planner sees names only; ids come back at the edge, when a change becomes calls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Address, Tenant, fill};
use crate::kinds::Registry;
use crate::kinds::kind::{Child, Field, Fields, Kind, Reference};
use crate::text::escape;

/// Which id has which name, by kind.
#[derive(Debug, Clone, Default)]
pub struct Names {
    kinds: BTreeMap<String, Book>,
    /// Handles of elements that stand below an object: by `kind.field`, by object and element.
    elements: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default)]
struct Book {
    /// By name, the ids of all that have it.
    ids: BTreeMap<String, Vec<String>>,
    /// By id, the name of its own.
    names: BTreeMap<String, String>,
    known: BTreeSet<String>,
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// One object's id.
    Id(&'a str),
    /// Several objects have the name: their ids.
    Several(&'a [String]),
    /// Nothing has it.
    Unknown,
}

impl Names {
    /// Collects the names of a live tenant. Where several objects share a name, a definition's pin
    /// gives the name to one of them, and the others keep their ids as names. A move (kind, old
    /// name, new name) gives an object its new name at once.
    #[must_use]
    pub fn of(registry: &Registry, live: &Tenant, definitions: &Tenant, moves: &[(&str, &str, &str)]) -> Self {
        let mut names = Self::default();
        // A name that is made of references has the names of those.
        for kind in registry.in_order() {
            let Some(objects) = live.kinds.get(&kind.name) else { continue };
            let known: Vec<String> = objects.iter().map(|object| names.address(kind, &object.value).name).collect();
            let book = names.kinds.entry(kind.name.clone()).or_default();
            for (object, name) in objects.iter().zip(known) {
                if let Some(id) = &object.id {
                    book.known.insert(id.clone());
                    book.ids.entry(name).or_default().push(id.clone());
                    for (field, child) in kind.children() {
                        let book = names.elements.entry(format!("{}.{}", kind.name, field.name)).or_default();
                        learn_elements(book, field, child, id, object.value.get(&field.name));
                    }
                }
            }
            book.ids.values_mut().for_each(|ids| ids.sort());
            for (_, from, to) in moves.iter().filter(|(moved, ..)| *moved == kind.name) {
                if !book.ids.contains_key(*to)
                    && let Some(ids) = book.ids.remove(*from)
                {
                    book.ids.insert((*to).to_owned(), ids);
                }
            }
            let known = &book.known;
            let pins: Vec<(String, &String)> = definitions
                .objects(&kind.name)
                .iter()
                .filter_map(|pinned| pinned.id.as_ref().filter(|id| known.contains(*id)).map(|id| (pinned, id)))
                .map(|(pinned, id)| (Address::of(kind, &pinned.value).name, id))
                .collect();
            let given: BTreeSet<&String> = pins.iter().map(|(_, id)| *id).collect();
            book.ids.values_mut().for_each(|ids| ids.retain(|id| !given.contains(id)));
            let mut is_given: BTreeSet<&String> = BTreeSet::new();
            for (name, id) in &pins {
                let ids = book.ids.entry(name.clone()).or_default();
                if is_given.insert(name) {
                    ids.clear();
                }
                ids.push((*id).clone());
            }
            let unique = book.ids.iter().filter_map(|(name, ids)| match ids.as_slice() {
                [id] => Some((id.clone(), name.clone())),
                _ => None,
            });
            book.names = unique.collect();
        }
        names
    }

    /// Gives the address of a live object whose references are handles still.
    fn address(&self, kind: &Kind, value: &Map<String, Value>) -> Address {
        let identity = kind.identity.iter().flat_map(|identity| &identity.fields);
        let refers = |name: &String| kind.fields.get(name).is_some_and(|field| field.reference.is_some());
        if !identity.into_iter().any(refers) {
            return Address::of(kind, value);
        }
        let mut value = value.clone();
        self.put_names(kind, &mut value);
        Address::of(kind, &value)
    }

    /// Adds an object that was just made.
    pub fn learn(&mut self, kind: &str, name: &str, id: &str) {
        let book = self.kinds.entry(kind.to_owned()).or_default();
        book.ids.insert(name.to_owned(), vec![id.to_owned()]);
        book.names.insert(id.to_owned(), name.to_owned());
        book.known.insert(id.to_owned());
    }

    /// Takes out an object that was just deleted: what still shows its id does not mean its name.
    pub fn forget(&mut self, kind: &str, id: &str) {
        if let Some(book) = self.kinds.get_mut(kind) {
            book.names.remove(id);
            book.known.remove(id);
        }
    }

    /// Finds what a name means; an id that the tenant knows means itself.
    #[must_use]
    pub fn meaning<'a>(&'a self, kind: &str, name: &'a str) -> Meaning<'a> {
        let Some(book) = self.kinds.get(kind) else { return Meaning::Unknown };
        match book.ids.get(name).map(Vec::as_slice) {
            Some([id]) => Meaning::Id(id),
            Some(ids) if ids.len() > 1 => Meaning::Several(ids),
            _ if book.known.contains(name) => Meaning::Id(name),
            _ => Meaning::Unknown,
        }
    }

    /// Finds what a text that refers by handle means, in all kinds that it may mean.
    #[must_use]
    pub fn target<'a>(&'a self, reference: &Reference, text: &'a str) -> Meaning<'a> {
        let found = reference.kinds().map(|kind| self.meaning(kind, text));
        found.into_iter().find(|meaning| *meaning != Meaning::Unknown).unwrap_or(Meaning::Unknown)
    }

    /// Gives the handle of an element, in the API's form, of a field that stands at endpoints of its own.
    #[must_use]
    pub fn element(&self, kind: &Kind, field: &Field, object: &str, element: &Value) -> Option<&str> {
        let book = self.elements.get(&format!("{}.{}", kind.name, field.name))?;
        book.get(&element_key(field, object, element)).map(String::as_str)
    }

    /// Gives the name of an id, where it has one of its own.
    #[must_use]
    pub fn name(&self, kind: &str, id: &str) -> Option<&str> {
        self.kinds.get(kind)?.names.get(id).map(String::as_str)
    }

    /// Gives all names of a kind.
    pub fn known(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.kinds.get(kind).into_iter().flat_map(|book| book.ids.keys().map(String::as_str))
    }

    /// Puts names in the place of ids, in all fields that refer by handle.
    pub fn put_names(&self, kind: &Kind, value: &mut Map<String, Value>) {
        references_mut(&kind.of(value).fields, value, &mut |_, reference, text| {
            if !reference.is_by_handle() {
                return;
            }
            if let Some(name) = reference.kinds().find_map(|kind| self.name(kind, text)) {
                name.clone_into(text);
            }
        });
    }

    /// Gives a tenant with names in the place of ids, in references and in addresses.
    #[must_use]
    pub fn named(&self, registry: &Registry, mut tenant: Tenant) -> Tenant {
        for (name, objects) in &mut tenant.kinds {
            for (object, kind) in objects.iter_mut().filter_map(|object| Some((object, registry.get(name)?))) {
                self.put_names(kind, &mut object.value);
                object.address = Address::of(kind, &object.value);
            }
        }
        tenant
    }

    /// Puts ids in the place of names. What has none stays, and is given back by its pointer.
    #[must_use]
    pub fn put_ids(&self, kind: &Kind, value: &mut Map<String, Value>) -> Vec<(String, Reference)> {
        let mut unknown = Vec::new();
        references_mut(&kind.of(value).fields, value, &mut |pointer, reference, text| {
            if !reference.is_by_handle() || !reference.kinds().any(|kind| self.kinds.contains_key(kind)) {
                return;
            }
            match self.target(reference, text) {
                Meaning::Id(id) => *text = id.to_owned(),
                Meaning::Several(_) | Meaning::Unknown => unknown.push((pointer.to_owned(), reference.clone())),
            }
        });
        unknown
    }
}

/// Goes through all texts that refer to something, with their pointers.
pub fn references_mut(
    fields: &Fields,
    value: &mut Map<String, Value>,
    visit: &mut impl FnMut(&str, &Reference, &mut String),
) {
    fn members(
        fields: &Fields,
        value: &mut Map<String, Value>,
        at: &str,
        visit: &mut impl FnMut(&str, &Reference, &mut String),
    ) {
        for (name, value) in value.iter_mut() {
            if let Some(field) = fields.find(name).filter(|field| !field.is_plain()) {
                walk(field, value, &format!("{at}/{}", escape(name)), visit);
            }
        }
    }
    fn walk(field: &Field, value: &mut Value, at: &str, visit: &mut impl FnMut(&str, &Reference, &mut String)) {
        if let Some(within) = &field.within {
            return anywhere_mut(within, value, at, visit);
        }
        match value {
            Value::String(text) if !text.is_empty() => {
                if let Some(reference) = &field.reference {
                    visit(at, reference, text);
                }
            }
            Value::Object(map) => members(&field.fields, map, at, visit),
            Value::Array(items) => {
                if let Some(item) = &field.items {
                    for (index, value) in items.iter_mut().enumerate() {
                        walk(item, value, &format!("{at}/{index}"), visit);
                    }
                }
            }
            _ => {}
        }
    }
    members(fields, value, "", visit);
}

/// Goes through the members of some names, at any depth.
fn anywhere_mut(
    within: &BTreeMap<String, Reference>,
    value: &mut Value,
    at: &str,
    visit: &mut impl FnMut(&str, &Reference, &mut String),
) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let at = format!("{at}/{}", escape(name));
                match (within.get(name), value) {
                    (Some(reference), Value::String(text)) if !text.is_empty() => visit(&at, reference, text),
                    (_, value) => anywhere_mut(within, value, &at, visit),
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter_mut().enumerate() {
                anywhere_mut(within, value, &format!("{at}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// A text of an object that refers to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Where it stands: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What it refers to.
    pub reference: Reference,
    /// The text.
    pub text: String,
    /// What the sibling that `reference` goes by refers to, and its text.
    pub owner: Option<(Reference, String)>,
}

impl Mention {
    /// Tells whether it names an object by members of which some are left out.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.reference.path.is_empty() && self.text.contains('{')
    }
}

/// Lists all references of an object.
#[must_use]
pub fn references(kind: &Kind, value: &Map<String, Value>) -> Vec<Mention> {
    let mut found = Vec::new();
    mentions(&kind.of(value).fields, value, "", &mut found);
    found
}

fn mentions(fields: &Fields, value: &Map<String, Value>, at: &str, found: &mut Vec<Mention>) {
    for (name, member) in value {
        if let Some(field) = fields.find(name).filter(|field| !field.is_plain()) {
            mention(field, member, &format!("{at}/{}", escape(name)), (fields, value), found);
        }
    }
}

fn mention(field: &Field, value: &Value, at: &str, siblings: (&Fields, &Map<String, Value>), found: &mut Vec<Mention>) {
    if let Some(within) = &field.within {
        return anywhere(within, value, at, found);
    }
    match value {
        Value::String(text) if !text.is_empty() => {
            let Some(reference) = &field.reference else { return };
            let owner = reference.via.as_ref().and_then(|via| {
                let text = siblings.1.get(via)?.as_str()?;
                Some((siblings.0.get(via)?.reference.clone()?, text.to_owned()))
            });
            found.push(Mention { pointer: at.to_owned(), reference: reference.clone(), text: text.clone(), owner });
        }
        Value::Object(map) => {
            if let Some(named) = &field.names {
                let text = fill(&named.address, |name| map.get(name)?.as_str().map(str::to_owned));
                let reference = Reference { kind: named.kind.clone(), or: None, path: Vec::new(), via: None };
                found.push(Mention { pointer: at.to_owned(), reference, text, owner: None });
            }
            mentions(&field.fields, map, at, found);
        }
        Value::Array(items) => {
            let Some(item) = &field.items else { return };
            for (index, value) in items.iter().enumerate() {
                mention(item, value, &format!("{at}/{index}"), siblings, found);
            }
        }
        _ => {}
    }
}

/// Lists the references of the members of some names, at any depth.
fn anywhere(within: &BTreeMap<String, Reference>, value: &Value, at: &str, found: &mut Vec<Mention>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let pointer = format!("{at}/{}", escape(name));
                match (within.get(name), value) {
                    (Some(reference), Value::String(text)) if !text.is_empty() => {
                        let (reference, text) = (reference.clone(), text.clone());
                        found.push(Mention { pointer, reference, text, owner: None });
                    }
                    (_, value) => anywhere(within, value, &pointer, found),
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                anywhere(within, value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Notes the handles of the elements of one object, as the API answers them.
fn learn_elements(
    book: &mut BTreeMap<String, String>,
    field: &Field,
    child: &Child,
    object: &str,
    elements: Option<&Value>,
) {
    let Some(id) = &child.id else { return };
    for element in elements.and_then(Value::as_array).into_iter().flatten() {
        if let Some(handle) = element.get(id).and_then(Value::as_str) {
            book.insert(element_key(field, object, element), handle.to_owned());
        }
    }
}

/// Tells an element apart, by its members in the API's form.
fn element_key(field: &Field, object: &str, element: &Value) -> String {
    let fields = field.items.as_ref().map(|items| &items.fields);
    let member = |name: &String| {
        let other = fields.and_then(|fields| fields.get(name)?.handle_as.as_ref());
        let value = other.and_then(|other| element.get(other)).or_else(|| element.get(name));
        value.map_or_else(String::new, Value::to_string)
    };
    let parts: Vec<String> = field.key.iter().map(member).collect();
    format!("{object} {}", parts.join(" "))
}
