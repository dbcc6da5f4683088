//! From a change to the HTTP calls that it takes.
//!
//! Pure, and the last step before the wire: names become ids here. An update sends only the
//! top-level fields that the change's edits touch; within one, an object that the API replaces
//! whole is completed with what the live one has.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

use super::body::{body, top};
use super::elements::Elements;
use super::parts::Parts;
use super::references::mentions;
use super::sets::Along;
use super::{Action, Change};
use crate::error::Problem;
use crate::kinds::kind::{Endpoint, Field, Fields, Kind, Lookup, Method, Wait, at, with_handle};
use crate::tenant::names::{Names, references};
use crate::tenant::{Object, fill};
use crate::text::escape;

/// One request to the Management API. Its body may hold secrets; Debug does not show it.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`, percent-encoded; `{id}` still in it stands for the handle that the
    /// create before it answers.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
    /// The body to send where the API refuses the other: without what a definition does not say and
    /// no declaration knows. Missing where that makes no difference.
    pub spare: Option<Value>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
    /// The rate limit that it counts against, if it has one of its own.
    pub bucket: Option<String>,
    /// Values of the body that are read right before.
    pub lookups: Vec<LookedUp>,
    /// What the live object must be before.
    pub wait: Option<Wait>,
    /// The field, and its value, by which the live object shows that the call was made.
    pub shown_by: Option<(String, Value)>,
}

/// A value of a body that is read right before the call.
#[derive(Debug, Clone, PartialEq)]
pub struct LookedUp {
    /// The object in the body that the value belongs into: a JSON Pointer (RFC 6901).
    pub owner: String,
    /// The member that it becomes.
    pub name: String,
    /// Where it is found.
    pub lookup: Lookup,
}

impl Call {
    /// Makes a call that nothing is known of but this.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        let (path, scopes, lookups) = (path.into(), Vec::new(), Vec::new());
        Self { method, path, body, spare: None, scopes, bucket: None, lookups, wait: None, shown_by: None }
    }
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
    let kind = desired.or(live).map_or(kind, |object| kind.of(&object.value));
    let id = live.and_then(|live| live.id.as_deref());
    let mut calls = Vec::new();
    if matches!(change.action, Action::Delete | Action::Replace) {
        calls.push(endpoint(change, kind.delete.as_ref(), id, None)?);
    }
    let Some(desired) = desired.filter(|_| change.action != Action::Delete) else { return Ok(calls) };
    let is_made = change.action.makes();
    let (id, live) = if is_made { (None, None) } else { (id, live) };
    let is_later = |field: &Field| is_made && field.update_only;
    let is_own = |field: &Field| field.call.is_some() || field.is_apart();
    if is_made {
        let body = body(kind, change, desired, None, Along::All, |field| !field.update_only && !is_own(field))?;
        let mut body = on_the_wire(kind, change, names, body, None)?;
        let call = endpoint(change, kind.create.as_ref(), None, None)?;
        let path = named_in_path(&call.path, &mut body);
        calls.push(Call { path, lookups: lookups(&kind.fields, &body), body: Some(body), ..call });
    }
    let updated = |along| {
        let members = body(kind, change, desired, live, along, |f| !is_own(f) && (!is_made || is_later(f)))?;
        on_the_wire(kind, change, names, members, live)
    };
    let update = updated(Along::All)?;
    if update.as_object().is_some_and(|members| !members.is_empty()) {
        let spare = Some(updated(Along::Declared)?).filter(|spare| *spare != update);
        let lookups = lookups(&kind.fields, &update);
        calls.push(Call { spare, lookups, ..endpoint(change, kind.update.as_ref(), id, Some(update))? });
    }
    for (field, part) in kind.parts() {
        let value = |along| -> Result<Option<Value>, Problem> {
            let mut members = body(kind, change, desired, live, along, |other| other.name == field.name)?;
            Ok(members.shift_remove(&field.name))
        };
        let parts = Parts { kind, change, names, id };
        calls.extend(parts.calls((field, part), (value(Along::All)?, value(Along::Declared)?), desired, live)?);
    }
    for (field, child) in kind.children() {
        calls.extend(Elements { kind, field, child, change, names, id }.calls(desired, live)?);
    }
    let own = kind.fields.iter().filter_map(|field| own_call(field, change, desired, live));
    let own: Vec<Call> = own.map(|call| Call { path: path(&call.path, id), ..call }).collect();
    calls.extend(own);
    Ok(calls)
}

/// Tells why an update can't be sent: the pointer of a hidden secret that is not at hand.
#[must_use]
pub fn refusal(kind: &Kind, change: &Change, desired: &Object, live: &Object) -> Option<String> {
    let kind = kind.of(&desired.value);
    body(kind, change, desired, Some(live), Along::All, |field| field.call.is_none() && field.child.is_none())
        .err()
        .map(|problem| problem.message)
}

fn endpoint(
    change: &Change,
    endpoint: Option<&Endpoint>,
    id: Option<&str>,
    body: Option<Value>,
) -> Result<Call, Problem> {
    let endpoint =
        endpoint.ok_or_else(|| Problem::error(format!("the API has no such operation for {}", change.address())))?;
    let call = Call::new(endpoint.method, path(&endpoint.path, id), body);
    Ok(Call { scopes: endpoint.scopes.clone(), bucket: endpoint.bucket.clone(), ..call })
}

fn path(pattern: &str, id: Option<&str>) -> String {
    id.map_or_else(|| pattern.to_owned(), |id| with_handle(pattern, id, encoded))
}

/// Takes the fields out of a body that stand in the path.
fn named_in_path(pattern: &str, body: &mut Value) -> String {
    fill(pattern, |name| {
        let value = body.as_object_mut()?.shift_remove(name)?;
        value.as_str().map(encoded)
    })
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

/// Gives a body as the API takes it: handles in the place of names, each under the API's own name.
pub(super) fn on_the_wire(
    kind: &Kind,
    change: &Change,
    names: &Names,
    mut body: Map<String, Value>,
    live: Option<&Object>,
) -> Result<Value, Problem> {
    with_ids(kind, change, names, &mut body, live)?;
    rename(&kind.fields, &mut body);
    Ok(Value::Object(body))
}

/// Puts handles in the place of names. What the live object has as it is stays so: it may refer to what was
/// deleted meanwhile, and is sent along with what is around it.
pub(super) fn with_ids(
    kind: &Kind,
    change: &Change,
    names: &Names,
    body: &mut Map<String, Value>,
    live: Option<&Object>,
) -> Result<(), Problem> {
    let unknown = names.put_ids(kind, body);
    let said = references(kind, body);
    let is_said_already = |live: &Object, pointer: &str| {
        let mention = said.iter().find(|mention| mention.pointer == pointer);
        at(&live.value, pointer) == at(body, pointer)
            || mention.is_some_and(|mention| mentions(kind, &live.value, mention))
    };
    let is_new = |pointer: &str| live.is_none_or(|live| !is_said_already(live, pointer));
    match unknown.iter().find(|(pointer, _)| is_new(pointer)) {
        None => Ok(()),
        Some((pointer, reference)) => Err(Problem::error(format!(
            "{} refers at {pointer} to an object of {} that the tenant does not have",
            change.address(),
            reference.kind
        ))),
    }
}

/// Puts members under the names that they have where they hold a handle.
pub(super) fn rename(fields: &Fields, members: &mut Map<String, Value>) {
    let renamed = std::mem::take(members).into_iter().map(|(name, mut value)| {
        let Some(field) = fields.get(&name) else { return (name, value) };
        match (&mut value, &field.items) {
            (Value::Object(inner), _) => rename(&field.fields, inner),
            (Value::Array(elements), Some(items)) => {
                elements.iter_mut().filter_map(Value::as_object_mut).for_each(|inner| rename(&items.fields, inner));
            }
            _ => {}
        }
        (field.handle_as.clone().unwrap_or(name), value)
    });
    *members = renamed.collect();
}

/// Lists the values of a body that are looked up: those that a definition does not give.
fn lookups(fields: &Fields, body: &Value) -> Vec<LookedUp> {
    fn walk(fields: &Fields, value: &Value, at: &str, found: &mut Vec<LookedUp>) {
        let Some(members) = value.as_object() else { return };
        for field in fields {
            let pointer = format!("{at}/{}", escape(&field.name));
            match (members.get(&field.name), &field.items) {
                (None, _) => {
                    let looked_up = |lookup| LookedUp { owner: at.to_owned(), name: field.name.clone(), lookup };
                    found.extend(field.lookup.as_deref().cloned().map(looked_up));
                }
                (Some(Value::Array(elements)), Some(items)) => {
                    for (index, element) in elements.iter().enumerate() {
                        walk(&items.fields, element, &format!("{pointer}/{index}"), found);
                    }
                }
                (Some(inner), _) => walk(&field.fields, inner, &pointer, found),
            }
        }
    }
    let mut found = Vec::new();
    walk(fields, body, "", &mut found);
    found
}

/// Names the fields that a change undoes and brings about again.
#[must_use]
pub fn made_again(kind: &Kind, change: &Change, desired: &Object) -> Vec<String> {
    let is_again = |field: &&Field| {
        let call = field.call.as_ref().filter(|call| call.again);
        let is_wanted = call.is_some_and(|call| desired.value.get(&field.name) == call.value.as_ref());
        is_wanted && !change.fields.iter().any(|edit| top(&edit.path) == field.name)
    };
    kind.fields.iter().filter(is_again).map(|field| field.name.clone()).collect()
}

/// The call that writes a field which has one of its own, where the change needs it.
fn own_call(field: &Field, change: &Change, desired: &Object, live: Option<&Object>) -> Option<Call> {
    let call = field.call.as_ref()?;
    if !change.again.contains(&field.name) {
        // What is made anew has none of what was there; what has to wait for it comes with a later plan.
        let is_anew = change.action == Action::Replace && field.until.is_none();
        let made = is_anew.then(|| desired.value.get(&field.name)).flatten();
        let edit = || change.fields.iter().find(|edit| top(&edit.path) == field.name)?.after.as_ref();
        let after = Some(made.or_else(edit)?);
        // An exclusive mark ends here when another object's call makes that one so.
        if call.value.as_ref().is_some_and(|value| after != Some(value))
            || (field.exclusive && after != Some(&Value::Bool(true)))
        {
            return None;
        }
    }
    let text = |name: &str| {
        let value = desired.value.get(name).or_else(|| live?.value.get(name))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let filled = call.body.iter().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.clone(), |pattern| Value::from(fill(pattern, text)));
        (name.clone(), value)
    });
    let body = Some(Value::Object(filled.collect())).filter(|_| !call.body.is_empty());
    let shown_by = call.value.clone().map(|value| (field.name.clone(), value));
    let (scopes, wait) = (call.scopes.clone(), call.wait.clone());
    Some(Call { scopes, wait, shown_by, ..Call::new(call.method, call.path.clone(), body) })
}
