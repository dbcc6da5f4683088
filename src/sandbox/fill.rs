//! What the API adds to an object: defaults by what was sent, and values that it makes.
//!
//! Pure; it reads `server:` blocks and names no kind. Creates, updates and actions come through here;
//! templates are `make`'s business.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::exchange::Moment;
use super::make;
use super::view::masked;
use crate::kinds::kind::{Field, Fields, Kind, Type, value_of};
use crate::kinds::server::Fill;

/// Fills in what a create did not send; the handle first, because other templates use it.
pub fn fill_in(
    fields: &Fields,
    first: Option<&str>,
    object: &mut Map<String, Value>,
    sent: &Map<String, Value>,
    moment: &mut Moment,
) {
    let order = fields.iter().filter(|field| Some(field.name.as_str()) == first);
    for field in order.chain(fields.iter().filter(|field| Some(field.name.as_str()) != first)) {
        match object.get_mut(&field.name) {
            // A null is left only where it is kept as a value.
            None | Some(Value::Null) => {
                if let Some(value) = filled(field, sent, object, moment) {
                    object.insert(field.name.clone(), value);
                }
            }
            Some(Value::Object(inner)) if field.holds == Type::Object => {
                fill_in(&field.fields, None, inner, sent, moment);
            }
            Some(Value::Array(elements)) => fill_in_elements(field, elements, sent, moment),
            Some(_) => {}
        }
    }
}

/// Fills in what an update did not send, where the API does.
pub fn fill_in_updated(
    kind: &Kind,
    object: &mut Map<String, Value>,
    was: &Map<String, Value>,
    sent: &Map<String, Value>,
    moment: &mut Moment,
) {
    for field in &kind.fields {
        // An object that was not there is filled in as by a create (recorded: session_transfer).
        if let (Some(Value::Object(inner)), None) = (object.get_mut(&field.name), was.get(&field.name)) {
            fill_in(&field.fields, None, inner, sent, moment);
        }
    }
    fill_in_read_only(&kind.fields, object, sent, moment);
    for field in kind.fields.iter().filter(|field| sent.contains_key(&field.name)) {
        if let Some(Value::Array(elements)) = object.get_mut(&field.name) {
            fill_in_elements(field, elements, sent, moment);
        }
    }
    fill_in_replaced(kind, object, was, sent, moment);
    for field in kind.fields.iter().filter(|field| field.server.renewed) {
        if let Some(value) = value(&field.server.fills, sent, object, moment) {
            object.insert(field.name.clone(), value);
        }
    }
}

/// Fills in what was not sent of the elements of a list.
fn fill_in_elements(field: &Field, elements: &mut [Value], sent: &Map<String, Value>, moment: &mut Moment) {
    let Some(items) = field.items.as_deref().filter(|items| !items.fields.is_empty()) else { return };
    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
        fill_in(&items.fields, None, element, sent, moment);
    }
}

/// Fills in the members that the API itself sets, in objects that an update replaced.
fn fill_in_read_only(fields: &Fields, object: &mut Map<String, Value>, sent: &Map<String, Value>, moment: &mut Moment) {
    for field in fields {
        if let (Some(Value::Object(inner)), true) = (object.get_mut(&field.name), sent.contains_key(&field.name)) {
            let mut inner_sent = inner.clone();
            for member in field.fields.iter().filter(|member| member.read_only) {
                if !inner.contains_key(&member.name)
                    && let Some(value) = value(&member.server.fills, sent, inner, moment)
                {
                    inner.insert(member.name.clone(), value);
                }
            }
            inner_sent.retain(|name, _| inner.contains_key(name));
            fill_in_read_only(&field.fields, inner, &inner_sent, moment);
        }
    }
}

/// Brings back what an object that an update replaced keeps, and fills in anew what the API fills in there.
fn fill_in_replaced(
    kind: &Kind,
    object: &mut Map<String, Value>,
    was: &Map<String, Value>,
    sent: &Map<String, Value>,
    moment: &mut Moment,
) {
    let whole = object.clone();
    for field in kind.fields.iter().filter(|field| sent.contains_key(&field.name)) {
        let (Some(Value::Object(inner)), Some(Value::Object(was))) =
            (object.get_mut(&field.name), was.get(&field.name))
        else {
            continue;
        };
        if !field.merge {
            restore(&field.fields, inner, Some(was), &whole, moment);
            continue;
        }
        // Of an object that merges, the objects in it are replaced.
        for member in &field.fields {
            if let (Some(Value::Object(inner)), Some(Value::Object(was))) =
                (inner.get_mut(&member.name), was.get(&member.name))
            {
                restore(&member.fields, inner, Some(was), &whole, moment);
            }
        }
    }
}

fn restore(
    fields: &Fields,
    object: &mut Map<String, Value>,
    was: Option<&Map<String, Value>>,
    whole: &Map<String, Value>,
    moment: &mut Moment,
) {
    for field in fields {
        let before = was.and_then(|was| was.get(&field.name));
        match object.get_mut(&field.name) {
            sent @ (None | Some(Value::Null)) => {
                // A null clears what is kept, but not what is filled in anew (recorded of oidc_metadata).
                let kept = before.filter(|_| field.server.kept && sent.is_none()).cloned();
                let is_renewed = kept.is_none() && field.server.renewed;
                let value = if is_renewed { filled(field, whole, object, moment) } else { kept };
                if let Some(value) = value {
                    object.insert(field.name.clone(), value);
                }
            }
            Some(value) if field.masked => {
                if let Some(before) = before {
                    unmask(value, before);
                }
            }
            Some(Value::Object(inner)) if field.holds == Type::Object => {
                restore(&field.fields, inner, before.and_then(Value::as_object), whole, moment);
            }
            Some(_) => {}
        }
    }
}

/// Takes a text that was sent back as answers show it for the one that it stands for (the Deploy CLI sends all
/// options of a database that it read).
fn unmask(value: &mut Value, before: &Value) {
    if *value == masked(before) {
        *value = before.clone();
    } else if let (Value::Object(members), Value::Object(before)) = (value, before) {
        for (name, member) in members {
            if let Some(before) = before.get(name) {
                unmask(member, before);
            }
        }
    }
}

/// Gives what the API makes of a field that was not sent.
fn filled(field: &Field, sent: &Map<String, Value>, object: &Map<String, Value>, moment: &mut Moment) -> Option<Value> {
    let Some(collects) = &field.server.collects else {
        return value(&field.server.fills, sent, object, moment);
    };
    let is_on = |name: &String| object.get(name) == Some(&Value::Bool(true));
    let parts = collects.of.iter().filter(|(name, _)| is_on(name)).map(|(_, part)| part);
    let Some(between) = &collects.between else { return Some(parts.cloned().collect()) };
    let parts: Vec<&str> = parts.filter_map(Value::as_str).collect();
    Some(Value::String(parts.join(between)))
}

/// Gives the value of the first case that fits.
pub fn value(
    fills: &[Fill],
    sent: &Map<String, Value>,
    object: &Map<String, Value>,
    moment: &mut Moment,
) -> Option<Value> {
    let fill = fills.iter().find(|fill| fill.when.fits(sent))?;
    let made =
        fill.value.clone().or_else(|| fill.make.as_ref().map(|template| make::of_template(template, object, moment)));
    made.or_else(|| value_of(object, fill.from.as_deref()?).cloned())
}

/// Gives an object the values that a declaration sets.
pub fn set(values: &BTreeMap<String, Vec<Fill>>, object: &mut Map<String, Value>, moment: &mut Moment) {
    let before = object.clone();
    for (name, fills) in values {
        if let Some(value) = value(fills, &before, &before, moment) {
            object.insert(name.clone(), value);
        }
    }
}
