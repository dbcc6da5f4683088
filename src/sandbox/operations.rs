//! What each operation of the API does with the tenant's objects.
//!
//! Pure: `handle` takes a routed request, the clock and randomness, and answers. It reads
//! declarations and names no kind. Operations beside the five of every kind are in `actions`; tokens
//! are `oauth`'s business, sockets and files `http`'s and `state`'s.

use serde_json::{Value, json};

use super::body::{self, Write};
use super::exchange::{Moment, Request, Response};
use super::fill::{self, Source};
use super::router::{Operation, Route};
use super::store::{Object, Store, name_of};
use super::write::{broken, drop_nulls, forbidden, is_cleared, may_write, merge, on_the_wire};
use super::{children, list, view};
use crate::kinds::kind::{Kind, List, Type};
use crate::kinds::server::Answer;

/// Carries a routed request out.
pub fn handle(store: &mut Store, request: &Request, route: &Route, moment: &mut Moment) -> Response {
    let work = Work { kind: route.kind, parent: route.parent, collection: name_of(route.kind, route.parent) };
    let mut variables = route.variables.clone();
    let parent = if let Some(kind) = route.parent.filter(|_| !variables.is_empty()) {
        match store.find(&kind.name, kind, &variables.remove(0)) {
            Some(number) => Some(store.handle_at(&kind.name, kind, number)),
            None => return Response::declared(404, &kind.server.missing),
        }
    } else {
        None
    };
    let own = variables.pop();
    if let (Some(parent), Some(own)) = (&parent, &own) {
        let number = store.find(&work.collection, work.kind, own);
        if number.is_some_and(|number| store.row(&work.collection, number).parent.as_ref() != Some(parent)) {
            return Response::declared(404, &work.kind.server.missing);
        }
    }
    let done = match route.operation {
        Operation::List(list) => store.list(&work, list, parent.as_deref(), request, moment),
        Operation::Get => store.get(&work, own.as_deref(), request, moment),
        Operation::Create => {
            request.object().and_then(|sent| store.create(&work, parent, sent, moment)).map(|number| {
                let status = route.kind.server.answers.create.status.unwrap_or(201);
                Response::written(status, Some(store.show(&work, number, Answer::Create, moment)))
            })
        }
        Operation::Update => request.object().and_then(|sent| store.update(&work, own.as_deref(), sent, moment)),
        Operation::Delete => store.delete(&work, own.as_deref(), parent.as_deref()),
        Operation::Action(action) => store.act(&work, action, own.as_deref(), request, moment),
    };
    done.unwrap_or_else(|refusal| refusal)
}

/// What an operation is about.
pub(super) struct Work<'r> {
    pub(super) kind: &'r Kind,
    pub(super) parent: Option<&'r Kind>,
    pub(super) collection: String,
}

impl Store {
    /// Makes an object as a create of this body does.
    ///
    /// # Errors
    /// Gives the refusal that a create would get.
    pub fn make(&mut self, kind: &Kind, body: Object, moment: &mut Moment) -> Result<Object, Response> {
        let work = Work { kind, parent: None, collection: kind.name.clone() };
        let number = self.create(&work, None, body, moment)?;
        Ok(self.row(&kind.name, number).object.clone())
    }

    pub(super) fn wanted(&self, work: &Work, handle: Option<&str>) -> Result<u64, Response> {
        let found = match handle {
            Some(handle) => self.find(&work.collection, work.kind, handle),
            None => self.rows_of(&work.collection).next().map(|row| row.number),
        };
        found.ok_or_else(|| Response::declared(404, &work.kind.server.missing))
    }

    pub(super) fn show(&self, work: &Work, number: u64, answer: Answer, moment: &Moment) -> Value {
        view::shown(self, work.kind, &self.row(&work.collection, number).object, answer, moment)
    }

    fn get(&self, work: &Work, handle: Option<&str>, request: &Request, moment: &Moment) -> Result<Response, Response> {
        let number = self.wanted(work, handle)?;
        Ok(Response::read(200, view::picked(self.show(work, number, Answer::Get, moment), request)))
    }

    fn list(
        &self,
        work: &Work,
        list: &List,
        parent: Option<&str>,
        request: &Request,
        moment: &Moment,
    ) -> Result<Response, Response> {
        let rows = self.rows_of(&work.collection);
        let rows = rows.filter(|row| row.parent.as_deref() == parent).map(|row| (row.number, &row.object)).collect();
        let rows = list::matching(work.kind, rows, request);
        let show = |object: &Object| view::picked(view::shown(self, work.kind, object, Answer::List, moment), request);
        Ok(Response::read(200, list::page(list, &rows, request, show)?))
    }

    pub(super) fn create(
        &mut self,
        work: &Work,
        parent: Option<String>,
        mut sent: Object,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
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
        if let Some(message) = kind.rules.iter().find_map(|rule| broken(rule, &sent, &everything)) {
            return Err(Response::invalid_body(&message));
        }
        self.check_references(kind, &sent)?;
        self.made(work, parent, &sent, moment)
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
        let domain = self.domain().to_owned();
        let mut object = sent.clone();
        drop_nulls(&mut object);
        for becomes in &kind.server.becomes {
            let wanted = fill::text_of(&becomes.equals, sent, &mut Source { domain: &domain, moment });
            if object.get(&becomes.field).is_some_and(|value| *value == *wanted) {
                object.extend(becomes.set.clone());
            }
        }
        fill::fill_in(&kind.fields, kind.id.as_deref(), &mut object, sent, &mut Source { domain: &domain, moment });
        if let Some(message) = forbidden(kind, &object) {
            return Err(Response::invalid_body(&message));
        }
        for unique in &kind.server.unique {
            let same = |other: &Object| unique.fields.iter().all(|name| other.get(name) == object.get(name));
            let counts = unique.fields.first().is_some_and(|name| object.contains_key(name));
            if counts && self.objects(&work.collection).any(same) {
                return Err(Response::declared(409, &unique.refusal));
            }
        }
        let handle = kind.id.as_ref().and_then(|id| object.get(id)?.as_str().map(str::to_owned)).unwrap_or_default();
        if let Err(refusal) = children::take(self, kind, &handle, &mut object, moment) {
            self.remove_dependants(kind, &handle, &object);
            return Err(refusal);
        }
        let number = self.insert(&work.collection, parent, object);
        self.end_exclusive(work, number);
        Ok(number)
    }

    fn update(
        &mut self,
        work: &Work,
        handle: Option<&str>,
        mut sent: Object,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let number = self.wanted(work, handle)?;
        let kind = work.kind.of(&self.row(&work.collection, number).object);
        may_write(kind, &sent, moment)?;
        on_the_wire(kind, &mut sent);
        let live = &self.row(&work.collection, number).object;
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
        if let Some(message) = kind.rules.iter().find_map(|rule| broken(rule, &object, &is_touched)) {
            return Err(Response::invalid_body(&message));
        }
        if let Some(message) = forbidden(kind, &object) {
            return Err(Response::invalid_body(&message));
        }
        let handle = self.handle_at(&work.collection, kind, number);
        children::take(self, kind, &handle, &mut object, moment)?;
        let domain = self.domain().to_owned();
        let mut source = Source { domain: &domain, moment };
        for field in &kind.fields {
            // An object that was not there is filled in as by a create (recorded: session_transfer).
            if let (Some(Value::Object(inner)), None) = (object.get_mut(&field.name), was.get(&field.name)) {
                fill::fill_in(&field.fields, None, inner, &sent, &mut source);
            }
        }
        fill::fill_in_read_only(&kind.fields, &mut object, &sent, &mut source);
        for field in kind.fields.iter().filter(|field| field.server.renewed) {
            let mut source = Source { domain: &domain, moment };
            if let (Some(Value::Object(inner)), Type::Object) = (object.get_mut(&field.name), field.holds) {
                fill::fill_in(&field.fields, None, inner, &sent, &mut source);
            } else if let Some(value) = fill::value(&field.server.fills, &sent, &object, &mut source) {
                object.insert(field.name.clone(), value);
            }
        }
        *self.object_mut(&work.collection, number) = object;
        self.end_exclusive(work, number);
        Ok(Response::written(
            kind.server.answers.update.status.unwrap_or(200),
            Some(self.show(work, number, Answer::Update, moment)),
        ))
    }

    fn delete(&mut self, work: &Work, handle: Option<&str>, parent: Option<&str>) -> Result<Response, Response> {
        let answer = &work.kind.server.answers.delete;
        let status = answer.status.unwrap_or(204);
        // What is gone already is deleted: the published description has no 404 for these deletes, but for reads and
        // for the deletes of other kinds (operations.json of the API facts).
        let Ok(number) = self.wanted(work, handle) else {
            if answer.missing {
                return Err(Response::declared(404, &work.kind.server.missing));
            }
            return Ok(Response { is_write: false, ..Response::written(status, None) });
        };
        let object = &self.row(&work.collection, number).object;
        let mut protected = work.kind.server.protected.iter().filter(|protected| protected.when.fits(object));
        if let Some(refusal) = protected.find_map(|protected| protected.delete.as_ref()) {
            return Err(Response::declared(400, refusal));
        }
        let handle = self.handle_at(&work.collection, work.kind, number);
        if let (Some(above), Some(parent), Some(refusal)) = (work.parent, parent, &work.kind.server.held) {
            let above = self.find(&above.name, above, parent).map(|number| self.row(&above.name, number));
            if above.is_some_and(|row| row.object.values().any(|value| mentions(value, &handle))) {
                return Err(Response::declared(400, refusal));
            }
        }
        let object = object.clone();
        self.remove(&work.collection, number);
        if work.parent.is_none() {
            self.remove_dependants(work.kind, &handle, &object);
        }
        Ok(Response::written(status, None))
    }

    /// Ends the flags that an object has and only one may have in all others.
    pub(super) fn end_exclusive(&mut self, work: &Work, number: u64) {
        let object = self.row(&work.collection, number).object.clone();
        self.end_flags(work, |name| object.get(name) == Some(&json!(true)), Some(number));
    }

    /// Ends exclusive flags in all objects but one.
    pub(super) fn end_flags(&mut self, work: &Work, is_ended: impl Fn(&str) -> bool, but: Option<u64>) {
        for field in work.kind.fields.iter().filter(|field| field.exclusive && is_ended(&field.name)) {
            for row in self.rows_of_mut(&work.collection).filter(|row| Some(row.number) != but) {
                if let Some(value) = row.object.get_mut(&field.name) {
                    *value = json!(false);
                }
            }
        }
    }

    fn check_references(&self, kind: &Kind, sent: &Object) -> Result<(), Response> {
        for field in kind.fields.iter().filter(|field| field.server.exists) {
            let (Some(reference), Some(value)) = (&field.reference, sent.get(&field.name)) else { continue };
            let Some(target) = self.registry().get(&reference.kind) else { continue };
            let name = reference.path.first().map(String::as_str).or(target.id.as_deref()).unwrap_or_default();
            if !self.objects(&target.name).any(|object| object.get(name) == Some(value)) {
                return Err(Response::declared(404, &target.server.missing));
            }
        }
        Ok(())
    }
}

fn mentions(value: &Value, handle: &str) -> bool {
    match value {
        Value::String(text) => text == handle,
        Value::Array(items) => items.iter().any(|item| mentions(item, handle)),
        Value::Object(members) => members.values().any(|member| mentions(member, handle)),
        _ => false,
    }
}
