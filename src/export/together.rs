//! The objects of a kind as one value, where one file or one key has them all.

use serde_json::Value;

use crate::kinds::kind::Kind;

/// Gives what a kind's key has in files: a list, the one object, or a map from fixed names; nothing
/// where the one object of a singleton is missing.
pub(super) fn together(kind: &Kind, values: Vec<Value>) -> Option<Value> {
    match kind.keys.as_ref().and_then(|keys| Some((&keys.field, keys.holds.as_ref()?))) {
        _ if kind.singleton && !kind.listed => values.into_iter().next(),
        Some((key, held)) => Some(Value::Object(values.iter().filter_map(|value| by_name(value, key, held)).collect())),
        None => Some(Value::Array(values)),
    }
}

/// Gives the entry of an object in a map from fixed names; nothing where the name has nothing.
fn by_name(value: &Value, key: &str, held: &str) -> Option<(String, Value)> {
    let held = value.get(held).filter(|held| held.as_array().is_none_or(|items| !items.is_empty()))?;
    Some((value.get(key)?.as_str()?.to_owned(), held.clone()))
}
