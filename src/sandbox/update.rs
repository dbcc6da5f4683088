//! How objects are changed: by an update, which says what is different, or replaced whole.
//!
//! Pure; it reads declarations and names no kind. Elements of fields and children are changed here too.

use serde_json::Value;

use super::body::{self, Write};
use super::exchange::{Moment, Response};
use super::operations::Work;
use super::store::{Object, Store};
use super::write::{broken, drop_nulls, forbidden, may_write, merge, on_the_wire, refused};
use super::{children, fill, inline};

impl Store {
    /// Changes an object as an update of this body does.
    pub(super) fn update_row(
        &mut self,
        work: &Work,
        number: u64,
        mut sent: Object,
        moment: &mut Moment,
    ) -> Result<(), Response> {
        let live = &self.row(&work.collection, number).object;
        // What decides which fields there are can change too.
        let decides = work.kind.variants.as_ref().is_some_and(|variants| sent.contains_key(&variants.by));
        let kind = work.kind.of(if decides { &sent } else { live });
        may_write(kind, &sent, moment)?;
        on_the_wire(kind, &mut sent);
        for protected in kind.server.protected.iter().filter(|protected| protected.when.fits(live)) {
            let is_refused = sent.keys().any(|name| !protected.except.contains(name));
            if let (Some(refusal), true) = (&protected.update, is_refused) {
                return Err(Response::declared(400, refusal));
            }
        }
        if let Some(message) = body::problem(kind, &sent, Write::Update(live)) {
            return Err(Response::invalid_body(&message));
        }
        let was = live.clone();
        let mut object = live.clone();
        merge(kind, &mut object, &sent);
        let is_touched = |name: &str| sent.contains_key(name);
        refused(kind, &object, Some(&was), &is_touched)?;
        if let Some(message) = kind.rules.iter().find_map(|rule| broken(rule, &object, &is_touched)) {
            return Err(Response::invalid_body(&message));
        }
        if let Some(message) = forbidden(kind, &object) {
            return Err(Response::invalid_body(&message));
        }
        let handle = self.handle_at(&work.collection, kind, number);
        children::take(self, kind, &handle, &mut object, moment)?;
        fill::fill_in_updated(kind, &mut object, &was, &sent, moment);
        let mut elements = inline::taken_out(kind, &mut object);
        let cleared =
            kind.fields.iter().filter(|field| field.is_inline() && sent.get(&field.name) == Some(&Value::Null));
        elements.extend(cleared.map(|field| (field, Vec::new())));
        *self.object_mut(&work.collection, number) = object;
        self.put_inline(kind, &handle, elements, moment)?;
        self.end_exclusive(work, number);
        Ok(())
    }

    /// Puts what was sent in the place of an object, but for what the API sets.
    pub(super) fn replace_row(
        &mut self,
        work: &Work,
        number: u64,
        sent: Object,
        moment: &mut Moment,
    ) -> Result<(), Response> {
        let live = self.row(&work.collection, number).object.clone();
        let kind = work.kind.of(&live);
        let sent = self.checked(work, sent, moment)?;
        let mut object = sent.clone();
        drop_nulls(kind, &mut object);
        let kept = kind.fields.iter().filter(|field| field.read_only || kind.id.as_deref() == Some(&field.name));
        object.extend(kept.filter_map(|field| Some((field.name.clone(), live.get(&field.name)?.clone()))));
        fill::fill_in(&kind.fields, None, &mut object, &sent, moment);
        if let Some(message) = forbidden(kind, &object) {
            return Err(Response::invalid_body(&message));
        }
        *self.object_mut(&work.collection, number) = object;
        Ok(())
    }
}
