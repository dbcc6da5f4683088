//! Elements that name an object of another kind by several members, of which a definition may leave
//! some out: they are taken from the only object that has the others.
//!
//! Pure, the first step of a plan. Where no object has them, or several do, that is a problem of the
//! definition.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{Problem, Problems};
use crate::kinds::Registry;
use crate::kinds::check::label;
use crate::kinds::kind::{Field, Kind, Named};
use crate::tenant::{Object, Tenant, canon};
use crate::text::escape;

/// Completes the elements of all definitions, and says which can't be.
pub(super) fn completed(registry: &Registry, wanted: &mut Tenant, found: &Tenant) -> Problems {
    let mut problems = Problems::default();
    for kind in registry {
        for (field, named) in naming(kind) {
            let mut known: Vec<Map<String, Value>> = Vec::new();
            for object in wanted.objects(&named.kind).iter().chain(found.objects(&named.kind)) {
                let members = parts(registry, named, object);
                if !known.contains(&members) {
                    known.push(members);
                }
            }
            for object in wanted.kinds.get_mut(&kind.name).into_iter().flatten() {
                complete(object, field, named, &known, &mut problems);
            }
        }
    }
    problems
}

fn naming(kind: &Kind) -> impl Iterator<Item = (&Field, &Named)> {
    kind.fields.iter().filter_map(|field| Some((field, field.items.as_ref()?.names.as_ref()?)))
}

/// The members of an object by which it is named, defaults left out.
fn parts(registry: &Registry, named: &Named, object: &Object) -> Map<String, Value> {
    let identity = registry.get(&named.kind).and_then(|kind| crate::tenant::identity_of(kind, &object.value));
    let is_plain = identity.is_some_and(|identity| named.by.iter().all(|name| identity.fields.contains(name)));
    let member = |name: &String| Some((name.clone(), object.value.get(name)?.clone()));
    if is_plain { named.by.iter().filter_map(member).collect() } else { Map::new() }
}

fn complete(object: &mut Object, field: &Field, named: &Named, known: &[Map<String, Value>], problems: &mut Problems) {
    let mut wrong: BTreeMap<usize, String> = BTreeMap::new();
    let address = object.address.clone();
    let Some(Value::Array(elements)) = object.value.get_mut(&field.name) else { return };
    for (index, element) in elements.iter_mut().enumerate() {
        let Some(members) = element.as_object_mut() else { continue };
        let missing: Vec<&String> = named.by.iter().filter(|name| !members.contains_key(*name)).collect();
        if missing.is_empty() {
            continue;
        }
        let agrees = |object: &&Map<String, Value>| {
            named.by.iter().all(|name| members.get(name).is_none_or(|value| object.get(name) == Some(value)))
        };
        let fitting: Vec<&Map<String, Value>> =
            known.iter().filter(agrees).filter(|object| !object.is_empty()).collect();
        match fitting.as_slice() {
            [only] => {
                for name in missing {
                    members.extend(only.get(name).map(|value| (name.clone(), value.clone())));
                }
            }
            [] => drop(wrong.insert(index, format!("none of {} is it, in the definitions or the tenant", named.kind))),
            several => {
                let left_out: Vec<&str> = missing.iter().map(|name| name.as_str()).collect();
                let count = several.len();
                drop(
                    wrong.insert(
                        index,
                        format!("{count} of {} are it: say `{}` too", named.kind, left_out.join("`, `")),
                    ),
                );
            }
        }
    }
    canon::sort(field, elements);
    for (index, what) in wrong {
        let pointer = format!("/{}/{index}", escape(&field.name));
        let message = format!("{address}: `{}`: {what}", label(&pointer));
        problems.push(Problem::error(message).at(object.provenance.origin(&pointer)));
    }
}
