//! The canonical form of an object: what two objects must agree in to be equal.
//!
//! Both sides of a comparison go through here, so that neither the order of a set or of members, nor
//! an old name of a field, nor `3.0` for `3` ever shows as a difference.

use serde_json::{Map, Number, Value};

use crate::kinds::kind::{Field, Fields, Kind, Type};

/// Makes an object of the live tenant canonical: no read-only fields, no nulls, fields under their
/// present names, sets and members in order.
#[must_use]
pub fn live(kind: &Kind, value: &Map<String, Value>) -> Map<String, Value> {
    members(&kind.of(value).fields, value, false)
}

/// Makes an object of the definitions canonical: as [`live`], but nulls stay, since they clear.
#[must_use]
pub fn desired(kind: &Kind, value: &Map<String, Value>) -> Map<String, Value> {
    members(&kind.of(value).fields, value, true)
}

fn members(fields: &Fields, value: &Map<String, Value>, keeps_null: bool) -> Map<String, Value> {
    let mut canonical = Map::with_capacity(value.len());
    for (name, value) in in_order(fields, value) {
        if value.is_null() && !keeps_null {
            continue;
        }
        match fields.find(name) {
            Some(field) if field.read_only => {}
            // An old name beside the present one says the same twice.
            Some(field) if fields_have(canonical.get(&field.name)) => {}
            Some(field) => {
                canonical.insert(field.name.clone(), of(field, &in_unit_of_files(field, name, value), keeps_null));
            }
            None => {
                canonical.insert(name.clone(), plain(value));
            }
        }
    }
    canonical
}

/// Gives members in the order of the declaration, what it does not know by name after. Of names that
/// say the same the one that counts comes first: the exact one on the wire, then the present one.
fn in_order<'a>(fields: &Fields, value: &'a Map<String, Value>) -> Vec<(&'a String, &'a Value)> {
    let rank = |name: &String| {
        let at = fields.position(name)?;
        let field = fields.find(name)?;
        let is_wire = field.convert.as_ref().is_some_and(|convert| convert.wire == *name);
        Some((at, !is_wire, field.name != *name))
    };
    let mut members: Vec<(&String, &Value)> = value.iter().collect();
    members.sort_by_cached_key(|(name, _)| (rank(name).unwrap_or((usize::MAX, true, true)), *name));
    members
}

fn fields_have(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null())
}

/// Gives a value that stands under its name on the wire in the unit that files have.
fn in_unit_of_files(field: &Field, name: &str, value: &Value) -> Value {
    match (&field.convert, value.as_f64()) {
        (Some(convert), Some(number)) if convert.wire == name => Value::from(number / f64::from(convert.times)),
        _ => value.clone(),
    }
}

/// Makes the value of one field canonical, as a definition has it.
#[must_use]
pub fn value(field: &Field, value: &Value) -> Value {
    of(field, value, true)
}

fn of(field: &Field, value: &Value, keeps_null: bool) -> Value {
    match (field.holds, value) {
        (Type::Object, Value::Object(map)) if !field.fields.is_empty() => {
            Value::Object(members(&field.fields, map, keeps_null))
        }
        (Type::Map, Value::Object(map)) => {
            let kept = by_name(map).filter(|(_, value)| keeps_null || !value.is_null());
            let value = |value| field.items.as_ref().map_or_else(|| plain(value), |item| of(item, value, keeps_null));
            Value::Object(kept.map(|(name, member)| (name.clone(), value(member))).collect())
        }
        (Type::List | Type::Set, Value::Array(items)) => {
            let item = field.items.as_deref();
            let mut items: Vec<Value> =
                items.iter().map(|value| item.map_or_else(|| plain(value), |item| of(item, value, false))).collect();
            if field.holds == Type::Set {
                sort(field, &mut items);
            }
            Value::Array(items)
        }
        _ => plain(value),
    }
}

/// Puts the elements of a set in canonical order, each once.
pub fn sort(field: &Field, items: &mut Vec<Value>) {
    items.sort_by_cached_key(|item| (member_key(field, item), text(item)));
    // Elements that name objects by some of their members can look alike and mean several.
    if field.items.as_ref().is_none_or(|items| items.names.is_none()) {
        items.dedup();
    }
}

/// Gives what tells an element of a set apart: its key members, else the element itself.
#[must_use]
pub fn member_key(field: &Field, item: &Value) -> String {
    match item {
        Value::Object(map) if !field.key.is_empty() => {
            let parts: Vec<String> = field.key.iter().map(|name| map.get(name).map(text).unwrap_or_default()).collect();
            parts.join("\u{0}")
        }
        item => text(item),
    }
}

/// Gives a JSON text in which the order of members does not matter.
fn text(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(&String, String)> = map.iter().map(|(name, value)| (name, text(value))).collect();
            members.sort();
            let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(",")),
        value => value.to_string(),
    }
}

/// Makes equal numbers look equal, in a value without a declaration.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Value::Object(map) => Value::Object(by_name(map).map(|(name, value)| (name.clone(), plain(value))).collect()),
        value => value.clone(),
    }
}

fn by_name(map: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<(&String, &Value)> = map.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members.into_iter()
}

/// Gives the whole number that a number such as `3.0` is.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|_| number.is_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the range in which f64 is exact")]
    (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i64)
}

/// Tells whether a value says no more than that nothing is there: what the API takes anyway, or
/// what is empty. It may leave that out of its answers.
///
/// An empty object within another one can switch something on, such as an addon.
#[must_use]
pub fn is_nothing(field: &Field, value: &Value, depth: usize) -> bool {
    if field.default.as_ref().is_some_and(|default| are_equal(default, value)) {
        return true;
    }
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() && field.one_of.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) if map.is_empty() => depth == 1,
        Value::Object(map) => map
            .iter()
            .all(|(name, value)| field.fields.get(name).is_some_and(|member| is_nothing(member, value, depth + 1))),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Tells whether two values are equal when the order of object members does not matter.
#[must_use]
pub fn are_equal(one: &Value, other: &Value) -> bool {
    text(one) == text(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::live;
    use crate::kinds::Registry;

    #[test]
    fn read_only_fields_nulls_and_old_names_go_and_sets_are_sorted() {
        let kind = Registry::builtin().get("clients").unwrap();
        let value = json!({
            "client_id": "x", "name": "A", "cross_origin_auth": false, "cross_origin_authentication": true,
            "callbacks": ["b", "a", "b"], "description": null,
            "refresh_token": {"leeway": 3.0, "policies": [{"audience": "z", "scope": ["b", "a"]}, {"audience": "y", "scope": []}]},
        });
        assert_eq!(
            serde_json::Value::Object(live(kind, value.as_object().unwrap())),
            json!({
                "name": "A", "cross_origin_authentication": true, "callbacks": ["a", "b"],
                "refresh_token": {"leeway": 3, "policies": [{"audience": "y", "scope": []}, {"audience": "z", "scope": ["a", "b"]}]},
            })
        );
    }
}
