//! Operations beside the five of every kind: verify, rotate, set a default, register from a document.
//!
//! Pure; what each does, the declarations say (`server: actions`), and it names no kind. `operations` hands
//! a routed request over.

use serde_json::Value;

use super::exchange::{Moment, Request, Response};
use super::fill;
use super::make;
use super::operations::Work;
use super::store::{Object, Store, children_of, name_of};
use crate::kinds::server::{Action, Answer, Restores};

impl Store {
    /// Carries an action out.
    pub(super) fn act(
        &mut self,
        work: &Work,
        action: &Action,
        handle: Option<&str>,
        request: &Request,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let sent = request.object()?;
        let found = self.acted_on(work, action, handle, &sent)?;
        let number = match found {
            Some(number) => number,
            None if action.creates => {
                let mut object = sent.clone();
                fill::set(&action.set, &mut object, moment);
                self.move_flags(work, action);
                self.made(work, work.above.clone(), &object, moment)?
            }
            None => {
                return self.act_on_nothing(work, action, &sent, moment);
            }
        };
        let mut object = self.row(&work.collection, number).object.clone();
        if let Some(needs) = action.needs.as_ref().filter(|needs| !needs.live.fits(&object)) {
            return Err(Response::declared(needs.status, &needs.refusal));
        }
        if !action.copies.is_empty() {
            return self.copy(work, action, &object, moment);
        }
        if let Some(restores) = &action.restores {
            self.restore_from(work, restores, &sent, &mut object)?;
        }
        fill::set(&action.set, &mut object, moment);
        *self.object_mut(&work.collection, number) = object;
        self.end_exclusive(work, number);
        let shown = self.show(work, number, Answer::Action, moment);
        let answer = match (&action.answer, &shown) {
            (Some(template), Value::Object(object)) => make::of_template(template, object, moment),
            _ => shown,
        };
        let is_write = !action.set.is_empty() || action.creates || action.restores.is_some();
        Ok(Response { is_write, ..Response::read(action.status, answer) })
    }

    /// Makes an object with some fields of another beside it.
    fn copy(
        &mut self,
        work: &Work,
        action: &Action,
        object: &Object,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let fields = object.iter().filter(|(name, _)| action.copies.contains(name));
        let sent = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        let number = self.made(work, work.above.clone(), &sent, moment)?;
        let shown = self.show(work, number, Answer::Create, moment);
        Ok(Response::written(action.status, Some(shown)))
    }

    /// Gives an object fields of the child that the body names.
    fn restore_from(
        &self,
        work: &Work,
        restores: &Restores,
        sent: &Object,
        object: &mut Object,
    ) -> Result<(), Response> {
        let Some(child) = children_of(work.kind).find(|child| child.name == restores.child) else { return Ok(()) };
        let Some(Value::String(handle)) = sent.get(&restores.by) else {
            let message = format!("Payload validation error: 'Missing required property: {}'.", restores.by);
            return Err(Response::invalid_body(&message));
        };
        let parent = work.kind.id.as_deref().and_then(|id| object.get(id)?.as_str());
        let collection = name_of(child, Some(work.kind));
        let found = self.find(&collection, child, parent, handle);
        let found = found.ok_or_else(|| Response::declared(404, &child.server.missing))?;
        let fields = self.row(&collection, found).object.iter().filter(|(name, _)| restores.fields.contains(name));
        object.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
        Ok(())
    }

    /// Moves the flags on among the objects side by side; the object with the last one goes.
    fn move_flags(&mut self, work: &Work, action: &Action) {
        let mut gone = Vec::new();
        for row in self.rows_of_mut(&work.collection).filter(|row| row.parent == work.above) {
            let Some(at) = action.moves.iter().position(|flag| row.object.contains_key(flag)) else { continue };
            let flag = row.object.shift_remove(&action.moves[at]);
            match (action.moves.get(at + 1), flag) {
                (Some(next), Some(flag)) => {
                    row.object.insert(next.clone(), flag);
                }
                _ => gone.push(row.number),
            }
        }
        for number in gone {
            self.remove(&work.collection, number);
        }
    }

    /// Answers an action that found no object.
    fn act_on_nothing(
        &mut self,
        work: &Work,
        action: &Action,
        sent: &Object,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let named = action.by.as_ref().and_then(|field| sent.get(field)?.as_str());
        if let (Some(named), Some(tenant)) = (named, &action.tenant)
            && make::text_of(tenant, sent, moment) == named
        {
            self.end_flags(work, |field| action.set.contains_key(field), None);
            return Ok(Response { is_write: true, ..Response::read(action.status, Value::Object(sent.clone())) });
        }
        if let Some(otherwise) = &action.otherwise {
            return Ok(Response::read(action.status, make::of_template(otherwise, sent, moment)));
        }
        Err(action.needs.as_ref().map_or_else(
            || Response::declared(404, &work.kind.server.missing),
            |needs| Response::declared(needs.status, &needs.refusal),
        ))
    }

    /// Finds the object that an action is about.
    fn acted_on(
        &self,
        work: &Work,
        action: &Action,
        handle: Option<&str>,
        sent: &Object,
    ) -> Result<Option<u64>, Response> {
        if handle.is_some() {
            return self.wanted(work, handle).map(Some);
        }
        if !action.moves.is_empty() {
            return Ok(None);
        }
        let mut rows = self.rows_of(&work.collection);
        let Some(field) = &action.by else {
            return Ok(rows.find(|row| action.find.fits(&row.object)).map(|row| row.number));
        };
        if let Some(name) = sent.keys().find(|name| *name != field) {
            let message = format!("Payload validation error: 'Additional properties not allowed: {name}'.");
            return Err(Response::invalid_body(&message));
        }
        let Some(Value::String(wanted)) = sent.get(field) else {
            let message = format!("Payload validation error: 'Missing required property: {field}'.");
            return Err(Response::invalid_body(&message));
        };
        Ok(rows.find(|row| row.object.get(field).is_some_and(|value| *value == **wanted)).map(|row| row.number))
    }
}
