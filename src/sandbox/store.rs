//! The tenant's objects, and what each operation of the API does with them.
//!
//! Pure: `handle` takes a routed request, the clock and randomness, and answers. It reads
//! declarations and names no kind; tokens are `oauth`'s business, files and sockets `http`'s and
//! `state`'s. Children are kept like kinds, under `parent/child`, each row with its parent's handle.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::body::{self, Write};
use super::exchange::{Moment, Request, Response};
use super::fill::{self, Source};
use super::router::{Operation, Route, decode};
use super::{list, view};
use crate::kinds::Registry;
use crate::kinds::kind::{Kind, List, Rule};
use crate::kinds::server::{Action, Answer};

type Object = Map<String, Value>;

/// One object with its place.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    /// Its number: the order in which objects were made.
    pub number: u64,
    /// The handle of the object below which it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The object, whole.
    pub object: Object,
}

impl std::fmt::Debug for Row {
    /// Objects hold secrets, so none is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("number", &self.number).finish_non_exhaustive()
    }
}

/// All objects of one kind.
#[derive(Debug, Clone, Default)]
struct Collection {
    rows: BTreeMap<u64, Row>,
    by_handle: HashMap<String, u64>,
}

/// The tenant's objects.
#[derive(Debug, Clone)]
pub struct Store {
    registry: &'static Registry,
    domain: String,
    collections: BTreeMap<String, Collection>,
    last: u64,
}

/// Names the collection of a kind.
fn name_of(kind: &Kind, parent: Option<&Kind>) -> String {
    parent.map_or_else(|| kind.name.clone(), |parent| format!("{}/{}", parent.name, kind.name))
}

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
        Operation::Create => request
            .object()
            .and_then(|sent| store.create(&work, parent, sent, moment))
            .map(|number| Response::written(201, Some(store.show(&work, number, Answer::Create, moment)))),
        Operation::Update => request.object().and_then(|sent| store.update(&work, own.as_deref(), sent, moment)),
        Operation::Delete => store.delete(&work, own.as_deref(), parent.as_deref()),
        Operation::Action(action) => store.act(&work, action, own.as_deref(), request, moment),
    };
    done.unwrap_or_else(|refusal| refusal)
}

/// What an operation is about.
struct Work<'r> {
    kind: &'r Kind,
    parent: Option<&'r Kind>,
    collection: String,
}

impl Store {
    /// Makes a store without objects.
    #[must_use]
    pub fn new(registry: &'static Registry, domain: &str) -> Self {
        Self { registry, domain: domain.to_owned(), collections: BTreeMap::new(), last: 0 }
    }

    /// Gives the tenant's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Gives the declarations.
    #[must_use]
    pub fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// Goes through the objects of a kind in the order in which they were made.
    pub fn objects(&self, collection: &str) -> impl Iterator<Item = &Object> {
        self.collections.get(collection).into_iter().flat_map(|rows| rows.rows.values()).map(|row| &row.object)
    }

    /// Goes through all rows by collection, to keep them.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<&str, Vec<&Row>> {
        self.collections.iter().map(|(name, rows)| (name.as_str(), rows.rows.values().collect())).collect()
    }

    /// Takes kept rows back.
    pub fn restore(&mut self, rows: BTreeMap<String, Vec<Row>>) {
        for (name, rows) in rows {
            for row in rows {
                self.last = self.last.max(row.number);
                self.put(&name, row);
            }
        }
    }

    /// Moves the tenant to another domain: addresses of the old one in all objects become those of the
    /// new one, as the identifiers of system APIs and the audiences of their grants.
    pub fn move_to(&mut self, domain: &str) {
        let (old, new) = (format!("https://{}/", self.domain), format!("https://{domain}/"));
        domain.clone_into(&mut self.domain);
        for row in self.collections.values_mut().flat_map(|rows| rows.rows.values_mut()) {
            for value in row.object.values_mut() {
                readdress(value, &old, &new);
            }
        }
    }

    /// Finds the handle of the first object of a kind in which a field has a value.
    #[must_use]
    pub fn handle_of(&self, kind: &str, field: &str, value: &Value) -> Option<String> {
        let kind = self.registry.get(kind)?;
        let object = self.objects(&kind.name).find(|object| object.get(field) == Some(value))?;
        object.get(kind.id.as_deref()?)?.as_str().map(str::to_owned)
    }

    /// Adds an object as it is, with a handle.
    pub fn plant(&mut self, kind: &Kind, mut object: Object, moment: &mut Moment) {
        if let Some(field) = kind.id.as_deref().and_then(|id| kind.fields.get(id)) {
            let mut source = Source { domain: &self.domain, moment };
            if let Some(handle) = fill::value(&field.server.fills, &object, &object, &mut source) {
                object.insert(field.name.clone(), handle);
            }
        }
        self.insert(&kind.name, None, object);
    }

    /// Makes an object as a create of this body does.
    ///
    /// # Errors
    /// Gives the refusal that a create would get.
    pub fn make(&mut self, kind: &Kind, body: Object, moment: &mut Moment) -> Result<Object, Response> {
        let work = Work { kind, parent: None, collection: kind.name.clone() };
        let number = self.create(&work, None, body, moment)?;
        Ok(self.row(&kind.name, number).object.clone())
    }

    fn put(&mut self, collection: &str, row: Row) {
        let handle = self.handle_field(collection).and_then(|id| row.object.get(id)?.as_str().map(str::to_owned));
        let rows = self.collections.entry(collection.to_owned()).or_default();
        if let Some(handle) = handle {
            rows.by_handle.insert(handle, row.number);
        }
        rows.rows.insert(row.number, row);
    }

    fn handle_field(&self, collection: &str) -> Option<&'static str> {
        let mut names = collection.split('/');
        let kind = self.registry.get(names.next()?)?;
        let kind = match names.next() {
            None => kind,
            Some(child) => kind.server.children.iter().find(|kind| kind.name == child)?,
        };
        kind.id.as_deref()
    }

    fn insert(&mut self, collection: &str, parent: Option<String>, object: Object) -> u64 {
        self.last += 1;
        let number = self.last;
        self.put(collection, Row { number, parent, object });
        number
    }

    fn row(&self, collection: &str, number: u64) -> &Row {
        // Numbers come from `find` or `insert` under the same lock.
        self.collections.get(collection).and_then(|rows| rows.rows.get(&number)).expect("the row was just found")
    }

    fn object_mut(&mut self, collection: &str, number: u64) -> &mut Object {
        let rows = self.collections.get_mut(collection).and_then(|rows| rows.rows.get_mut(&number));
        &mut rows.expect("the row was just found").object
    }

    fn handle_at(&self, collection: &str, kind: &Kind, number: u64) -> String {
        let handle = kind.id.as_deref().and_then(|id| self.row(collection, number).object.get(id));
        handle.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Finds an object by handle, or by the field that may stand for it; some clients encode that
    /// twice (recorded for identifiers of APIs).
    fn find(&self, collection: &str, kind: &Kind, handle: &str) -> Option<u64> {
        let rows = self.collections.get(collection)?;
        if let Some(number) = rows.by_handle.get(handle) {
            return Some(*number);
        }
        let field = kind.server.also_by.as_deref()?;
        let twice = decode(handle);
        let fits = |row: &&Row| row.object.get(field).is_some_and(|value| *value == *handle || *value == *twice);
        rows.rows.values().find(fits).map(|row| row.number)
    }

    fn wanted(&self, work: &Work, handle: Option<&str>) -> Result<u64, Response> {
        let rows = self.collections.get(&work.collection);
        let found = match handle {
            Some(handle) => self.find(&work.collection, work.kind, handle),
            None => rows.and_then(|rows| rows.rows.keys().next().copied()),
        };
        found.ok_or_else(|| Response::declared(404, &work.kind.server.missing))
    }

    fn show(&self, work: &Work, number: u64, answer: Answer, moment: &Moment) -> Value {
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
        let rows = self.collections.get(&work.collection).into_iter().flat_map(|rows| rows.rows.values());
        let rows = rows.filter(|row| row.parent.as_deref() == parent).map(|row| (row.number, &row.object)).collect();
        let rows = list::matching(work.kind, rows, request);
        let show = |object: &Object| view::picked(view::shown(self, work.kind, object, Answer::List, moment), request);
        Ok(Response::read(200, list::page(list, &rows, request, show)?))
    }

    fn create(
        &mut self,
        work: &Work,
        parent: Option<String>,
        mut sent: Object,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
        let kind = work.kind;
        may_write(kind, &sent, moment)?;
        on_the_wire(kind, &mut sent);
        if let Some(message) = body::problem(kind, &sent, Write::Create) {
            return Err(Response::invalid_body(&message));
        }
        sent.retain(|_, value| !value.is_null());
        let everything = |_: &str| true;
        if let Some(message) = kind.rules.iter().find_map(|rule| broken(rule, &sent, &everything)) {
            return Err(Response::invalid_body(&message));
        }
        self.check_references(kind, &sent)?;
        self.made(work, parent, &sent, moment)
    }

    /// Makes an object of what was sent, which is known to be valid.
    fn made(
        &mut self,
        work: &Work,
        parent: Option<String>,
        sent: &Object,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
        let kind = work.kind;
        let domain = self.domain.clone();
        let mut object = sent.clone();
        drop_nulls(&mut object);
        for becomes in &kind.server.becomes {
            let wanted = fill::text_of(&becomes.equals, sent, &mut Source { domain: &domain, moment });
            if object.get(&becomes.field).is_some_and(|value| *value == *wanted) {
                object.extend(becomes.set.clone());
            }
        }
        fill::fill_in(&kind.fields, kind.id.as_deref(), &mut object, sent, &mut Source { domain: &domain, moment });
        for unique in &kind.server.unique {
            let same = |other: &Object| unique.fields.iter().all(|name| other.get(name) == object.get(name));
            let counts = unique.fields.first().is_some_and(|name| object.contains_key(name));
            if counts && self.objects(&work.collection).any(same) {
                return Err(Response::declared(409, &unique.refusal));
            }
        }
        let handle = kind.id.as_ref().and_then(|id| object.get(id)?.as_str().map(str::to_owned)).unwrap_or_default();
        if let Err(refusal) = self.take_children(kind, &handle, &mut object, moment) {
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
        let kind = work.kind;
        let number = self.wanted(work, handle)?;
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
        let handle = self.handle_at(&work.collection, kind, number);
        self.take_children(kind, &handle, &mut object, moment)?;
        let domain = self.domain.clone();
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
            if let Some(value) = fill::value(&field.server.fills, &sent, &object, &mut source) {
                object.insert(field.name.clone(), value);
            }
        }
        *self.object_mut(&work.collection, number) = object;
        self.end_exclusive(work, number);
        Ok(Response::written(200, Some(self.show(work, number, Answer::Update, moment))))
    }

    fn delete(&mut self, work: &Work, handle: Option<&str>, parent: Option<&str>) -> Result<Response, Response> {
        let number = self.wanted(work, handle)?;
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
        Ok(Response::written(204, None))
    }

    fn remove(&mut self, collection: &str, number: u64) {
        if let Some(rows) = self.collections.get_mut(collection) {
            rows.rows.remove(&number);
            rows.by_handle.retain(|_, other| *other != number);
        }
    }

    /// Deletes what lives below an object, and what the declarations say goes away with it.
    fn remove_dependants(&mut self, kind: &Kind, handle: &str, object: &Object) {
        for child in &kind.server.children {
            let collection = name_of(child, Some(kind));
            let rows = self.collections.get(&collection).into_iter().flat_map(|rows| rows.rows.values());
            let below: Vec<u64> =
                rows.filter(|row| row.parent.as_deref() == Some(handle)).map(|row| row.number).collect();
            for number in below {
                self.remove(&collection, number);
            }
        }
        for other in self.registry {
            for field in other.fields.iter().filter(|field| field.server.cascade) {
                let Some(reference) = field.reference.as_ref().filter(|reference| reference.kind == kind.name) else {
                    continue;
                };
                let target =
                    reference.path.first().map_or_else(|| Some(json!(handle)), |name| object.get(name).cloned());
                let rows = self.collections.get(&other.name).into_iter().flat_map(|rows| rows.rows.values());
                let gone: Vec<u64> = rows
                    .filter(|row| target.is_some() && row.object.get(&field.name) == target.as_ref())
                    .map(|row| row.number)
                    .collect();
                for number in gone {
                    self.remove(&other.name, number);
                }
            }
        }
    }

    fn act(
        &mut self,
        work: &Work,
        action: &Action,
        handle: Option<&str>,
        request: &Request,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let sent = request.object()?;
        let found = self.acted_on(work, action, handle, &sent)?;
        let domain = self.domain.clone();
        let number = match found {
            Some(number) => number,
            None if action.creates => {
                let mut object = sent.clone();
                set(action, &mut object, &mut Source { domain: &domain, moment });
                self.made(work, None, &object, moment)?
            }
            None => {
                let otherwise =
                    action.otherwise.as_ref().ok_or_else(|| Response::declared(404, &work.kind.server.missing))?;
                let answer = fill::make(otherwise, &sent, &mut Source { domain: &domain, moment });
                return Ok(Response::read(action.status, answer));
            }
        };
        let mut object = self.row(&work.collection, number).object.clone();
        if let Some(needs) = action.needs.as_ref().filter(|needs| !needs.live.fits(&object)) {
            return Err(Response::declared(needs.status, &needs.refusal));
        }
        set(action, &mut object, &mut Source { domain: &domain, moment });
        *self.object_mut(&work.collection, number) = object;
        self.end_exclusive(work, number);
        let shown = self.show(work, number, Answer::Action, moment);
        let answer = match (&action.answer, &shown) {
            (Some(template), Value::Object(object)) => {
                fill::make(template, object, &mut Source { domain: &domain, moment })
            }
            _ => shown,
        };
        let is_write = !action.set.is_empty() || action.creates;
        Ok(Response { is_write, ..Response::read(action.status, answer) })
    }

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
        let mut rows = self.collections.get(&work.collection).into_iter().flat_map(|rows| rows.rows.values());
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

    /// Ends a flag that only one object may have in all the others.
    fn end_exclusive(&mut self, work: &Work, number: u64) {
        let names: Vec<&str> =
            work.kind.fields.iter().filter(|field| field.exclusive).map(|f| f.name.as_str()).collect();
        for name in names {
            if self.row(&work.collection, number).object.get(name) == Some(&json!(true)) {
                let rows =
                    self.collections.get_mut(&work.collection).into_iter().flat_map(|rows| rows.rows.values_mut());
                for row in rows.filter(|row| row.number != number) {
                    if let Some(value) = row.object.get_mut(name) {
                        *value = json!(false);
                    }
                }
            }
        }
    }

    fn check_references(&self, kind: &Kind, sent: &Object) -> Result<(), Response> {
        for field in kind.fields.iter().filter(|field| field.server.exists) {
            let (Some(reference), Some(value)) = (&field.reference, sent.get(&field.name)) else { continue };
            let Some(target) = self.registry.get(&reference.kind) else { continue };
            let name = reference.path.first().map(String::as_str).or(target.id.as_deref()).unwrap_or_default();
            if !self.objects(&target.name).any(|object| object.get(name) == Some(value)) {
                return Err(Response::declared(404, &target.server.missing));
            }
        }
        Ok(())
    }

    /// Makes sent elements that are objects of their own into children, and keeps their handles.
    fn take_children(
        &mut self,
        kind: &Kind,
        handle: &str,
        object: &mut Object,
        moment: &mut Moment,
    ) -> Result<(), Response> {
        let lists = child_lists(kind);
        for (pointer, child) in lists {
            let mut place = object.get_mut(pointer[0]);
            for part in &pointer[1..] {
                place = place.and_then(|value| value.get_mut(part));
            }
            let (Some(Value::Array(items)), Some(child)) =
                (place, kind.server.children.iter().find(|kind| kind.name == child))
            else {
                continue;
            };
            let id = child.id.as_deref().unwrap_or("id");
            let work = Work { kind: child, parent: Some(kind), collection: name_of(child, Some(kind)) };
            for item in items {
                let Value::Object(sent) = item else { continue };
                let number = match sent.get(id).and_then(Value::as_str) {
                    Some(known) => self
                        .find(&work.collection, child, known)
                        .ok_or_else(|| Response::declared(404, &child.server.missing))?,
                    None => self.create(&work, Some(handle.to_owned()), sent.clone(), moment)?,
                };
                *item = json!({id: self.handle_at(&work.collection, child, number)});
            }
        }
        Ok(())
    }
}

/// Finds the lists whose elements become children: pointer and the child's name.
fn child_lists(kind: &Kind) -> Vec<(Vec<&str>, &str)> {
    fn walk<'a>(fields: &'a crate::kinds::kind::Fields, path: &[&'a str], found: &mut Vec<(Vec<&'a str>, &'a str)>) {
        for field in fields {
            let path = [path, &[field.name.as_str()]].concat();
            if let Some(child) = &field.server.child {
                found.push((path.clone(), child));
            }
            walk(&field.fields, &path, found);
        }
    }
    let mut found = Vec::new();
    walk(&kind.fields, &[], &mut found);
    found
}

fn set(action: &Action, object: &mut Object, source: &mut Source) {
    let before = object.clone();
    for (name, fills) in &action.set {
        if let Some(value) = fill::value(fills, &before, &before, source) {
            object.insert(name.clone(), value);
        }
    }
}

fn may_write(kind: &Kind, sent: &Object, moment: &Moment) -> Result<(), Response> {
    let refused =
        kind.fields.iter().find(|field| sent.contains_key(&field.name) && !moment.may(&field.server.write_scopes));
    refused.map_or(Ok(()), |field| Err(Response::insufficient_scope(&field.server.write_scopes)))
}

/// Turns second names and names of other units into the field's own.
fn on_the_wire(kind: &Kind, sent: &mut Object) {
    for field in &kind.fields {
        if let Some(mirror) = field.server.mirror.as_ref().filter(|mirror| mirror.accepted)
            && let Some(value) = sent.shift_remove(&mirror.name)
        {
            sent.entry(field.name.clone()).or_insert(value);
        }
        if let Some(convert) = &field.convert
            && let Some(value) = sent.get(&convert.wire).and_then(Value::as_f64)
        {
            sent.shift_remove(&convert.wire);
            let value = value / f64::from(convert.times);
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of hours is small")]
            let number = if value.fract() == 0.0 { json!(value as i64) } else { json!(value) };
            sent.entry(field.name.clone()).or_insert(number);
        }
    }
}

/// Merges an update into an object: null removes, marked objects merge member by member, all else is
/// replaced.
fn merge(kind: &Kind, object: &mut Object, sent: &Object) {
    for (name, value) in sent {
        let is_merged = kind.fields.get(name).is_some_and(|field| field.merge);
        match (value, object.get_mut(name)) {
            (Value::Null, _) => {
                object.shift_remove(name);
            }
            (Value::Object(members), Some(Value::Object(live))) if is_merged => {
                for (member, value) in members {
                    if value.is_null() {
                        live.shift_remove(member);
                    } else {
                        live.insert(member.clone(), value.clone());
                    }
                }
            }
            (value, _) => {
                let mut value = value.clone();
                if let (Value::Object(members), true) = (&mut value, is_merged) {
                    members.retain(|_, value| !value.is_null());
                }
                object.insert(name.clone(), value);
            }
        }
    }
}

fn drop_nulls(object: &mut Object) {
    object.retain(|_, value| !value.is_null());
    for value in object.values_mut() {
        if let Value::Object(members) = value {
            drop_nulls(members);
        }
    }
}

/// Says how a rule is broken by an object, if one of the rule's fields was touched.
fn broken(rule: &Rule, object: &Object, is_touched: &dyn Fn(&str) -> bool) -> Option<String> {
    if !rule.when.fits(object) {
        return None;
    }
    let given = |names: &[String]| names.iter().filter(|name| object.contains_key(*name)).count();
    let touched = |names: &[String]| names.iter().any(|name| is_touched(name));
    let is_empty = |name: &String| match object.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    // The API's words for these are not recorded.
    if touched(&rule.exactly_one) && given(&rule.exactly_one) != 1 {
        return Some(format!("Exactly one of {} must be provided.", rule.exactly_one.join(", ")));
    }
    if touched(&rule.at_most_one) && given(&rule.at_most_one) > 1 {
        return Some(format!("Only one of {} may be provided.", rule.at_most_one.join(", ")));
    }
    let filled = rule.empty.iter().find(|name| is_touched(name) && !is_empty(name))?;
    Some(format!("{filled} must be empty: {}.", rule.because))
}

fn mentions(value: &Value, handle: &str) -> bool {
    match value {
        Value::String(text) => text == handle,
        Value::Array(items) => items.iter().any(|item| mentions(item, handle)),
        Value::Object(members) => members.values().any(|member| mentions(member, handle)),
        _ => false,
    }
}

fn readdress(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(old) {
                *text = format!("{new}{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| readdress(item, old, new)),
        Value::Object(members) => members.values_mut().for_each(|member| readdress(member, old, new)),
        _ => {}
    }
}
