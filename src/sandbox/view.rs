//! How an object looks in an answer: what is hidden, mirrored, computed, and what the query asks for.
//!
//! Pure; it reads `server:` marks and names no kind. The store keeps objects whole; answers show
//! them through here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::exchange::{Moment, Request};
use super::store::Store;
use crate::kinds::kind::{Field, Fields, Kind, Type};
use crate::kinds::server::Answer;

/// Shows an object as an answer has it.
#[must_use]
pub fn shown(store: &Store, kind: &Kind, object: &Map<String, Value>, answer: Answer, moment: &Moment) -> Value {
    let kind = kind.of(object);
    let mut view = Map::new();
    for field in &kind.fields {
        let server = &field.server;
        // Where the API has it elsewhere, the declaration has that too.
        if field.from.is_some()
            || field.part.is_some()
            || !is_shown(field, answer)
            || !server.shown_when.fits(object)
            || !moment.may(&server.read_scopes)
        {
            continue;
        }
        let computed = store
            .joined(kind, field, object)
            .or_else(|| store.inline(kind, field, object))
            .or_else(|| store.told_by_holders(kind, field, object));
        let value = computed.or_else(|| object.get(&field.name).cloned());
        let Some(value) = value.or_else(|| server.shown_as.get(&answer).cloned()) else { continue };
        let value = match value {
            value if field.masked => in_place_of(field, &value, answer),
            Value::Object(mut inner) if field.holds == Type::Object => {
                hide(store, &field.fields, &mut inner, answer);
                Value::Object(inner)
            }
            Value::Array(mut elements) => {
                hide_in(store, field, &mut elements, answer);
                Value::Array(elements)
            }
            value => value,
        };
        if let Some(mirror) = &server.mirror {
            match &value {
                Value::Object(members) if !mirror.only.is_empty() => {
                    let kept: Map<String, Value> = members
                        .iter()
                        .filter(|(name, _)| mirror.only.contains(name))
                        .map(|(name, value)| (name.clone(), value.clone()))
                        .collect();
                    view.insert(mirror.name.clone(), Value::Object(kept));
                }
                value => {
                    view.insert(mirror.name.clone(), value.clone());
                }
            }
        }
        if !server.mirror.as_ref().is_some_and(|mirror| mirror.alone) {
            view.insert(field.wire_name().to_owned(), value);
        }
    }
    Value::Object(view)
}

/// Tells whether an answer has a field at all.
fn is_shown(field: &Field, answer: Answer) -> bool {
    match field.server.shown_in.as_slice() {
        [] => !field.write_only,
        answers => answers.contains(&answer),
    }
}

/// Makes the elements of a list what an answer has.
fn hide_in(store: &Store, field: &Field, elements: &mut [Value], answer: Answer) {
    let Some(items) = field.items.as_deref().filter(|items| !items.fields.is_empty()) else { return };
    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
        for member in &items.fields {
            if let Some(value) = store.joined_in(&items.fields, None, member, element) {
                element.insert(member.name.clone(), value);
            }
        }
        hide(store, &items.fields, element, answer);
    }
}

/// Takes out of an object what an answer has not, at any depth.
pub(super) fn hide(store: &Store, fields: &Fields, object: &mut Map<String, Value>, answer: Answer) {
    for field in fields {
        if !is_shown(field, answer) {
            object.shift_remove(&field.name);
        }
        match object.get_mut(&field.name) {
            Some(value) if field.masked => *value = in_place_of(field, value, answer),
            Some(Value::Object(inner)) => hide(store, &field.fields, inner, answer),
            Some(Value::Array(elements)) => hide_in(store, field, elements, answer),
            _ => {}
        }
    }
}

/// Gives what an answer has in the place of a masked value.
fn in_place_of(field: &Field, value: &Value, answer: Answer) -> Value {
    field.server.shown_as.get(&answer).cloned().unwrap_or_else(|| masked(value))
}

/// Gives a value as answers have it that show it encrypted: each text as one that says nothing of it.
#[must_use]
pub fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(STANDARD.encode(Sha256::digest(text))),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), masked(value))).collect(),
        value => value.clone(),
    }
}

/// Keeps the members that `fields` and `include_fields` ask for, and those that are always there.
#[must_use]
pub fn picked(kind: &Kind, view: Value, request: &Request) -> Value {
    let (Some(fields), Value::Object(mut members)) = (request.parameter("fields"), view.clone()) else { return view };
    let names: Vec<&str> = fields.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return view;
    }
    let is_wanted = request.parameter("include_fields") != Some("false");
    let is_always = |name: &str| kind.fields.get(name).is_some_and(|field| field.server.always);
    members.retain(|name, _| names.contains(&name.as_str()) == is_wanted || is_always(name));
    Value::Object(members)
}
