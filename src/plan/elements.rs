//! From the edit of a field that stands at endpoints of its own to the calls that write its elements.
//!
//! Pure, a part of `call`: what goes is removed first, since some lists are short, then what stays is
//! changed, then the new is added. Bodies and paths are made from the declaration's templates.

use serde_json::{Map, Value};

use super::Change;
use super::call::{Call, encoded, rename, with_ids};
use super::diff::without_nulls;
use super::sets::set_edit;
use crate::error::Problem;
use crate::kinds::kind::{Child, ChildCall, Field, Kind};
use crate::tenant::names::{Meaning, Names};
use crate::tenant::{Object, fill};

/// A field of an object that changes, with what its calls are made from.
pub(super) struct Elements<'a> {
    pub(super) kind: &'a Kind,
    pub(super) field: &'a Field,
    pub(super) child: &'a Child,
    pub(super) change: &'a Change,
    pub(super) names: &'a Names,
    /// The object's handle; missing for one that is made.
    pub(super) id: Option<&'a str>,
}

/// An element as its templates see it.
struct Element {
    /// Its value in the API's form.
    wire: Value,
    /// The part of it that the call writes.
    written: Value,
    /// Its own handle.
    handle: Option<String>,
    /// The handle of the object that it names.
    named: Option<String>,
}

impl Elements<'_> {
    /// Gives the calls; none where the change does not touch the field.
    pub(super) fn calls(&self, desired: &Object, live: Option<&Object>) -> Result<Vec<Call>, Problem> {
        let own = format!("/{}", self.field.name);
        let is_mine = |path: &str| path.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_made = self.change.action.makes();
        if !is_made && !self.change.fields.iter().any(|edit| is_mine(&edit.path)) {
            return Ok(Vec::new());
        }
        let wanted = elements(Some(desired), self.field);
        if let Some(put) = &self.child.put {
            if is_made && wanted.is_empty() {
                return Ok(Vec::new());
            }
            let elements = wanted.iter().map(|element| self.element(element, false));
            return Ok(vec![self.call(put, &elements.collect::<Result<Vec<_>, _>>()?)?]);
        }
        let set = set_edit(self.field, wanted, elements(live, self.field));
        let after: Vec<Value> = set.changed.iter().filter_map(|change| change.get("after").cloned()).collect();
        let before: Vec<Value> = set.changed.iter().filter_map(|change| change.get("before").cloned()).collect();
        let mut calls = Vec::new();
        let (gone, new) = match &self.child.change {
            Some(_) => (set.removed, set.added),
            None => ([set.removed, before].concat(), [set.added, after.clone()].concat()),
        };
        self.write(self.child.remove.as_ref(), &gone, false, &mut calls)?;
        self.write(self.child.change.as_ref(), &after, true, &mut calls)?;
        self.write(self.child.add.as_ref(), &new, false, &mut calls)?;
        Ok(calls)
    }

    /// Adds the calls that write some elements in one way.
    fn write(
        &self,
        call: Option<&ChildCall>,
        elements: &[Value],
        is_change: bool,
        calls: &mut Vec<Call>,
    ) -> Result<(), Problem> {
        let Some(call) = call else { return Ok(()) };
        let most = if call.takes_several() { call.most.unwrap_or(usize::MAX) } else { 1 };
        let elements: Vec<Element> =
            elements.iter().map(|element| self.element(element, is_change)).collect::<Result<_, _>>()?;
        for some in elements.chunks(most) {
            calls.push(self.call(call, some)?);
        }
        Ok(())
    }

    /// Brings an element into the API's form, without what a call can't write.
    fn element(&self, element: &Value, is_change: bool) -> Result<Element, Problem> {
        let named = self.field.items.as_ref().and_then(|items| items.names.as_ref()).map(|named| {
            let text = |name: &str| element.get(name)?.as_str().map(str::to_owned);
            (named, fill(&named.address, text))
        });
        let named = match &named {
            None => None,
            Some((named, address)) => match self.names.meaning(&named.kind, address) {
                Meaning::Id(id) => Some(id.to_owned()),
                Meaning::Several(_) | Meaning::Unknown => {
                    return Err(Problem::error(format!(
                        "{} names {} `{address}`, which the tenant does not have",
                        self.change.address(),
                        named.kind
                    )));
                }
            },
        };
        let mut around = Map::from_iter([(self.field.name.clone(), Value::Array(vec![without_nulls(element)]))]);
        with_ids(self.kind, self.change, self.names, &mut around, None)?;
        let items = around.remove(&self.field.name);
        let mut wire = items.and_then(|mut items| items.as_array_mut()?.pop()).unwrap_or_default();
        let fields = self.field.items.as_ref().map(|items| &items.fields);
        if let (Some(members), Some(fields)) = (wire.as_object_mut(), fields) {
            members.retain(|name, _| fields.get(name).is_none_or(|field| !field.read_only));
            rename(fields, members);
        }
        let handle = self.id.and_then(|id| self.names.element(self.kind, self.field, id, &wire)).map(str::to_owned);
        let mut written = wire.clone();
        if let (true, Some(members), Some(fields)) = (is_change, written.as_object_mut(), fields) {
            members.retain(|name, _| fields.find(name).is_none_or(|field| !field.create_only));
        }
        Ok(Element { wire, written, handle, named })
    }

    /// Makes one call for some elements.
    fn call(&self, call: &ChildCall, elements: &[Element]) -> Result<Call, Problem> {
        let unknown = || {
            let (address, field) = (self.change.address(), &self.field.name);
            Problem::error(format!("{address}: the id of an element of `{field}` is not known"))
        };
        let path = fill(&call.path, |name| match name {
            "id" => self.id.map(encoded),
            name => part(name, elements.first()?)?.as_str().map(encoded),
        });
        if path.replace("{id}", "").contains('{') {
            return Err(unknown());
        }
        let body = call.body.as_ref().map(|template| filled(template, elements));
        let (scopes, bucket) = (call.scopes.clone(), call.bucket.clone());
        Ok(Call { scopes, bucket, ..Call::new(call.method, path, body) })
    }
}

/// Fills a body in: a list of one template takes all elements, what stands outside one the first.
fn filled(template: &Value, elements: &[Element]) -> Value {
    match template {
        Value::Array(items) => {
            let each = |element| items.iter().filter_map(move |item| value(item, element));
            elements.iter().flat_map(each).collect()
        }
        Value::Object(members) => {
            let member = |(name, inner): (&String, &Value)| (name.clone(), filled(inner, elements));
            Value::Object(members.iter().map(member).filter(|(_, value)| !value.is_null()).collect())
        }
        other => elements.first().and_then(|element| value(other, element)).unwrap_or_default(),
    }
}

/// Fills a template in for one element; nothing where it lacks the member.
fn value(template: &Value, element: &Element) -> Option<Value> {
    match template {
        Value::String(text) => match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => part(name, element),
            None => Some(template.clone()),
        },
        Value::Object(members) => {
            let member = |(name, inner): (&String, &Value)| Some((name.clone(), value(inner, element)?));
            Some(Value::Object(members.iter().filter_map(member).collect()))
        }
        other => Some(other.clone()),
    }
}

fn part(name: &str, element: &Element) -> Option<Value> {
    match name {
        "item" => Some(element.written.clone()),
        "handle" => element.handle.clone().map(Value::from),
        "named" => element.named.clone().map(Value::from),
        name => element.wire.get(name.strip_prefix("item.")?).cloned(),
    }
}

fn elements<'o>(object: Option<&'o Object>, field: &Field) -> &'o [Value] {
    object.and_then(|object| object.value.get(&field.name)?.as_array()).map_or(&[], Vec::as_slice)
}
