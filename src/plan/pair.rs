//! Which live object a definition means: by pin, by a declared move, then by identity.

use serde_json::Value;

use super::Moved;
use crate::error::Problem;
use crate::kinds::kind::Kind;
use crate::tenant::{Address, Object, identity_of};

/// Finds the live object of a definition, by its place among `live`.
///
/// # Errors
/// Several live objects have the identity, and the definition pins none of them.
pub fn pair(kind: &Kind, desired: &Object, live: &[Object], moved: &[Moved]) -> Result<Option<usize>, Problem> {
    if kind.singleton {
        return Ok((!live.is_empty()).then_some(0));
    }
    if let Some(pin) = &desired.id
        && let Some(at) = live.iter().position(|object| object.id.as_ref() == Some(pin))
    {
        return Ok(Some(at));
    }
    let by_identity = same_identity(kind, desired, live);
    if by_identity.len() > 1 {
        return Err(ambiguous(kind, desired, live, &by_identity));
    }
    if let Some(at) = by_identity.first() {
        return Ok(Some(*at));
    }
    let origin = moved.iter().find(|moved| moved.kind == kind.name && moved.to == desired.address.name);
    let Some(moved) = origin else { return Ok(None) };
    let old = Address::new(&kind.name, &moved.from);
    let places: Vec<usize> = (0..live.len()).filter(|at| live[*at].address == old).collect();
    match places.as_slice() {
        [] => Ok(None),
        [at] => Ok(Some(*at)),
        several => Err(ambiguous(kind, desired, live, several)),
    }
}

fn same_identity(kind: &Kind, desired: &Object, live: &[Object]) -> Vec<usize> {
    let value = |object: &'_ Object, name: &String| {
        object.value.get(name).or_else(|| kind.fields.get(name)?.default.as_ref()).cloned().unwrap_or_default()
    };
    let Some(identity) = identity_of(kind, &desired.value) else { return Vec::new() };
    let wanted: Vec<Value> = identity.fields.iter().map(|name| value(desired, name)).collect();
    // Goes through every live object for every definition, so it makes no texts of them.
    let is_same = |(name, wanted): (&String, &Value), object: &Object| match object.value.get(name) {
        Some(found) => found == wanted,
        None => value(object, name) == *wanted,
    };
    let is_it = |object: &Object| {
        identity.fields.iter().zip(&wanted).all(|part| is_same(part, object))
            && identity_of(kind, &object.value).is_some_and(|other| other.fields == identity.fields)
    };
    (0..live.len()).filter(|at| is_it(&live[*at])).collect()
}

fn ambiguous(kind: &Kind, desired: &Object, live: &[Object], places: &[usize]) -> Problem {
    let ids: Vec<&str> = places.iter().filter_map(|at| live[*at].id.as_deref()).collect();
    let pin = kind.id.as_deref().unwrap_or("id");
    let pinned = desired.id.as_ref().map(|id| format!("; none of them is `{id}`, which the definition pins"));
    let message = format!(
        "the tenant has {} objects named {}: {}{}",
        places.len(),
        desired.address,
        ids.join(", "),
        pinned.unwrap_or_default()
    );
    Problem::error(message).at(desired.provenance.origin("")).hint(format!(
        "say which one is meant by its id in the definition, such as `{pin}: {}`",
        ids.first().unwrap_or(&"")
    ))
}
