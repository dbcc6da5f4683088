//! What must be read of a tenant beyond the lists of its kinds: the fields that stand at endpoints of
//! their own, each a request an object, and objects that are read one by one.
//!
//! Made from the definitions before anything is read, so that a plan asks for no more than it
//! compares; an export needs everything.

use std::collections::{BTreeMap, BTreeSet};

use super::{Object, Tenant};
use crate::kinds::kind::{Field, Kind};

/// What must be read.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    is_all: bool,
    /// By kind, by the name or the id of an object, the fields that its definition has.
    wanted: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Needs {
    /// Needs everything that there is.
    #[must_use]
    pub fn everything() -> Self {
        Self { is_all: true, wanted: BTreeMap::new() }
    }

    /// Needs what definitions are compared with. A move (kind, old name, new name) says that the live
    /// object of a definition has its old name.
    #[must_use]
    pub fn of(definitions: &Tenant, moves: &[(&str, &str, &str)]) -> Self {
        let mut needs = Self::default();
        for object in definitions.iter() {
            let (kind, name) = (&object.address.kind, &object.address.name);
            let old = moves.iter().filter(|(moved, _, to)| moved == kind && to == name).map(|(_, from, _)| *from);
            let of_kind = needs.wanted.entry(kind.clone()).or_default();
            for handle in old.chain([name.as_str()]).chain(object.id.as_deref()) {
                of_kind.entry(handle.to_owned()).or_default().extend(object.value.keys().cloned());
            }
        }
        needs
    }

    /// Tells whether a field of a live object is needed.
    #[must_use]
    pub fn field(&self, kind: &Kind, field: &Field, object: &Object) -> bool {
        let wanted = self.wanted.get(&kind.name);
        let mut handles = [Some(object.address.name.as_str()), object.id.as_deref()].into_iter().flatten();
        self.is_all
            || handles.any(|handle| {
                wanted.and_then(|wanted| wanted.get(handle)).is_some_and(|fields| fields.contains(&field.name))
            })
    }

    /// Tells whether the object of a fixed name is needed: where the names can be neither made nor
    /// deleted, only those of definitions are.
    #[must_use]
    pub fn name(&self, kind: &Kind, name: &str) -> bool {
        self.is_all || !kind.is_fixed() || self.is_defined(kind, name)
    }

    /// Tells whether a definition has an object.
    #[must_use]
    pub fn is_defined(&self, kind: &Kind, name: &str) -> bool {
        self.wanted.get(&kind.name).is_some_and(|wanted| wanted.contains_key(name))
    }

    /// Tells whether there can be no plan without what is needed.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        !self.is_all
    }
}
