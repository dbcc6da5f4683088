//! The tenant's objects: rows by collection, found by handle.
//!
//! Pure, and it names no kind. What the API's operations do with objects is `operations`' business.
//! Children and elements are kept like kinds, under `parent/child`, each row with its parent's handle.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::exchange::Moment;
use super::fill;
use super::router::decode;
use crate::kinds::Registry;
use crate::kinds::kind::Kind;

/// An object as the API has it.
pub type Object = Map<String, Value>;

/// One object with its place.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    /// Its number: the order in which objects were made.
    pub number: u64,
    /// The handle of the object below which it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The object, whole.
    pub object: Object,
}

impl std::fmt::Debug for Row {
    /// Objects hold secrets, so none is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("number", &self.number).finish_non_exhaustive()
    }
}

/// All objects of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Collection {
    rows: BTreeMap<u64, Row>,
    /// By parent and handle: elements of two objects may have the same one.
    by_place: HashMap<String, u64>,
}

/// The tenant's objects.
#[derive(Debug, Clone)]
pub struct Store {
    registry: &'static Registry,
    domain: String,
    collections: BTreeMap<String, Collection>,
    last: u64,
}

/// Names the collection of a kind.
pub(super) fn name_of(kind: &Kind, parent: Option<&Kind>) -> String {
    let own = |kind: &Kind| kind.server.served_by.as_ref().unwrap_or(&kind.name).clone();
    parent.map_or_else(|| own(kind), |parent| format!("{}/{}", own(parent), kind.name))
}

/// Goes through the kinds of what lives below a kind: of its own making, and the elements of its fields.
pub(super) fn children_of(kind: &Kind) -> impl Iterator<Item = &Kind> {
    let fields = kind.fields.iter().chain(&kind.server.fields);
    kind.server.children.iter().chain(fields.filter_map(|field| field.server.element.as_deref()))
}

/// Writes the key under which a row is found.
pub(super) fn place(parent: Option<&str>, handle: &str) -> String {
    parent.map_or_else(|| handle.to_owned(), |parent| format!("{parent}/{handle}"))
}

impl Store {
    /// Makes a store without objects.
    #[must_use]
    pub fn new(registry: &'static Registry, domain: &str) -> Self {
        Self { registry, domain: domain.to_owned(), collections: BTreeMap::new(), last: 0 }
    }

    /// Gives the tenant's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Gives the declarations.
    #[must_use]
    pub fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// Goes through all kinds that the API serves, also those that are no configuration.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &'static Kind> + use<> {
        self.registry.iter().flat_map(|kind| std::iter::once(kind).chain(&kind.server.beside))
    }

    /// Finds a kind that the API serves, by name.
    pub(super) fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds().find(|kind| kind.name == name)
    }

    /// Goes through the objects of a kind in the order in which they were made.
    pub fn objects(&self, collection: &str) -> impl Iterator<Item = &Object> {
        self.rows_of(collection).map(|row| &row.object)
    }

    /// Goes through the rows of a collection in the order in which they were made.
    pub(super) fn rows_of(&self, collection: &str) -> impl Iterator<Item = &Row> + use<'_> {
        self.collections.get(collection).into_iter().flat_map(|rows| rows.rows.values())
    }

    /// Goes through the rows of a collection, to change them.
    pub(super) fn rows_of_mut(&mut self, collection: &str) -> impl Iterator<Item = &mut Row> + use<'_> {
        self.collections.get_mut(collection).into_iter().flat_map(|rows| rows.rows.values_mut())
    }

    /// Goes through all rows by collection, to keep them.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<&str, Vec<&Row>> {
        self.collections.iter().map(|(name, rows)| (name.as_str(), rows.rows.values().collect())).collect()
    }

    /// Takes kept rows back.
    pub fn restore(&mut self, rows: BTreeMap<String, Vec<Row>>) {
        for (name, rows) in rows {
            for row in rows {
                self.last = self.last.max(row.number);
                self.put(&name, row);
            }
        }
    }

    /// Moves the tenant to another domain: addresses of the old one in all objects become those of the
    /// new one, as the identifiers of system APIs and the audiences of their grants.
    pub fn move_to(&mut self, domain: &str) {
        let (old, new) = (format!("https://{}/", self.domain), format!("https://{domain}/"));
        domain.clone_into(&mut self.domain);
        for row in self.collections.values_mut().flat_map(|rows| rows.rows.values_mut()) {
            for value in row.object.values_mut() {
                readdress(value, &old, &new);
            }
        }
    }

    /// Adds an object as it is, with a handle.
    pub fn plant(&mut self, kind: &Kind, mut object: Object, moment: &mut Moment) {
        if let Some(field) = kind.id.as_deref().and_then(|id| kind.fields.get(id))
            && let Some(handle) = fill::value(&field.server.fills, &object, &object, moment)
        {
            object.insert(field.name.clone(), handle);
        }
        self.insert(&name_of(kind, None), None, object);
    }

    /// Adds the objects of fixed names that can't be made, where they are not there yet.
    pub fn plant_fixed(&mut self) {
        for kind in self.registry.iter().filter(|kind| kind.create.is_none()) {
            for name in kind.keys.iter().flat_map(|keys| &keys.values) {
                let collection = name_of(kind, None);
                if self.find(&collection, kind, None, name).is_none() {
                    let keys = kind.keys.iter();
                    self.insert(&collection, None, keys.flat_map(|keys| keys.members(name)).collect());
                }
            }
        }
    }

    fn put(&mut self, collection: &str, row: Row) {
        let handle = self.kind_of(collection).and_then(|kind| kind.handle_of(&row.object));
        let place = handle.map(|handle| place(row.parent.as_deref(), &handle));
        let rows = self.collections.entry(collection.to_owned()).or_default();
        if let Some(place) = place {
            rows.by_place.insert(place, row.number);
        }
        rows.rows.insert(row.number, row);
    }

    fn kind_of(&self, collection: &str) -> Option<&'static Kind> {
        let mut names = collection.split('/');
        let kind = self.kind(names.next()?)?;
        names.try_fold(kind, |kind, name| children_of(kind).find(|child| child.name == name))
    }

    /// Adds a row, and gives its number.
    pub(super) fn insert(&mut self, collection: &str, parent: Option<String>, object: Object) -> u64 {
        self.last += 1;
        let number = self.last;
        self.put(collection, Row { number, parent, object });
        number
    }

    /// Gives the row of a number.
    pub(super) fn row(&self, collection: &str, number: u64) -> &Row {
        // Numbers come from `find` or `insert` under the same lock.
        self.collections.get(collection).and_then(|rows| rows.rows.get(&number)).expect("the row was just found")
    }

    /// Gives the object of a number, to change it.
    pub(super) fn object_mut(&mut self, collection: &str, number: u64) -> &mut Object {
        let rows = self.collections.get_mut(collection).and_then(|rows| rows.rows.get_mut(&number));
        &mut rows.expect("the row was just found").object
    }

    /// Gives the handle of the object of a number.
    pub(super) fn handle_at(&self, collection: &str, kind: &Kind, number: u64) -> String {
        kind.handle_of(&self.row(collection, number).object).unwrap_or_default()
    }

    /// Finds an object by handle, or by the field that may stand for it; some clients encode that
    /// twice (recorded for identifiers of APIs).
    pub(super) fn find(&self, collection: &str, kind: &Kind, parent: Option<&str>, handle: &str) -> Option<u64> {
        let rows = self.collections.get(collection)?;
        if let Some(number) = rows.by_place.get(&place(parent, handle)) {
            return Some(*number);
        }
        let field = kind.server.also_by.as_deref()?;
        let twice = decode(handle);
        let fits = |row: &&Row| {
            row.parent.as_deref() == parent
                && row.object.get(field).is_some_and(|value| *value == *handle || *value == *twice)
        };
        rows.rows.values().find(fits).map(|row| row.number)
    }

    /// Gives a collection as it is now, to be put back where a request fails half-way.
    pub(super) fn collection(&self, name: &str) -> Collection {
        self.collections.get(name).cloned().unwrap_or_default()
    }

    /// Puts a collection back as it was.
    pub(super) fn put_back(&mut self, name: &str, collection: Collection) {
        self.collections.insert(name.to_owned(), collection);
    }

    /// Removes a row, and all that lives below it.
    pub(super) fn remove(&mut self, collection: &str, number: u64) {
        let kind = self.kind_of(collection);
        let Some(rows) = self.collections.get_mut(collection) else { return };
        let Some(row) = rows.rows.remove(&number) else { return };
        let Some(handle) = kind.and_then(|kind| kind.handle_of(&row.object)) else { return };
        let place = place(row.parent.as_deref(), &handle);
        if rows.by_place.get(&place) == Some(&number) {
            rows.by_place.remove(&place);
        }
        self.remove_below(collection, &place);
    }

    /// Removes all that lives below a row, given by its place.
    pub(super) fn remove_below(&mut self, collection: &str, place: &str) {
        let is_below = |name: &str| {
            name.strip_prefix(collection)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| !rest.contains('/'))
        };
        let names: Vec<String> = self.collections.keys().filter(|name| is_below(name)).cloned().collect();
        for name in names {
            let rows = self.rows_of(&name).filter(|row| row.parent.as_deref() == Some(place));
            let below: Vec<u64> = rows.map(|row| row.number).collect();
            for number in below {
                self.remove(&name, number);
            }
        }
    }
}

fn readdress(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(old) {
                *text = format!("{new}{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| readdress(item, old, new)),
        Value::Object(members) => members.values_mut().for_each(|member| readdress(member, old, new)),
        _ => {}
    }
}
