//! A tenant's objects by address, by id, and by the values of the fields that others refer to.
//!
//! Made once, looked up many times: the planner goes through thousands of references.

use std::collections::{BTreeSet, HashMap};

use super::{Address, Object, Tenant};
use crate::kinds::Registry;
use crate::kinds::order;

/// Where the objects of a tenant are.
#[derive(Debug)]
pub struct Index<'a> {
    kinds: HashMap<&'a str, OfKind<'a>>,
}

#[derive(Debug, Default)]
struct OfKind<'a> {
    named: HashMap<&'a str, Vec<&'a Object>>,
    ids: HashMap<&'a str, &'a Object>,
    /// By field, by value.
    values: HashMap<&'a str, HashMap<&'a str, &'a Object>>,
}

impl<'a> Index<'a> {
    /// Goes through a tenant once.
    #[must_use]
    pub fn new(registry: &Registry, tenant: &'a Tenant) -> Self {
        let referred = referred(registry);
        let mut kinds: HashMap<&str, OfKind<'_>> = HashMap::new();
        for object in tenant.iter() {
            let kind = object.address.kind.as_str();
            let of_kind = kinds.entry(kind).or_default();
            of_kind.named.entry(&object.address.name).or_default().push(object);
            if let Some(id) = &object.id {
                of_kind.ids.insert(id, object);
            }
            for (field, value) in &object.value {
                if let Some(text) = value.as_str().filter(|_| referred.contains(&(kind, field.as_str()))) {
                    of_kind.values.entry(field).or_default().entry(text).or_insert(object);
                }
            }
        }
        Self { kinds }
    }

    /// Gives all objects of an address: several where a name is not unique.
    #[must_use]
    pub fn named(&self, address: &Address) -> &[&'a Object] {
        let found = self.kinds.get(address.kind.as_str()).and_then(|kind| kind.named.get(address.name.as_str()));
        found.map_or(&[], Vec::as_slice)
    }

    /// Finds the object of an address, where several share it the one that has, or pins, an id.
    #[must_use]
    pub fn meant(&self, address: &Address, id: Option<&str>) -> Option<&'a Object> {
        let named = self.named(address);
        let is_it = |object: &&&Object| id.is_some() && object.id.as_deref() == id;
        named.iter().find(is_it).or_else(|| named.first()).copied()
    }

    /// Finds an object by its id.
    #[must_use]
    pub fn by_id(&self, kind: &str, id: &str) -> Option<&'a Object> {
        self.kinds.get(kind)?.ids.get(id).copied()
    }

    /// Finds an object by the value of a field that others refer to.
    #[must_use]
    pub fn by_value(&self, kind: &str, field: &str, value: &str) -> Option<&'a Object> {
        self.kinds.get(kind)?.values.get(field)?.get(value).copied()
    }
}

/// Lists the fields that something refers to by value.
fn referred(registry: &Registry) -> BTreeSet<(&str, &str)> {
    let mut found = BTreeSet::new();
    for kind in registry {
        for reference in order::references(kind, |_| true) {
            if let Some(name) = reference.path.first() {
                found.extend(reference.kinds().map(|kind| (kind, name.as_str())));
            }
        }
    }
    found
}
