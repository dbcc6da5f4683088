//! How objects are made: what a create may send, and what the API makes of it.
//!
//! Pure; it reads declarations and names no kind. Elements of fields and children are made here too.

use serde_json::Value;

use super::body::{self, Write};
use super::exchange::{Moment, Response};
use super::make;
use super::operations::Work;
use super::store::{Object, Store};
use super::write::{broken, drop_nulls, forbidden, is_cleared, may_write, on_the_wire, refused};
use super::{children, fill, inline};
use crate::kinds::kind::Kind;
use crate::kinds::server::Unique;

impl Store {
    /// Makes an object as a create of this body does.
    ///
    /// # Errors
    /// Gives the refusal that a create would get.
    pub fn make(&mut self, kind: &Kind, body: Object, moment: &mut Moment) -> Result<Object, Response> {
        let work = Work::new(kind, None, None);
        let number = self.create(&work, None, body, moment)?;
        Ok(self.row(&work.collection, number).object.clone())
    }

    /// Makes an object of what a create sent, and the children that it asks for.
    pub(super) fn create(
        &mut self,
        work: &Work,
        parent: Option<String>,
        sent: Object,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
        let sent = self.checked(work, sent, moment)?;
        let number = self.made(work, parent, &sent, moment)?;
        self.make_along(work, number, &sent, moment)?;
        Ok(number)
    }

    /// Gives what a create sent, once it is known to be valid.
    pub(super) fn checked(&self, work: &Work, mut sent: Object, moment: &Moment) -> Result<Object, Response> {
        let kind = work.kind.of(&sent);
        may_write(kind, &sent, moment)?;
        on_the_wire(kind, &mut sent);
        if let Some(message) = body::problem(kind, &sent, Write::Create) {
            return Err(Response::invalid_body(&message));
        }
        let is_nothing = |name: &str, value: &Value| {
            value.is_null() || kind.fields.get(name).is_some_and(|field| is_cleared(field, value))
        };
        sent.retain(|name, value| !is_nothing(name, value));
        let everything = |_: &str| true;
        self.by_handle(kind, &mut sent);
        refused(kind, &self.with_joined(kind, &sent), None, &everything)?;
        if let Some(message) = kind.rules.iter().find_map(|rule| broken(rule, &sent, &everything)) {
            return Err(Response::invalid_body(&message));
        }
        self.check_references(kind, &sent)?;
        Ok(sent)
    }

    /// Makes an object of what was sent, which is known to be valid.
    pub(super) fn made(
        &mut self,
        work: &Work,
        parent: Option<String>,
        sent: &Object,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
        let kind = work.kind.of(sent);
        let below = parent.as_deref();
        let mut object = sent.clone();
        drop_nulls(kind, &mut object);
        let mut sent = sent.clone();
        self.look_up_from(work, kind, parent.as_deref(), [&mut object, &mut sent])?;
        for becomes in &kind.server.becomes {
            let wanted = make::text_of(&becomes.equals, &sent, moment);
            if object.get(&becomes.field).is_some_and(|value| *value == *wanted) {
                object.extend(becomes.set.clone());
            }
        }
        let known = self.with_joined(kind, &sent);
        fill::fill_in(&kind.fields, kind.id.as_deref(), &mut object, &known, moment);
        for field in kind.server.fields.iter().filter(|field| field.child.is_none()) {
            object.shift_remove(&field.name);
        }
        self.number(work, kind, below, &mut object);
        if let Some(above) = work.parent {
            object.shift_remove(&above.name);
        }
        if let Some(message) = forbidden(kind, &object) {
            return Err(Response::invalid_body(&message));
        }
        self.check_unique(work, kind, below, &object)?;
        let handle = kind.id.as_deref().and_then(|id| object.get(id)?.as_str().map(str::to_owned)).unwrap_or_default();
        if let Err(refusal) = children::take(self, kind, &handle, &mut object, moment) {
            self.remove_dependants(kind, &handle, &object);
            return Err(refusal);
        }
        let elements = inline::taken_out(kind, &mut object);
        let number = self.insert(&work.collection, parent, object);
        self.end_exclusive(work, number);
        if let Err(refusal) = self.put_inline(kind, &handle, elements, moment) {
            self.remove(&work.collection, number);
            return Err(refusal);
        }
        self.set_above(work, kind, number, moment);
        self.plant_below(work.kind, &handle, moment)?;
        Ok(number)
    }

    /// Refuses an object with values that another one beside it has.
    fn check_unique(&self, work: &Work, kind: &Kind, parent: Option<&str>, object: &Object) -> Result<(), Response> {
        let is_taken = |unique: &&Unique| {
            let same = |other: &Object| unique.fields.iter().all(|name| other.get(name) == object.get(name));
            let counts = unique.fields.first().is_some_and(|name| object.contains_key(name));
            let mut beside = self.rows_of(&work.collection).filter(|row| row.parent.as_deref() == parent);
            counts && beside.any(|row| same(&row.object))
        };
        match kind.server.unique.iter().find(is_taken) {
            Some(unique) => Err(Response::declared(409, &unique.refusal)),
            None => Ok(()),
        }
    }
}
