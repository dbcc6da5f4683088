//! Secrets in a comparison: what of a value may be shown, and whether two can be compared at all.
//!
//! A part of `diff`; pure, by the declaration.

use serde_json::Value;

use crate::kinds::kind::{Field, Type};
use crate::tenant::canon;

/// What stands in the place of a secret in a value that is shown.
const MASKED: &str = "(sensitive)";

/// Shows an element of a list: secrets in it are not.
pub(super) fn masked_item(field: &Field, item: &Value) -> Value {
    field.items.as_ref().map_or_else(|| item.clone(), |of| masked(of, item))
}

/// Shows a value: secrets in it are not.
pub(super) fn masked(field: &Field, value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        _ if field.secret => Value::from(MASKED),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                (name.clone(), field.member(name).map_or_else(|| value.clone(), |member| masked(member, value)))
            };
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(items) => items.iter().map(|item| masked_item(field, item)).collect(),
        other => other.clone(),
    }
}

/// Compares a secret with what the API shows of it: `None` where it does not show enough.
pub(super) fn is_shown_equal(field: &Field, desired: &Value, live: &Value) -> Option<bool> {
    match (desired, live) {
        _ if field.masked => None,
        (Value::Object(desired), Value::Object(live)) => desired
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| {
                let member = field.fields.get(name).unwrap_or(field);
                live.get(name).and_then(|live| is_shown_equal(member, value, live))
            })
            .try_fold(true, |all, one| one.map(|one| all && one)),
        (Value::Array(desired), Value::Array(live)) if field.holds == Type::Set && !field.key.is_empty() => {
            let is_keyed = live.iter().all(|item| field.key.iter().all(|name| item.get(name).is_some()));
            if !is_keyed || desired.iter().any(|item| holds_write_only(field.items.as_deref(), item)) {
                return None;
            }
            Some(desired.len() == live.len() && canon::are_equal(&desired.clone().into(), &live.clone().into()))
        }
        (_, Value::String(text)) if is_masked(text) => None,
        (desired, live) => Some(canon::are_equal(desired, live)),
    }
}

/// Tells whether a value has a secret that the API does not show.
pub(super) fn holds_hidden(field: &Field, value: &Value) -> bool {
    let Some(map) = value.as_object() else { return false };
    map.keys().any(|name| field.fields.get(name).is_some_and(|member| member.secret && member.is_hidden()))
}

fn holds_write_only(field: Option<&Field>, value: &Value) -> bool {
    let Some((field, map)) = field.zip(value.as_object()) else { return false };
    map.keys().any(|name| field.fields.get(name).is_some_and(|member| member.write_only))
}

/// Tells whether a text is what the API shows in the place of a secret (deploy-cli-format, 7).
fn is_masked(text: &str) -> bool {
    text == "_VALUE_NOT_SHOWN_" || (!text.is_empty() && text.chars().all(|character| character == '*'))
}

/// Tells whether a value has a member that is secret by declaration.
pub(super) fn holds_secret(field: &Field, value: &Value) -> bool {
    field.secret
        || match value {
            Value::Object(map) if field.holds == Type::Map => {
                field.items.as_ref().is_some_and(|item| map.values().any(|value| holds_secret(item, value)))
            }
            Value::Object(map) => {
                map.iter().any(|(name, value)| field.fields.get(name).is_some_and(|member| holds_secret(member, value)))
            }
            Value::Array(items) => {
                field.items.as_ref().is_some_and(|item| items.iter().any(|value| holds_secret(item, value)))
            }
            _ => false,
        }
}
