//! What of an object belongs into a file: one walk along its declared fields.
//!
//! Left out are fields that the API sets, secrets (some have a keyword in their place), fields of another kind
//! (`belongs_to`), nulls, defaults that answers have or not (`implied`), and what the declaration does not know: that may
//! be a secret of tomorrow's API. An object that held nothing but secrets, or lost a member that it must have, is left
//! out too: it can't be read back.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use crate::kinds::kind::{Companion, Convert, Field, Fields, Type};
use crate::tenant::canon;
use crate::text::escape;

/// The members that come first in an object (deploy-cli-format.md section 7); the rest stand in
/// alphabetical order, as the peer has them.
const FIRST: [&str; 9] =
    ["name", "client_id", "audience", "template", "identifier", "strategy", "script", "stage", "id"];

/// What was left out although a user may miss it, by JSON Pointer with `*` for elements.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Members that the declaration does not know.
    pub(super) unknown: BTreeSet<String>,
    /// Objects that can't be written without their secrets.
    pub(super) incomplete: BTreeSet<String>,
}

/// Walks through one object.
pub(super) struct Keeper<'a> {
    /// A field to keep although the API sets it.
    pub(super) pin: Option<&'a str>,
    /// Tells of a JSON Pointer whether the field is kept although the API sets it.
    pub(super) is_kept: &'a dyn Fn(&str) -> bool,
    /// What was left out.
    pub(super) left: LeftOut,
    /// Puts a text into a file of its own and gives its path, if the text can stand there.
    pub(super) companion: &'a mut dyn FnMut(&Companion, &str) -> Option<String>,
    /// Gives what is written in the place of a secret that has a keyword.
    pub(super) marker: &'a mut dyn FnMut(&str) -> Value,
}

impl Keeper<'_> {
    /// Keeps what belongs into a file, in the order of a file.
    pub(super) fn object(&mut self, fields: &Fields, value: &Map<String, Value>) -> Map<String, Value> {
        self.members(fields, value, "").0
    }

    /// Keeps members, and tells whether what is left can be read back.
    fn members(&mut self, fields: &Fields, value: &Map<String, Value>, at: &str) -> (Map<String, Value>, bool) {
        let unknown = value.iter().filter(|(name, value)| !value.is_null() && fields.find(name).is_none());
        self.left.unknown.extend(unknown.map(|(name, _)| format!("{at}/{}", escape(name))));
        let mut kept = Vec::new();
        let (mut is_whole, mut lost_some) = (true, false);
        for field in fields {
            let Some(found) = found(field, value).or_else(|| unseen(field).filter(|_| field.stands.fits(value))) else {
                continue;
            };
            let is_pin = at.is_empty() && self.pin == Some(field.name.as_str());
            let is_kept = || (self.is_kept)(&format!("{at}/{}", escape(&field.name)));
            if !is_pin && (field.read_only || field.belongs_to.is_some()) && !is_kept() {
                continue;
            }
            let member = match &field.marker {
                Some(keyword) if field.secret => Some((self.marker)(keyword)),
                _ if field.secret => None,
                _ => self.value(field, found, &format!("{at}/{}", escape(&field.name))),
            };
            // As a member of an object, where an empty one can say something.
            if field.implied && member.as_ref().is_some_and(|member| canon::is_nothing(field, member, 2)) {
                continue;
            }
            if let Some(member) = member {
                kept.push((field.name.clone(), member));
            } else {
                lost_some = true;
                is_whole &= !field.required;
            }
        }
        kept.sort_by_cached_key(|(name, _)| rank(name));
        is_whole &= !(kept.is_empty() && lost_some);
        (kept.into_iter().collect(), is_whole)
    }

    /// Keeps a value; nothing of an object that could not be read back.
    fn value(&mut self, field: &Field, value: Value, at: &str) -> Option<Value> {
        match (field.holds, value) {
            // Without its secrets nothing is left, which would say that there are none.
            _ if field.items.as_ref().is_some_and(|items| items.secret) => None,
            (Type::Object, Value::Object(map)) if !field.fields.is_empty() => {
                let (kept, is_whole) = self.members(&field.fields, &map, at);
                if !is_whole {
                    let inner = format!("{at}/");
                    self.left.incomplete.retain(|pointer| !pointer.starts_with(&inner));
                    self.left.incomplete.insert(at.to_owned());
                }
                is_whole.then_some(Value::Object(kept))
            }
            (Type::Map, Value::Object(map)) => {
                let mut kept: Vec<(String, Value)> = map
                    .into_iter()
                    .filter(|(_, value)| !value.is_null())
                    .filter_map(|(name, value)| Some((name, self.element(field, value, at)?)))
                    .collect();
                kept.sort_by(|(a, _), (b, _)| a.cmp(b));
                Some(Value::Object(kept.into_iter().collect()))
            }
            (Type::List, Value::Array(items)) => {
                Some(items.into_iter().filter_map(|item| self.element(field, item, at)).collect())
            }
            (Type::Set, Value::Array(items)) => {
                let mut kept: Vec<Value> = items.into_iter().filter_map(|item| self.element(field, item, at)).collect();
                kept.sort_by_cached_key(|item| place(field, item));
                kept.dedup();
                Some(Value::Array(kept))
            }
            (_, Value::String(text)) if !text.is_empty() => {
                let path = field.file.as_ref().and_then(|file| (self.companion)(file, &text));
                Some(Value::String(path.unwrap_or(text)))
            }
            (_, value) => Some(ordered(value)),
        }
    }

    fn element(&mut self, field: &Field, value: Value, at: &str) -> Option<Value> {
        match &field.items {
            Some(items) if items.secret => None,
            Some(items) => self.value(items, value, &format!("{at}/*")),
            None => Some(ordered(value)),
        }
    }
}

/// Finds the value of a field: the exact one on the wire in the file's unit, or the one under its
/// name, or under an older one.
fn found(field: &Field, value: &Map<String, Value>) -> Option<Value> {
    let get = |name: &str| value.get(name).filter(|value| !value.is_null());
    let wire = field.convert.as_ref().and_then(|convert| Some(in_file_unit(convert, get(&convert.wire)?)));
    let own = || get(&field.name).cloned().map(|value| if field.convert.is_some() { whole(value) } else { value });
    let others = field.alias.iter().chain(&field.handle_as);
    wire.or_else(own).or_else(|| others.into_iter().find_map(|other| get(other).cloned()))
}

/// Gives what stands for a field that the API does not show: a secret that has a keyword, or an object with such
/// ones, if it can be written without others.
fn unseen(field: &Field) -> Option<Value> {
    if !field.write_only {
        return None;
    }
    if field.secret && field.marker.is_some() {
        return Some(Value::Null);
    }
    let stands = |member: &Field| unseen(member).is_some();
    let is_whole = field.fields.iter().any(stands) && field.fields.iter().all(|it| !it.required || stands(it));
    (field.holds == Type::Object && !field.secret && is_whole).then(|| Value::Object(Map::new()))
}

/// Converts a number on the wire to the file's unit.
fn in_file_unit(convert: &Convert, value: &Value) -> Value {
    let times = u64::from(convert.times);
    match (value.as_u64(), value.as_f64()) {
        (Some(number), _) if number % times == 0 => Value::from(number / times),
        (_, Some(number)) => {
            Number::from_f64(number / f64::from(convert.times)).map_or_else(|| value.clone(), Value::Number)
        }
        _ => value.clone(),
    }
}

/// Writes a number without a fraction as a whole one.
fn whole(value: Value) -> Value {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{number:.0}").parse::<i64>().map_or(value, Value::from)
        }
        _ => value,
    }
}

/// Gives the place of a member among its siblings.
fn rank(name: &str) -> (usize, String) {
    (FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len()), name.to_owned())
}

/// Gives the place of a member of a set: by the fields that tell its members apart, then by all.
fn place(field: &Field, item: &Value) -> (Vec<String>, String) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    (field.key.iter().map(|name| item.get(name).map_or_else(String::new, text)).collect(), text(item))
}

/// Brings the members of undeclared objects into an order that does not depend on the answer.
fn ordered(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(String, Value)> =
                map.into_iter().map(|(name, value)| (name, ordered(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(ordered).collect(),
        value => value,
    }
}
