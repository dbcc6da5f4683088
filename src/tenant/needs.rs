//! What must be read of a tenant beyond the lists of its kinds: the fields that stand at endpoints of
//! their own, each a request an object, and objects that are read one by one.
//!
//! Made from the definitions before anything is read, so that a plan asks for no more than it
//! compares; an export needs everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Object, Tenant};
use crate::kinds::Registry;
use crate::kinds::kind::{Field, Kind};

/// The keys that lead to each part of a field that is read on its own (see [`Part::units`]).
type Units = BTreeSet<Vec<String>>;

/// What must be read.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    is_all: bool,
    /// By kind, by the name or the id of an object, the fields that its definition has, each with the units of it.
    wanted: BTreeMap<String, BTreeMap<String, BTreeMap<String, Units>>>,
    /// By kind, how many objects there were.
    counts: BTreeMap<String, usize>,
}

impl Needs {
    /// Needs everything that there is.
    #[must_use]
    pub fn everything() -> Self {
        Self { is_all: true, ..Self::default() }
    }

    /// Needs what definitions are compared with. A move (kind, old name, new name) says that the live
    /// object of a definition has its old name.
    #[must_use]
    pub fn of(registry: &Registry, definitions: &Tenant, moves: &[(&str, &str, &str)]) -> Self {
        let mut needs = Self::default();
        for object in definitions.iter() {
            let declared = registry.get(&object.address.kind).map(|kind| &kind.fields);
            let units = |(name, value): (&String, &Value)| {
                let part = declared.and_then(|fields| fields.get(name)?.part.as_deref());
                let keys = part.iter().flat_map(|part| part.units(value)).map(|(keys, _)| keys);
                (name.clone(), keys.collect::<Units>())
            };
            let (kind, name) = (&object.address.kind, &object.address.name);
            let old = moves.iter().filter(|(moved, _, to)| moved == kind && to == name).map(|(_, from, _)| *from);
            let of_kind = needs.wanted.entry(kind.clone()).or_default();
            for handle in old.chain([name.as_str()]).chain(object.id.as_deref()) {
                let fields = of_kind.entry(handle.to_owned()).or_default();
                for (name, units) in object.value.iter().map(units) {
                    fields.entry(name).or_default().extend(units);
                }
            }
        }
        needs
    }

    /// Tells whether a live object is needed with all its fields: a definition has it.
    #[must_use]
    pub fn object(&self, kind: &Kind, object: &Object) -> bool {
        self.is_all || self.definitions_of(kind, object).next().is_some()
    }

    /// Tells whether a field of a live object is needed.
    #[must_use]
    pub fn field(&self, kind: &Kind, field: &Field, object: &Object) -> bool {
        self.is_all || self.definitions_of(kind, object).any(|fields| fields.contains_key(&field.name))
    }

    /// Lists the keys of what is needed of a field that is read in several parts; all of them without a list.
    #[must_use]
    pub fn units(&self, kind: &Kind, field: &Field, object: &Object) -> Option<Vec<Vec<String>>> {
        let units = self.definitions_of(kind, object).filter_map(|fields| fields.get(&field.name)).flatten();
        (!self.is_all).then(|| units.collect::<BTreeSet<_>>().into_iter().cloned().collect())
    }

    /// Gives the fields of the definitions of an object.
    fn definitions_of(&self, kind: &Kind, object: &Object) -> impl Iterator<Item = &BTreeMap<String, Units>> {
        let wanted = self.wanted.get(&kind.name);
        let handles = [Some(object.address.name.clone()), object.id.clone()].into_iter().flatten();
        handles.filter_map(move |handle| wanted?.get(&handle))
    }

    /// Takes out of an object what only an export writes down: members that the API alone sets, such
    /// as certificates, and that decide nothing.
    pub fn keep(&self, kind: &Kind, value: &mut Map<String, Value>) {
        if self.is_all {
            return;
        }
        let is_needed =
            |name: &String| kind.fields.find(name).is_none_or(|field| !field.read_only || kind.is_told_by(&field.name));
        let kept: Vec<(String, Value)> =
            std::mem::take(value).into_iter().filter(|(name, _)| is_needed(name)).collect();
        // A map that is made of a list has room for no more; one that was parsed for up to twice as much.
        *value = kept.into_iter().collect();
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

    /// Knows how many objects there are of each kind.
    #[must_use]
    pub fn knowing(self, live: &Tenant) -> Self {
        let counts = live.kinds.iter().map(|(kind, objects)| (kind.clone(), objects.len())).collect();
        Self { counts, ..self }
    }

    /// Tells how many objects of a kind there probably are: as many as there were, or definitions.
    #[must_use]
    pub fn expected(&self, kind: &Kind) -> usize {
        let wanted = self.wanted.get(&kind.name).map_or(0, BTreeMap::len);
        self.counts.get(&kind.name).copied().unwrap_or(0).max(wanted)
    }

    /// Tells whether there can be no plan without what is needed.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        !self.is_all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::Needs;
    use crate::kinds::Registry;

    #[test]
    fn what_the_api_alone_sets_is_kept_where_it_decides_something_or_for_an_export() {
        let declared = json!([{
            "kind": "things", "about": "", "id": "id", "own": "owner", "identity": [{ "fields": ["name"] }],
            "system": [{ "/flags/system": true }],
            "fields": {
                "id": { "type": "string", "read_only": true },
                "name": { "type": "string", "read_only": true },
                "owner": { "type": "string", "read_only": true },
                "flags": { "type": "object", "read_only": true },
                "status": { "type": "string", "read_only": true },
                "certificates": { "type": "list", "read_only": true },
                "primary": { "type": "boolean", "until": { "live": { "status": "ready" }, "because": "" } },
                "hidden": { "type": "string", "read_only": true, "hidden_without": "read:hidden" },
            },
        }]);
        let registry = Registry::parse(&declared.to_string()).unwrap();
        let kind = registry.get("things").unwrap();
        let names = ["id", "name", "owner", "flags", "status", "certificates", "primary", "hidden", "unknown"];
        let object: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), Value::from(1))).collect();
        let kept = |needs: &Needs| {
            let mut object = object.clone();
            needs.keep(kind, &mut object);
            object.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(kept(&Needs::everything()), names);
        assert_eq!(
            kept(&Needs::default()),
            names.into_iter().filter(|name| *name != "certificates").collect::<Vec<_>>()
        );
    }
}
