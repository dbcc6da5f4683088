//! The calls that write fields at one endpoint of their own each.
//!
//! A part of `call`. The body of a call is the field's value as `body` makes it, so that what the API replaces is
//! completed and what it merges is not; a map with several endpoints takes a call for each member that an edit
//! touches.

use serde_json::{Map, Value};

use super::Change;
use super::call::{Call, encoded, on_the_wire};
use crate::error::Problem;
use crate::kinds::kind::{Endpoint, Field, Kind, Part};
use crate::tenant::Object;
use crate::tenant::names::Names;
use crate::text::escape;

/// What the calls of a change's parts are made of.
pub(super) struct Parts<'a> {
    pub(super) kind: &'a Kind,
    pub(super) change: &'a Change,
    pub(super) names: &'a Names,
    /// The object's handle, where it is there.
    pub(super) id: Option<&'a str>,
}

impl Parts<'_> {
    /// Gives the calls that write a field; `value` and `spare` are what `body` makes of it.
    pub(super) fn calls(
        &self,
        (field, part): (&Field, &Part),
        (value, spare): (Option<Value>, Option<Value>),
        desired: &Object,
        live: Option<&Object>,
    ) -> Result<Vec<Call>, Problem> {
        let found = live.and_then(|live| live.value.get(&field.name));
        if part.by.is_empty() {
            let Some(value) = value else { return Ok(Vec::new()) };
            let call = self.write(part, field, &[], value, found.is_some())?;
            let spare = spare.map(|spare| self.wire(field, spare, live)).transpose()?;
            return Ok(vec![Call { spare: spare.filter(|spare| call.body.as_ref() != Some(spare)), ..call }]);
        }
        let nothing = Value::Null;
        let wanted = part.units(desired.value.get(&field.name).unwrap_or(&nothing));
        let there = part.units(found.unwrap_or(&nothing));
        let is_there = |keys: &[String]| there.iter().any(|(other, _)| other == keys);
        let gone = there.iter().filter(|(keys, _)| !wanted.iter().any(|(other, _)| other == keys));
        let gone = gone.map(|(keys, _)| (keys, Value::Null));
        let units = wanted.iter().map(|(keys, value)| (keys, (*value).clone())).chain(gone);
        let touched = units.filter(|(keys, _)| self.touches(field, keys));
        touched.map(|(keys, value)| self.write(part, field, keys, value, is_there(keys))).collect()
    }

    /// Tells whether an edit is about a unit: in it, of it, or of what it is in.
    fn touches(&self, field: &Field, keys: &[String]) -> bool {
        let names = std::iter::once(&field.name).chain(keys);
        let pointer: String = names.flat_map(|name| ["/".into(), escape(name)]).collect();
        let is_within = |path: &str, other: &str| format!("{path}/").starts_with(&format!("{other}/"));
        let mut edits = self.change.fields.iter();
        self.change.action.makes()
            || edits.any(|edit| is_within(&edit.path, &pointer) || is_within(&pointer, &edit.path))
    }

    fn write(
        &self,
        part: &Part,
        field: &Field,
        keys: &[String],
        value: Value,
        is_there: bool,
    ) -> Result<Call, Problem> {
        let (endpoint, body) = match (&part.delete, &part.create, value) {
            (Some(delete), _, Value::Null) => (delete, None),
            // What has no end of its own is written empty.
            (None, _, Value::Null) if !part.by.is_empty() => (&part.update, Some(Value::Object(Map::new()))),
            (_, Some(create), value) if !is_there => (create, Some(value)),
            (_, _, value) => (&part.update, Some(value)),
        };
        let body = body.map(|body| self.wire(field, body, None)).transpose()?;
        Ok(self.call(part, endpoint, keys, body))
    }

    fn call(&self, part: &Part, endpoint: &Endpoint, keys: &[String], body: Option<Value>) -> Call {
        let path = part.path(&endpoint.path, self.id, keys, encoded);
        let (scopes, bucket) = (endpoint.scopes.clone(), endpoint.bucket.clone());
        Call { scopes, bucket, ..Call::new(endpoint.method, path, body) }
    }

    /// Brings a value into the API's form.
    fn wire(&self, field: &Field, value: Value, live: Option<&Object>) -> Result<Value, Problem> {
        let around = Map::from_iter([(field.name.clone(), value)]);
        let mut wire = on_the_wire(self.kind, self.change, self.names, around, live)?;
        let value = wire.as_object_mut().and_then(|members| members.shift_remove(field.wire_name()));
        Ok(value.unwrap_or_default())
    }
}
