//! What a body does to an object: other names and units, merging, rules, and who may send what.
//!
//! Pure; it reads declarations and names no kind.

use serde_json::{Value, json};

use super::exchange::{Moment, Response};
use super::store::Object;
use crate::kinds::kind::{Condition, Field, Kind, Rule, Type, value_of};
use crate::kinds::server::Refused;

/// Refuses a body with fields for which the token has no scope.
pub(super) fn may_write(kind: &Kind, sent: &Object, moment: &Moment) -> Result<(), Response> {
    let refused =
        kind.fields.iter().find(|field| sent.contains_key(&field.name) && !moment.may(&field.server.write_scopes));
    refused.map_or(Ok(()), |field| Err(Response::insufficient_scope(&field.server.write_scopes)))
}

/// Turns second names and names of other units into the field's own.
pub(super) fn on_the_wire(kind: &Kind, sent: &mut Object) {
    for field in &kind.fields {
        if let Some(mirror) = field.server.mirror.as_ref().filter(|mirror| mirror.accepted)
            && let Some(value) = sent.shift_remove(&mirror.name)
        {
            sent.entry(field.name.clone()).or_insert(value);
        }
        if let Some(handle) = field.handle_as.as_ref().filter(|handle| **handle != field.name)
            && let Some(value) = sent.shift_remove(handle)
        {
            sent.entry(field.name.clone()).or_insert(value);
        }
        if let Some(convert) = &field.convert
            && let Some(value) = sent.get(&convert.wire).and_then(Value::as_f64)
        {
            sent.shift_remove(&convert.wire);
            let value = value / f64::from(convert.times);
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of hours is small")]
            let number = if value.fract() == 0.0 { json!(value as i64) } else { json!(value) };
            sent.entry(field.name.clone()).or_insert(number);
        }
    }
}

/// Merges an update into an object: null removes at any depth, marked objects merge member by member, all
/// else is replaced.
pub(super) fn merge(kind: &Kind, object: &mut Object, sent: &Object) {
    for (name, value) in sent {
        let declared = kind.fields.get(name);
        let field = declared.filter(|field| field.merge);
        if declared.is_some_and(|field| is_cleared(field, value)) {
            object.shift_remove(name);
            continue;
        }
        match (field, value, object.get_mut(name)) {
            (_, Value::Null, _) => {
                object.shift_remove(name);
            }
            // An empty map takes all keys away: the Deploy CLI clears client_metadata so.
            (Some(field), Value::Object(members), Some(Value::Object(live)))
                if field.holds != Type::Map || !members.is_empty() =>
            {
                for (member, value) in members {
                    if value.is_null() {
                        live.shift_remove(member);
                    } else {
                        live.insert(member.clone(), without_nulls(value));
                    }
                }
            }
            (_, value, _) if kind.fields.get(name).is_some_and(|field| field.server.keeps_nulls) => {
                object.insert(name.clone(), value.clone());
            }
            (_, value, _) => {
                object.insert(name.clone(), without_nulls(value));
            }
        }
    }
    let is_lost = |with: &String| sent.contains_key(with);
    for field in kind.fields.iter().filter(|field| field.lost_with.as_ref().is_some_and(is_lost)) {
        if !sent.contains_key(&field.name) {
            object.shift_remove(&field.name);
        }
    }
}

/// Tells whether a value takes its field away.
pub(super) fn is_cleared(field: &Field, value: &Value) -> bool {
    field.empty_clears && value.as_array().is_some_and(Vec::is_empty)
}

/// No recorded answer shows a null that was sent, at the top or further down, beside those in marked fields.
fn without_nulls(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(members) = &mut value {
        drop_all_nulls(members);
    }
    value
}

/// Takes all nulls out of an object, but for those that are values.
pub(super) fn drop_nulls(kind: &Kind, object: &mut Object) {
    object.retain(|_, value| !value.is_null());
    for (name, value) in object {
        let keeps_nulls = kind.fields.get(name).is_some_and(|field| field.server.keeps_nulls);
        if let (Value::Object(members), false) = (value, keeps_nulls) {
            drop_all_nulls(members);
        }
    }
}

fn drop_all_nulls(object: &mut Object) {
    object.retain(|_, value| !value.is_null());
    for value in object.values_mut() {
        if let Value::Object(members) = value {
            drop_all_nulls(members);
        }
    }
}

/// Refuses an object that is not taken, for what was touched of it; an update knows what was there before.
pub(super) fn refused(
    kind: &Kind,
    object: &Object,
    was: Option<&Object>,
    is_touched: &dyn Fn(&str) -> bool,
) -> Result<(), Response> {
    let is_meant = |refused: &&Refused| {
        let is_about_it = refused.when.0.keys().any(|name| is_touched(top(name)));
        let fitted = |before: &Condition| was.is_some_and(|was| before.fits(was));
        is_about_it && refused.when.fits(object) && refused.was.as_ref().is_none_or(fitted)
    };
    let found = kind.server.refused.iter().find(is_meant);
    let Some(refused) = found else { return Ok(()) };
    match &refused.code {
        Some(code) => Err(Response::refused(400, "Bad Request", Some(code), &refused.message)),
        None => Err(Response::invalid_body(&refused.message)),
    }
}

/// Says which of the sandbox's own rules an object breaks.
pub(super) fn forbidden(kind: &Kind, object: &Object) -> Option<String> {
    let rule = kind.server.rules.iter().find(|rule| broken(rule, object, &|_| true).is_some())?;
    Some(rule.because.clone())
}

/// Says how a rule is broken by an object, if one of the rule's fields was touched.
pub(super) fn broken(rule: &Rule, object: &Object, is_touched: &dyn Fn(&str) -> bool) -> Option<String> {
    if !rule.holds(object) {
        return None;
    }
    let given = |names: &[String]| names.iter().filter(|name| value_of(object, name).is_some()).count();
    let touched = |names: &[String]| names.iter().any(|name| is_touched(top(name)));
    let is_empty = |name: &String| match value_of(object, name) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    // The API's words for these are not recorded.
    if touched(&rule.exactly_one) && given(&rule.exactly_one) != 1 {
        return Some(format!("Exactly one of {} must be provided.", rule.exactly_one.join(", ")));
    }
    if touched(&rule.at_most_one) && given(&rule.at_most_one) > 1 {
        return Some(format!("Only one of {} may be provided.", rule.at_most_one.join(", ")));
    }
    let filled = rule.empty.iter().find(|name| is_touched(top(name)) && !is_empty(name))?;
    Some(format!("{filled} must be empty: {}.", rule.because))
}

/// Gives the field of the object in which a field lies that a rule names.
fn top(name: &str) -> &str {
    name.strip_prefix('/').map_or(name, |pointer| pointer.split('/').next().unwrap_or_default())
}
