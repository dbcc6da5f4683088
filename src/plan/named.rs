//! Elements that name an object of another kind by several members, of which a definition may leave
//! some out: they are taken from the only object that has the others.
//!
//! Pure, the first step of a plan. The Deploy CLI's files name a grant by its application alone, also
//! where that has several: what the live object holds already is meant, and as many elements as there
//! are objects mean all of them. Where that leaves several, or none, it is a problem of the definition.

use std::collections::{BTreeMap, BTreeSet};

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
            let is_incomplete = |object: &Object| {
                let elements = object.value.get(&field.name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                elements.iter().any(|element| named.by.iter().any(|name| element.get(name).is_none()))
            };
            if !wanted.objects(&kind.name).iter().any(is_incomplete) {
                continue;
            }
            let mut seen = BTreeSet::new();
            let both = wanted.objects(&named.kind).iter().chain(found.objects(&named.kind));
            let known: Vec<Map<String, Value>> = both
                .map(|object| parts(registry, named, object))
                .filter(|members| !members.is_empty() && seen.insert(Value::Object(members.clone()).to_string()))
                .collect();
            for object in wanted.kinds.get_mut(&kind.name).into_iter().flatten() {
                let live = found.find_by(&object.address, object.id.as_deref());
                complete(object, live, (field, named), &known, &mut problems);
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

fn complete(
    object: &mut Object,
    live: Option<&Object>,
    (field, named): (&Field, &Named),
    known: &[Map<String, Value>],
    problems: &mut Problems,
) {
    let address = object.address.clone();
    let members = |element: &Value| -> Map<String, Value> {
        let member = |name: &String| Some((name.clone(), element.get(name)?.clone()));
        named.by.iter().filter_map(member).collect()
    };
    let held = live.and_then(|live| live.value.get(&field.name)?.as_array());
    let held: Vec<Map<String, Value>> = held.into_iter().flatten().map(members).collect();
    let Some(Value::Array(elements)) = object.value.get_mut(&field.name) else { return };
    let mut taken: Vec<Map<String, Value>> = elements.iter().map(members).collect();
    let mut wrong: BTreeMap<usize, (String, Option<String>)> = BTreeMap::new();
    for index in 0..elements.len() {
        let said = members(&elements[index]);
        if said.len() == named.by.len() {
            continue;
        }
        let agrees = |object: &&Map<String, Value>| said.iter().all(|(name, value)| object.get(name) == Some(value));
        let free: Vec<&Map<String, Value>> = known.iter().filter(agrees).filter(|it| !taken.contains(it)).collect();
        // As many elements as there are objects mean all of them; of several, what is there already stays.
        let alike = elements[index..].iter().filter(|element| members(element) == said).count();
        let chosen =
            free.iter().find(|object| held.contains(object)).or_else(|| free.first().filter(|_| free.len() <= alike));
        match (chosen, free.len()) {
            (Some(chosen), _) => {
                let chosen = (*chosen).clone();
                if let Some(element) = elements[index].as_object_mut() {
                    element.extend(chosen.clone());
                }
                taken.push(chosen);
            }
            (None, 0) => {
                let what =
                    format!("names an object of {} that neither the definitions nor the tenant have", named.kind);
                wrong.insert(index, (what, None));
            }
            (None, count) => {
                let left_out: Vec<&str> =
                    named.by.iter().filter(|name| !said.contains_key(*name)).map(String::as_str).collect();
                let what = format!("can mean {count} objects of {}", named.kind);
                let hint = format!("say `{}` too", left_out.join("`, `"));
                wrong.insert(index, (what, Some(hint)));
            }
        }
    }
    canon::sort(field, elements);
    for (index, (what, hint)) in wrong {
        let pointer = format!("/{}/{index}", escape(&field.name));
        let message = format!("{address}: `{}` {what}", label(&pointer));
        problems.push(Problem::error(message).at(object.provenance.origin(&pointer)).maybe_hint(hint));
    }
}
