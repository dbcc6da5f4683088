//! What is at the one endpoint of a field: how its value becomes an object of the store, and back.
//!
//! Pure; what is kept how, `kinds::element` decides. A value that is no object is kept as the one member of one; a
//! member of a map stands under its keys, and one that nobody wrote is empty (recorded for texts of prompts).

use serde_json::{Map, Value, json};

use super::exchange::{Moment, Request, Response};
use super::operations::Work;
use super::store::{Object, Store, children_of, name_of};
use crate::kinds::kind::Kind;

/// Reads the body of a write.
pub(super) fn sent(kind: &Kind, request: &Request) -> Result<Object, Response> {
    if let Some(field) = &kind.server.text {
        // As JSON (recorded), or as it is.
        let text = match request.json() {
            Ok(Some(Value::String(text))) => Some(text),
            Ok(_) => None,
            Err(_) => Some(String::from_utf8_lossy(&request.body).into_owned()),
        };
        if let Some(text) = text {
            return Ok(Map::from_iter([(field.clone(), Value::from(text))]));
        }
    }
    let Some(name) = &kind.server.bare else { return request.object() };
    let value = request.json()?.unwrap_or_else(|| json!({}));
    Ok(Map::from_iter([(name.clone(), value)]))
}

/// Gives an answer the form that the endpoint has.
pub(super) fn answered(kind: &Kind, mut response: Response) -> Response {
    if !kind.server.is_unit {
        return response;
    }
    if let Some(name) = &kind.server.bare
        && let Some(Value::Object(members)) = &mut response.body
        && let Some(value) = members.shift_remove(name)
    {
        response.body = Some(value);
    }
    if let (Some(id), Some(Value::Object(members))) = (&kind.id, &mut response.body) {
        members.shift_remove(id);
    }
    response
}

/// Gives what is answered for a member of a map that nobody wrote.
pub(super) fn unset(work: &Work) -> Option<Response> {
    let is_unit = work.parent.is_some() && work.kind.server.is_unit;
    (is_unit && work.kind.id.is_some()).then(|| Response::read(200, json!({})))
}

impl Store {
    /// Makes what is not there yet of a write that puts all in its place.
    pub(super) fn put_unit(
        &mut self,
        work: &Work,
        own: Option<&str>,
        sent: Object,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
        let mut sent = self.checked(work, sent, moment)?;
        if let (Some(id), Some(own)) = (&work.kind.id, own) {
            sent.insert(id.clone(), Value::from(own));
        }
        self.made(work, work.above.clone(), &sent, moment)
    }

    /// Plants what stands at endpoints of a singleton's fields.
    pub(super) fn plant_parts(&mut self, kind: &'static Kind) {
        for part in children_of(kind).filter(|_| kind.singleton) {
            let name = name_of(part, Some(kind));
            let is_there = self.objects(&name).next().is_some();
            for seed in part.server.seed.iter().filter(|_| !is_there).filter_map(Value::as_object) {
                self.insert(&name, None, seed.clone());
            }
        }
    }
}
