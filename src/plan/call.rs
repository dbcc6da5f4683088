//! From a change to the HTTP calls that it takes.
//!
//! Pure, and the last step before the wire: names become ids here. An update sends only the
//! top-level fields that the change's edits touch; within one, an object that the API replaces
//! whole is completed with what the live one has.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

use super::diff::{Along, merged_set, on_wire, without_nulls};
use super::{Action, Change, Edit, Op};
use crate::error::Problem;
use crate::kinds::kind::{Endpoint, Field, Kind, Method, Type};
use crate::tenant::names::Names;
use crate::tenant::{Object, fill};
use crate::text::{escape, unescape};

/// One request to the Management API. Its body may hold secrets; Debug does not show it.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`, percent-encoded; `{id}` still in it stands for the handle that the
    /// create before it answers.
    pub path: String,
    /// The body.
    pub body: Option<Map<String, Value>>,
    /// The body to send where the API refuses the other: without what a definition does not say and
    /// no declaration knows. Missing where that makes no difference.
    pub spare: Option<Map<String, Value>>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Gives the calls that carry out a change, in order.
///
/// # Errors
/// A secret that the API hides would have to be sent along, a reference has no id, or the kind has
/// no such operation.
pub fn calls(
    kind: &Kind,
    change: &Change,
    desired: Option<&Object>,
    live: Option<&Object>,
    names: &Names,
) -> Result<Vec<Call>, Problem> {
    let id = live.and_then(|live| live.id.as_deref());
    let mut calls = Vec::new();
    if matches!(change.action, Action::Delete | Action::Replace) {
        calls.push(endpoint(change, kind.delete.as_ref(), id, None)?);
    }
    let Some(desired) = desired.filter(|_| change.action != Action::Delete) else { return Ok(calls) };
    let is_made = matches!(change.action, Action::Create | Action::Replace);
    let (id, live) = if is_made { (None, None) } else { (id, live) };
    let is_later = |field: &Field| is_made && field.update_only;
    if is_made {
        let body = body(kind, change, desired, None, Along::All, |field| !field.update_only && field.call.is_none())?;
        calls.push(endpoint(change, kind.create.as_ref(), None, Some(with_ids(kind, change, names, body)?))?);
    }
    let updated = |along| {
        let body = body(kind, change, desired, live, along, |f| f.call.is_none() && (!is_made || is_later(f)))?;
        with_ids(kind, change, names, body)
    };
    let body = updated(Along::All)?;
    if !body.is_empty() {
        let spare = Some(updated(Along::Declared)?).filter(|spare| *spare != body);
        calls.push(Call { spare, ..endpoint(change, kind.update.as_ref(), id, Some(body))? });
    }
    calls.extend(change.fields.iter().filter_map(|edit| own_call(kind, edit, desired, live, id)));
    Ok(calls)
}

/// Tells why an update can't be sent: the pointer of a hidden secret that is not at hand.
#[must_use]
pub fn refusal(kind: &Kind, change: &Change, desired: &Object, live: &Object) -> Option<String> {
    body(kind, change, desired, Some(live), Along::All, |field| field.call.is_none())
        .err()
        .map(|problem| problem.message)
}

fn endpoint(
    change: &Change,
    endpoint: Option<&Endpoint>,
    id: Option<&str>,
    body: Option<Map<String, Value>>,
) -> Result<Call, Problem> {
    let endpoint =
        endpoint.ok_or_else(|| Problem::error(format!("the API has no such operation for {}", change.address())))?;
    Ok(Call {
        method: endpoint.method,
        path: path(&endpoint.path, id),
        body,
        spare: None,
        scopes: endpoint.scopes.clone(),
    })
}

fn path(pattern: &str, id: Option<&str>) -> String {
    fill(pattern, |_| id.map(encoded))
}

/// Percent-encodes a path segment (RFC 3986, section 2.1).
#[must_use]
pub fn encoded(segment: &str) -> String {
    let mut text = String::new();
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn with_ids(
    kind: &Kind,
    change: &Change,
    names: &Names,
    mut body: Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let unknown = names.put_ids(kind, &mut body);
    match unknown.first() {
        None => Ok(body),
        Some((pointer, reference)) => Err(Problem::error(format!(
            "{} refers at {pointer} to an object of {} that the tenant does not have",
            change.address(),
            reference.kind
        ))),
    }
}

/// Gives the body of a create or an update: the top-level fields that the edits touch.
fn body(
    kind: &Kind,
    change: &Change,
    desired: &Object,
    live: Option<&Object>,
    along: Along,
    is_wanted: impl Fn(&Field) -> bool,
) -> Result<Map<String, Value>, Problem> {
    let mut body = Map::new();
    // What is made is sent whole; of what is there, the fields that the edits touch.
    let names: Vec<String> = match live {
        None => desired.value.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()).collect(),
        Some(_) => change.fields.iter().map(|edit| top(&edit.path)).collect(),
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
        let live = live.and_then(|live| live.value.get(&name));
        let sender = Sender { change, desired, along };
        let value = sender.value(field, &at, desired.value.get(&name), live)?;
        let name = match (&field.convert, &field.clear_as) {
            (Some(convert), _) => convert.wire.clone(),
            (_, Some(old)) if value.is_null() => old.clone(),
            _ => name,
        };
        body.insert(name, value);
    }
    Ok(body)
}

/// Gives the first part of a pointer, unescaped.
fn top(pointer: &str) -> String {
    unescape(pointer.trim_start_matches('/').split('/').next().unwrap_or_default())
}

/// The call that writes a field which has one of its own.
fn own_call(kind: &Kind, edit: &Edit, desired: &Object, live: Option<&Object>, id: Option<&str>) -> Option<Call> {
    let field = kind.fields.get(&top(&edit.path))?;
    let call = field.call.as_ref()?;
    if field.exclusive && edit.after != Some(Value::Bool(true)) {
        // It ends here when another object's call makes that one so.
        return None;
    }
    let text = |name: &str| {
        let value = desired.value.get(name).or_else(|| live?.value.get(name))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let filled = call.body.iter().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.clone(), |pattern| Value::from(fill(pattern, text)));
        (name.clone(), value)
    });
    Some(Call {
        method: call.method,
        path: path(&call.path, id),
        body: Some(filled.collect()),
        spare: None,
        scopes: call.scopes.clone(),
    })
}

/// Makes the values to send for one change.
struct Sender<'a> {
    change: &'a Change,
    desired: &'a Object,
    along: Along,
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
            (Value::Array(wanted), Some(Value::Array(live))) if field.holds == Type::Set => {
                Ok(Value::Array(merged_set(field, wanted, live, self.along)))
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
        for (name, value) in live.iter().filter(|(name, _)| !desired.contains_key(*name)) {
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
        let hidden =
            field.fields.iter().find(|member| member.secret && member.write_only && !sent.contains_key(&member.name));
        match hidden {
            None => Ok(Value::Object(sent)),
            Some(hidden) => {
                let path = format!("{at}/{}", hidden.name);
                Err(Problem::error(format!(
                    "{path} would have to be sent along, the API does not show it, and the definition does not have it"
                ))
                .at(self.desired.provenance.origin(at)))
            }
        }
    }
}
