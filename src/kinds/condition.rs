//! What an object must have: conditions, and the values that they and rules name.
//!
//! Pure; a part of the declaration language of [`super::kind`], where the rest of the crate finds it. A
//! name with a leading slash is a JSON Pointer (RFC 6901).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::text::unescape;

/// Field values that an object must have: each field one of the listed values, or none of those after
/// `not`, where null stands for a missing field.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Condition(pub BTreeMap<String, OneOf>);

/// The values of which one must be there; after `not`, none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub struct OneOf {
    /// The values.
    pub values: Vec<Value>,
    /// None of them may be there.
    pub not: bool,
}

impl From<Value> for OneOf {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(values) => Self { values, not: false },
            Value::Object(mut members) if members.len() == 1 && members.contains_key("not") => {
                let but = members.remove("not").unwrap_or_default();
                Self { values: Self::from(but).values, not: true }
            }
            value => Self { values: vec![value], not: false },
        }
    }
}

impl Condition {
    /// Tells whether an object fits. Names with a leading slash are JSON Pointers.
    #[must_use]
    pub fn fits(&self, object: &Map<String, Value>) -> bool {
        let fits = |wanted: &OneOf, value: &Value| wanted.values.contains(value) != wanted.not;
        self.0.iter().all(|(name, wanted)| fits(wanted, value_of(object, name).unwrap_or(&Value::Null)))
    }
}

impl Condition {
    /// Tells whether it looks at a field, or into it.
    #[must_use]
    pub fn names(&self, field: &str) -> bool {
        let first =
            |name: &str| name.strip_prefix('/').map(|path| unescape(path.split('/').next().unwrap_or_default()));
        self.0.keys().any(|name| first(name).as_deref().unwrap_or(name) == field)
    }
}

/// Finds the value of a field; a name with a leading slash is a JSON Pointer.
#[must_use]
pub fn value_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if name.starts_with('/') { at(object, name) } else { object.get(name) }
}

/// Finds the value at a JSON Pointer (RFC 6901) in an object.
#[must_use]
pub fn at<'a>(object: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (name, rest) =
        pointer.strip_prefix('/')?.split_at_checked(pointer[1..].find('/').unwrap_or(pointer.len() - 1))?;
    object.get(&unescape(name))?.pointer(rest)
}

/// Removes a member by its name, or by JSON Pointer (RFC 6901); tells whether it was there.
pub fn remove_at(object: &mut Map<String, Value>, pointer: &str) -> bool {
    let mut parts: Vec<String> = pointer.strip_prefix('/').unwrap_or(pointer).split('/').map(unescape).collect();
    let Some(last) = parts.pop() else { return false };
    let mut place = object;
    for part in parts {
        let Some(inner) = place.get_mut(&part).and_then(Value::as_object_mut) else { return false };
        place = inner;
    }
    place.shift_remove(&last).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Condition;

    #[test]
    fn a_condition_names_values_that_must_be_there_or_must_not() {
        let object = json!({ "a": "x", "deep": { "b": 1 } });
        for (condition, expected) in [
            (json!({ "a": "x" }), true),
            (json!({ "a": ["y", "z"] }), false),
            (json!({ "c": null }), true),
            (json!({ "/deep/b": [1, 2], "a": { "not": "y" } }), true),
            (json!({ "a": { "not": ["x", "y"] } }), false),
            (json!({ "a": { "not": null } }), true),
            (json!({ "c": { "not": null } }), false),
        ] {
            let fits = serde_json::from_value::<Condition>(condition.clone()).unwrap();
            let Value::Object(object) = &object else { unreachable!() };
            assert_eq!(fits.fits(object), expected, "{condition}");
        }
    }
}
