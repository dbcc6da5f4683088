//! Two sets: how they differ, and what a set has after an update that replaces it.
//!
//! A part of `diff` and of `body`: elements are told apart by their keys, and what a definition does not
//! say about one stays as it is.

use serde_json::{Map, Value, json};

use super::SetEdit;
use super::diff::{NESTED, without_nulls};
use crate::kinds::kind::Field;
use crate::tenant::canon;

/// Compares two sets by the keys of their elements.
pub(super) fn set_edit(field: &Field, desired: &[Value], live: &[Value]) -> SetEdit {
    let item = field.items.as_deref();
    let find = |items: &[Value], wanted: &Value| {
        let key = canon::member_key(field, wanted);
        items.iter().find(|item| canon::member_key(field, item) == key).cloned()
    };
    let mut set = SetEdit::default();
    for wanted in desired {
        match find(live, wanted) {
            None => set.added.push(wanted.clone()),
            Some(live) if says_the_same(item, wanted, &live) => {}
            Some(live) => {
                set.changed.push(json!({ "before": live, "after": joined(item, wanted, &live, Along::All) }));
            }
        }
    }
    set.removed = live.iter().filter(|item| find(desired, item).is_none()).cloned().collect();
    set
}

/// Gives the elements that a set has afterwards: those of the definition, with what it does not say
/// about them as it is now.
pub(super) fn merged_set(field: &Field, desired: &[Value], live: &[Value], along: Along) -> Vec<Value> {
    let mut items: Vec<Value> = desired
        .iter()
        .map(|item| {
            let key = canon::member_key(field, item);
            let live = live.iter().find(|live| canon::member_key(field, live) == key);
            live.map_or_else(|| item.clone(), |live| joined(field.items.as_deref(), item, live, along))
        })
        .collect();
    canon::sort(field, &mut items);
    items
}

/// Tells whether two maps have the same keys, and the live one agrees with all that the definition says about them.
pub(super) fn maps_agree(field: &Field, desired: &Map<String, Value>, live: &Map<String, Value>) -> bool {
    let item = field.items.as_deref();
    let mut wanted = desired.iter().filter(|(_, value)| !value.is_null());
    wanted.clone().count() == live.len()
        && wanted.all(|(name, wanted)| live.get(name).is_some_and(|live| says_the_same(item, wanted, live)))
}

/// Gives what a map of objects has afterwards: the keys of the definition, with what it does not say about
/// them as it is now.
pub(super) fn merged_map(
    field: &Field,
    desired: &Map<String, Value>,
    live: &Map<String, Value>,
    along: Along,
) -> Map<String, Value> {
    let item = field.items.as_deref();
    let value = |(name, wanted): (&String, &Value)| {
        let value = live.get(name).map_or_else(|| wanted.clone(), |live| joined(item, wanted, live, along));
        (name.clone(), without_nulls(&value))
    };
    desired.iter().filter(|(_, value)| !value.is_null()).map(value).collect()
}

/// What of a live value is sent along, where an update replaces what holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// All of it: what is not declared may be newer than the declaration.
    All,
    /// What is declared: the API may refuse what it only answers (`x-closed` in the API facts).
    Declared,
}

impl Along {
    /// Gives what is sent along of a member; nothing where it is not.
    pub(super) fn member(self, owner: Option<&Field>, name: &str, value: &Value) -> Option<Value> {
        let member = owner.and_then(|owner| owner.fields.get(name));
        match (self, member) {
            (Self::Declared, Some(member)) => Some(self.value(member, value)),
            (Self::Declared, None) if owner.is_some_and(|owner| !owner.fields.is_empty()) => None,
            _ => Some(value.clone()),
        }
    }

    fn value(self, field: &Field, value: &Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(
                map.iter()
                    .filter_map(|(name, value)| Some((name.clone(), self.member(Some(field), name, value)?)))
                    .collect(),
            ),
            Value::Array(items) => {
                let item = |item: &Value| field.items.as_ref().map_or_else(|| item.clone(), |of| self.value(of, item));
                Value::Array(items.iter().map(item).collect())
            }
            value => value.clone(),
        }
    }
}

fn joined(field: Option<&Field>, desired: &Value, live: &Value, along: Along) -> Value {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            let mut joined = desired.clone();
            for (name, value) in live {
                match joined.get_mut(name) {
                    Some(inner) => {
                        let member = field.and_then(|field| field.fields.get(name));
                        *inner = self::joined(member, inner, value, along);
                    }
                    None => joined.extend(along.member(field, name, value).map(|value| (name.clone(), value))),
                }
            }
            Value::Object(joined)
        }
        (desired, _) => desired.clone(),
    }
}

/// Tells whether a live value agrees with all that the definition says about it.
pub(super) fn says_the_same(field: Option<&Field>, desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) if field.is_some_and(|field| !field.fields.is_empty()) => {
            desired.iter().all(|(name, value)| {
                let member = field.and_then(|field| field.fields.get(name));
                match live.get(name) {
                    Some(_) if member.is_some_and(|member| member.masked) => true,
                    Some(live) => says_the_same(member, value, live),
                    None => member.map_or(value.is_null(), |member| {
                        member.read_only || member.is_hidden() || canon::is_nothing(member, value, NESTED)
                    }),
                }
            })
        }
        (desired, live) => canon::are_equal(desired, live),
    }
}

/// Gives an element of a list without the members that its declaration does not know.
pub(super) fn declared(field: &Field, item: &Value) -> Value {
    match (&field.items, item) {
        (Some(items), Value::Object(members)) if !items.fields.is_empty() => {
            let known = members.iter().filter(|(name, _)| items.fields.find(name).is_some());
            Value::Object(known.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        (_, item) => item.clone(),
    }
}
