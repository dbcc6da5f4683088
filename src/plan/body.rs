//! The body of a create or an update, references by name still.
//!
//! A part of `call`. An update sends the top-level fields that the change's edits touch; within one, an
//! object that the API merges has the members that change, and one that it replaces whole is completed
//! with what the live one has. A secret that would be lost so makes it a problem.

use serde_json::{Map, Value};

use super::diff::{on_wire, without_nulls};
use super::displaced::{Displaced, displaced};
use super::sets::{Along, merged_map, merged_set};
use super::{Change, Op};
use crate::error::Problem;
use crate::kinds::kind::{Field, Kind, Type};
use crate::tenant::Object;
use crate::text::{escape, unescape};

/// Gives the body of a create or an update: the top-level fields that the edits touch.
pub(super) fn body(
    kind: &Kind,
    change: &Change,
    desired: &Object,
    live: Option<&Object>,
    along: Along,
    is_wanted: impl Fn(&Field) -> bool,
) -> Result<Map<String, Value>, Problem> {
    let mut body = Map::new();
    let displaced = live.map_or_else(Vec::new, |live| displaced(kind, &desired.value, &live.value));
    // What is made is sent whole; of what is there, the fields that the edits touch.
    let names: Vec<String> = if live.is_some() {
        let needed = kind.fields.iter().filter(|field| kind.whole && field.required).map(|field| field.name.clone());
        change.fields.iter().map(|edit| top(&edit.path)).chain(needed).collect()
    } else {
        desired.value.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()).collect()
    };
    // In another case the members of the old one mean nothing.
    let is_other_case = |name: &str| {
        let (Some((by, member)), Some(live)) = (&kind.case_of, live) else { return false };
        member == name && desired.value.get(by).is_some_and(|value| live.value.get(by) != Some(value))
    };
    for name in names {
        let Some(field) = kind.fields.get(&name) else {
            body.insert(name.clone(), desired.value.get(&name).cloned().unwrap_or_default());
            continue;
        };
        if !is_wanted(field) || body.contains_key(&name) {
            continue;
        }
        let at = format!("/{}", escape(&name));
        let live = live.and_then(|live| live.value.get(&name)).filter(|_| !is_other_case(&name));
        let sender = Sender { change, desired, along, displaced: &displaced };
        let wanted = desired.value.get(&name).or(live.filter(|_| kind.whole && field.required));
        let value = sender.value(field, &at, wanted, live)?;
        let name = match (&field.convert, &field.clear_as) {
            (Some(convert), _) => convert.wire.clone(),
            (_, Some(old)) if value.is_null() => old.clone(),
            _ => name,
        };
        body.insert(name, value);
    }
    for field in kind.fields.iter().filter(|field| field.filled && live.is_none() && is_wanted(field)) {
        if let (Some(default), false) = (&field.default, body.contains_key(&field.name)) {
            body.insert(field.name.clone(), default.clone());
        }
    }
    let is_any = live.is_some() && !body.is_empty();
    let is_replaced = kind.update.as_ref().is_some_and(|update| update.replaces);
    for field in &kind.fields {
        let is_lost = field.lost_with.as_ref().is_some_and(|other| body.contains_key(other))
            || is_replaced && is_any && !field.read_only && !field.create_only && is_wanted(field);
        let found = live.and_then(|live| live.value.get(&field.name)).filter(|_| !is_other_case(&field.name));
        let wanted = desired.value.get(&field.name).filter(|_| live.is_some());
        match (is_lost && !body.contains_key(&field.name), wanted, found) {
            (true, Some(wanted), _) => {
                let sender = Sender { change, desired, along, displaced: &displaced };
                let value = sender.value(field, &format!("/{}", escape(&field.name)), Some(wanted), found)?;
                body.insert(field.name.clone(), value);
            }
            (true, None, Some(value)) => drop(body.insert(field.name.clone(), value.clone())),
            _ => {}
        }
    }
    Ok(body)
}

/// Gives the first part of a pointer, unescaped.
pub(super) fn top(pointer: &str) -> String {
    unescape(pointer.trim_start_matches('/').split('/').next().unwrap_or_default())
}

/// Makes the values to send for one change.
struct Sender<'a> {
    change: &'a Change,
    desired: &'a Object,
    along: Along,
    displaced: &'a [Displaced],
}

impl Sender<'_> {
    fn value(&self, field: &Field, at: &str, desired: Option<&Value>, live: Option<&Value>) -> Result<Value, Problem> {
        if self.change.fields.iter().any(|edit| edit.path == at && edit.op == Op::Remove) {
            return Ok(Value::Null);
        }
        let desired = desired.unwrap_or(&Value::Null);
        match (desired, live) {
            (Value::Object(wanted), Some(Value::Object(live))) if field.merge => self.changed(field, at, wanted, live),
            (Value::Object(wanted), Some(Value::Object(live))) if !field.fields.is_empty() => {
                self.whole(field, at, wanted, live)
            }
            (Value::Object(wanted), Some(Value::Object(live))) if field.is_map_of_objects() => {
                Ok(Value::Object(merged_map(field, wanted, live, self.along)))
            }
            (Value::Array(wanted), Some(Value::Array(live))) if field.holds == Type::Set => {
                self.set(field, at, wanted, live)
            }
            _ => Ok(on_wire(field, desired).map_or_else(|| without_nulls(desired), Value::from)),
        }
    }

    /// Of an object that the API merges: the members that change.
    fn changed(
        &self,
        field: &Field,
        at: &str,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> Result<Value, Problem> {
        let mut sent = Map::new();
        for edit in &self.change.fields {
            let Some(rest) = edit.path.strip_prefix(at).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let name = top(rest);
            if sent.contains_key(&name) {
                continue;
            }
            let at = format!("{at}/{}", escape(&name));
            let value = match field.member(&name) {
                Some(member) => self.value(member, &at, desired.get(&name), live.get(&name))?,
                None => desired.get(&name).cloned().unwrap_or_default(),
            };
            sent.insert(name, value);
        }
        Ok(Value::Object(sent))
    }

    /// An object that the API replaces: what the definition says, and the rest as it is.
    fn whole(
        &self,
        field: &Field,
        at: &str,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> Result<Value, Problem> {
        let mut sent = Map::new();
        let is_left_out = |name: &String| {
            let at = format!("{at}/{}", escape(name));
            desired.contains_key(name)
                || field.fields.get(name).is_some_and(|member| member.masked)
                || self.displaced.iter().any(|displaced| displaced.pointer == at)
        };
        for (name, value) in live.iter().filter(|(name, _)| !is_left_out(name)) {
            sent.extend(self.along.member(Some(field), name, value).map(|value| (name.clone(), value)));
        }
        for (name, value) in desired {
            let at = format!("{at}/{}", escape(name));
            match field.fields.get(name) {
                Some(member) if value.is_null() && !member.nullable => {}
                // What can't change is sent as it is: the API may show it in a form of its own.
                Some(member) if member.create_only => {
                    sent.extend(live.get(name).map(|value| (name.clone(), value.clone())));
                }
                Some(member) => {
                    sent.insert(name.clone(), self.value(member, &at, Some(value), live.get(name))?);
                }
                None => {
                    sent.insert(name.clone(), value.clone());
                }
            }
        }
        let is_kept_in = |member: &Field| {
            let within = format!("{at}/{}/", escape(&member.name));
            member.masked && self.desired.provenance.kept.keys().any(|path| path.starts_with(&within))
        };
        let kept_in = field.fields.iter().find(|member| sent.contains_key(&member.name) && is_kept_in(member));
        match hidden(field, &sent, Some(live)).or(kept_in) {
            None => Ok(Value::Object(sent)),
            Some(hidden) => Err(self.refusal(at, &hidden.name)),
        }
    }

    /// A set that the API replaces: what the definition says, and the rest of each element as it is.
    fn set(&self, field: &Field, at: &str, desired: &[Value], live: &[Value]) -> Result<Value, Problem> {
        let elements = merged_set(field, desired, live, self.along);
        let of_element = |element: &Value| hidden(field.items.as_deref()?, element.as_object()?, None);
        match elements.iter().find_map(of_element) {
            None => Ok(Value::Array(elements)),
            Some(hidden) => Err(self.refusal(at, &hidden.name)),
        }
    }

    fn refusal(&self, at: &str, hidden: &str) -> Problem {
        Problem::error(format!(
            "{at}/{hidden} would have to be sent along, the API does not show it, and the definition does not have it"
        ))
        .at(self.desired.provenance.origin(at))
    }
}

/// Finds a secret that an object would lose: one that the API never shows, or shows in another form
/// only (then it is known whether it is there).
fn hidden<'f>(field: &'f Field, sent: &Map<String, Value>, live: Option<&Map<String, Value>>) -> Option<&'f Field> {
    let is_there = |member: &Field| member.write_only || live.is_some_and(|live| live.contains_key(&member.name));
    let mut secrets = field.fields.iter().filter(|member| member.masked || member.secret && member.write_only);
    secrets.find(|member| is_there(member) && !sent.contains_key(&member.name))
}
