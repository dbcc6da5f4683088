//! What each operation of the API does with the tenant's objects.
//!
//! Pure: `handle` takes a routed request, the clock and randomness, and answers. It reads
//! declarations and names no kind. How objects are made and changed is in `create` and `update`, operations
//! beside the five of every kind in `actions`; tokens are `oauth`'s business, sockets and files `http`'s and
//! `state`'s.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::exchange::{Moment, Request, Response};
use super::make;
use super::router::{Operation, Route};
use super::store::{Object, Row, Store, name_of, place};
use super::{list, parts, view};
use crate::kinds::kind::{Condition, Kind, List, Method};
use crate::kinds::server::{Answer, Refusal, Reply};

/// Carries a routed request out.
pub fn handle(store: &mut Store, request: &Request, route: &Route, moment: &mut Moment) -> Response {
    let mut variables = route.variables.clone();
    let line = || route.above.into_iter().chain(route.parent);
    let refused = |(kind, name): (&Kind, &String)| unknown_name(kind, name).or_else(|| malformed(kind, name));
    if let Some(refusal) = line().chain([route.kind]).zip(&variables).find_map(refused) {
        return refusal;
    }
    let (mut collection, mut above): (Option<String>, Option<String>) = (None, None);
    for kind in line() {
        let name = collection.map_or_else(|| name_of(kind, None), |above| format!("{above}/{}", kind.name));
        if !kind.singleton && !variables.is_empty() {
            let handle = variables.remove(0);
            let Some(number) = store.find(&name, kind, above.as_deref(), &handle) else {
                return missing(kind, &handle);
            };
            above = Some(place(above.as_deref(), &store.handle_at(&name, kind, number)));
        }
        collection = Some(name);
    }
    let collection =
        collection.map_or_else(|| name_of(route.kind, None), |above| format!("{above}/{}", route.kind.name));
    let work = Work { kind: route.kind, parent: route.parent, collection, above };
    // What has several keys stands under all of them.
    let own = (!variables.is_empty()).then(|| variables.join("/"));
    let own = own.as_deref();
    let answers = &work.kind.server.answers;
    if request.method == Method::Get {
        store.settle(moment);
    }
    let done = match route.operation {
        Operation::List(list, only) => store.list(&work, list, only, request, moment),
        Operation::Get => store.get(&work, own, request, moment).or_else(|refusal| parts::unset(&work).ok_or(refusal)),
        Operation::Create => parts::sent(work.kind, request).and_then(|mut sent| {
            if let (Some(name), Some(id)) = (own, work.kind.id.as_deref()) {
                if let Ok(number) = store.wanted(&work, own) {
                    store.update_row(&work, number, sent, moment)?;
                    return Ok(Response::written(200, Some(store.show(&work, number, Answer::Update, moment))));
                }
                sent.insert(id.to_owned(), json!(name));
            }
            let number = store.create(&work, work.above.clone(), sent, moment)?;
            Ok(replied(&answers.create, 201, Some(store.show(&work, number, Answer::Create, moment))))
        }),
        Operation::Update => parts::sent(work.kind, request).and_then(|mut sent| {
            let number = store.wanted(&work, own)?;
            if work.kind.update.as_ref().is_some_and(|update| update.replaces) {
                let keys = work.kind.keys.iter().zip(own);
                sent.extend(keys.flat_map(|(keys, name)| keys.members(name)));
                store.replace_row(&work, number, sent, moment)?;
                return Ok(Response::written(200, Some(store.show(&work, number, Answer::Update, moment))));
            }
            store.update_row(&work, number, sent, moment)?;
            Ok(Response::written(200, Some(store.show(&work, number, Answer::Update, moment))))
        }),
        Operation::Replace => parts::sent(work.kind, request).and_then(|sent| {
            let number = match store.wanted(&work, own) {
                Err(_) if work.kind.server.is_unit => {
                    let number = store.put_unit(&work, own, sent, moment)?;
                    let shown = store.show(&work, number, Answer::Update, moment);
                    return Ok(replied(&answers.create, 200, Some(shown)));
                }
                found => found?,
            };
            store.replace_row(&work, number, sent, moment)?;
            Ok(replied(&answers.replace, 200, Some(store.show(&work, number, Answer::Update, moment))))
        }),
        Operation::Delete => store.delete(&work, own, request, moment),
        Operation::Action(action) => store.act(&work, action, own, request, moment),
        Operation::Elements(field) => store.write_elements(&work, field, request, moment),
    };
    let done = done.map(|response| parts::answered(work.kind, response));
    done.unwrap_or_else(|refusal| {
        store.settle(moment);
        refusal
    })
}

/// Answers a write as declared, or as most are answered.
pub(super) fn replied(reply: &Reply, status: u16, body: Option<Value>) -> Response {
    let status = reply.status.unwrap_or(status);
    Response::written(status, reply.body.clone().or(body).filter(|_| status != 204))
}

/// Refuses a name that no object of a kind with fixed names has. Not recorded: the shape is that of the API's
/// refusals of other paths.
fn unknown_name(kind: &Kind, name: &str) -> Option<Response> {
    // Where a name has parts, they stand in fixed paths.
    kind.id.as_ref()?;
    let keys = kind.keys.as_ref().filter(|keys| !keys.values.iter().any(|value| value == name))?;
    let message = format!("Path validation error: 'No enum match for: {name}' on property {}.", keys.field);
    Some(Response::refused(400, "Bad Request", Some("invalid_uri"), &message))
}

/// Refuses a handle that no object has.
fn missing(kind: &Kind, handle: &str) -> Response {
    Response::declared(404, &with_handle(&kind.server.missing, handle))
}

/// Refuses a handle that has not the form of those that the API makes, where it looks at that first.
fn malformed(kind: &Kind, handle: &str) -> Option<Response> {
    let refusal = kind.server.malformed.as_ref()?;
    let mut forms =
        kind.fields.get(kind.id.as_deref()?)?.server.fills.iter().filter_map(|fill| fill.make.as_ref()?.as_str());
    (!forms.any(|form| make::has_form(form, handle))).then(|| Response::declared(400, &with_handle(refusal, handle)))
}

fn with_handle(refusal: &Refusal, handle: &str) -> Refusal {
    Refusal { message: refusal.message.replace("{id}", handle), ..refusal.clone() }
}

/// What an operation is about.
pub(super) struct Work<'r> {
    pub(super) kind: &'r Kind,
    pub(super) parent: Option<&'r Kind>,
    pub(super) collection: String,
    /// The handle of the object below which it lives.
    pub(super) above: Option<String>,
}

impl<'r> Work<'r> {
    /// Says what is to be done with objects of a kind, below one of another kind.
    pub(super) fn new(kind: &'r Kind, parent: Option<&'r Kind>, above: Option<String>) -> Self {
        Self { kind, parent, collection: name_of(kind, parent), above }
    }
}

impl Store {
    /// Finds the object that is meant: by its handle, or the only one that there is.
    pub(super) fn wanted(&self, work: &Work, handle: Option<&str>) -> Result<u64, Response> {
        let found = match handle {
            Some(handle) => self.find(&work.collection, work.kind, work.above.as_deref(), handle),
            None => self.rows_of(&work.collection).find(|row| row.parent == work.above).map(|row| row.number),
        };
        found.ok_or_else(|| missing(work.kind, handle.unwrap_or_default()))
    }

    /// Shows an object as an answer has it.
    pub(super) fn show(&self, work: &Work, number: u64, answer: Answer, moment: &Moment) -> Value {
        view::shown(self, work.kind, &self.row(&work.collection, number).object, answer, moment)
    }

    fn get(&self, work: &Work, handle: Option<&str>, request: &Request, moment: &Moment) -> Result<Response, Response> {
        let number = self.wanted(work, handle)?;
        Ok(Response::read(200, view::picked(work.kind, self.show(work, number, Answer::Get, moment), request)))
    }

    fn list(
        &self,
        work: &Work,
        list: &List,
        only: &Condition,
        request: &Request,
        moment: &Moment,
    ) -> Result<Response, Response> {
        let holders = work.kind.server.holders.as_ref().zip(work.parent).zip(work.above.as_deref());
        let (kind, rows) = if let Some(((holders, below), parent)) = holders {
            self.holders(holders, below, parent).unwrap_or((work.kind, Vec::new()))
        } else {
            // A list of children whose path names no parent has those of all.
            let is_of_all = work.parent.is_some() && work.above.is_none();
            let rows = self.rows_of(&work.collection).filter(|row| is_of_all || row.parent == work.above);
            (work.kind, rows.map(|row| (row.number, &row.object)).collect())
        };
        let rows = rows.into_iter().filter(|(_, object)| only.fits(object));
        let rows: Vec<(u64, Cow<Object>)> = if kind.fields.iter().any(|field| field.server.joined.is_some()) {
            rows.map(|(number, object)| (number, Cow::Owned(self.with_joined(kind, object)))).collect()
        } else {
            rows.map(|(number, object)| (number, Cow::Borrowed(object))).collect()
        };
        let rows = rows.iter().map(|(number, object)| (*number, &**object)).collect();
        let rows = list::matching(kind, rows, request);
        let show = |object: &Object| {
            let shown = view::shown(self, kind, object, Answer::List, moment);
            view::picked(kind, naming(work, shown), request)
        };
        Ok(Response::read(200, list::page(list, &work.kind.server, &rows, request, show)?))
    }

    fn delete(
        &mut self,
        work: &Work,
        handle: Option<&str>,
        request: &Request,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        // What is gone already is deleted: the published description has no 404 for most deletes (operations.json of
        // the API facts); where it has one, `answers` say so.
        let answer = &work.kind.server.answers.delete;
        let number = match self.wanted(work, handle) {
            Ok(number) => number,
            Err(refusal) if answer.missing => return Err(refusal),
            Err(_) => return Ok(Response { is_write: false, ..Response::written(204, None) }),
        };
        let object = &self.row(&work.collection, number).object;
        let mut protected = work.kind.server.protected.iter().filter(|protected| protected.when.fits(object));
        if let Some(refusal) = protected.find_map(|protected| protected.delete.as_ref()) {
            return Err(Response::declared(400, refusal));
        }
        let handle = self.handle_at(&work.collection, work.kind, number);
        self.check_unused(work.kind, &handle, request)?;
        let object = self.row(&work.collection, number).object.clone();
        self.remove(&work.collection, number);
        if work.parent.is_none() {
            self.remove_dependants(work.kind, &handle, &object);
        }
        let make = |body| make::of_template(body, &object, moment);
        Ok(replied(&Reply { body: answer.body.as_ref().map(make), ..answer.clone() }, 204, None))
    }

    /// Ends the flags that an object has and only one may have in all others.
    pub(super) fn end_exclusive(&mut self, work: &Work, number: u64) {
        let object = self.row(&work.collection, number).object.clone();
        self.end_flags(work, |name| object.get(name) == Some(&json!(true)), Some(number));
    }

    /// Ends exclusive flags in all objects but one.
    pub(super) fn end_flags(&mut self, work: &Work, is_ended: impl Fn(&str) -> bool, but: Option<u64>) {
        let parent = but.and_then(|number| self.row(&work.collection, number).parent.clone());
        for field in work.kind.fields.iter().filter(|field| field.exclusive && is_ended(&field.name)) {
            let is_beside = |row: &&mut Row| Some(row.number) != but && (but.is_none() || row.parent == parent);
            for row in self.rows_of_mut(&work.collection).filter(is_beside) {
                if let Some(value) = row.object.get_mut(&field.name) {
                    *value = json!(false);
                }
            }
        }
    }
}

/// Gives what a list shows of an object that names another one, if that is declared.
fn naming(work: &Work, shown: Value) -> Value {
    let Some((holders, shape)) = work.kind.server.holders.as_ref().and_then(|it| Some((it, it.shape.as_ref()?))) else {
        return shown;
    };
    let (Value::Object(mut object), Some(handle)) = (shown, work.above.as_deref()) else { return Value::Null };
    let elements = object.get(&holders.field).and_then(Value::as_array);
    let naming = elements.and_then(|elements| elements.iter().find(|element| mentions(element, handle)).cloned());
    object.extend(naming.as_ref().and_then(Value::as_object).cloned().unwrap_or_default());
    make::shaped(shape, &object).unwrap_or_default()
}

/// Tells whether a value has a handle in it, at any depth.
pub(super) fn mentions(value: &Value, handle: &str) -> bool {
    match value {
        Value::String(text) => text == handle,
        Value::Array(items) => items.iter().any(|item| mentions(item, handle)),
        Value::Object(members) => members.values().any(|member| mentions(member, handle)),
        _ => false,
    }
}
