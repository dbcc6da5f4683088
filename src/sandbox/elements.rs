//! Writes of elements at endpoints of their own: which are meant, and what becomes of them.
//!
//! Pure; what the calls are, the mark `child` of a field says, and it names no kind. Elements are rows of
//! their own below the object, kept and shown like all others; `template` reads the requests. A request with
//! several elements is carried out whole or not at all.

use serde_json::{Value, json};

use super::exchange::{Moment, Request, Response};
use super::operations::{Work, replied};
use super::store::{Object, Store};
use super::template::{self, Cut, Found};
use crate::kinds::kind::{ChildCall, Field};
use crate::kinds::server::Answer;

/// What a call does with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Add,
    Change,
    Remove,
    Replace,
}

/// An element that a request is about.
struct Meant {
    deed: Deed,
    /// What the path says.
    path: Found,
    /// What the body says.
    body: Found,
}

/// Goes through the calls of a field.
pub(super) fn calls(field: &Field) -> impl Iterator<Item = &ChildCall> {
    deeds(field).map(|(_, call)| call)
}

fn deeds(field: &Field) -> impl Iterator<Item = (Deed, &ChildCall)> {
    let child = field.child.iter().map(|child| [&child.remove, &child.change, &child.add, &child.put]);
    let also = field.server.also.iter().map(|also| [&also.remove, &also.change, &also.add, &also.put]);
    let calls = child
        .chain(also)
        .flat_map(|calls| [Deed::Remove, Deed::Change, Deed::Add, Deed::Replace].into_iter().zip(calls));
    calls.filter_map(|(deed, call)| Some((deed, call.as_ref()?)))
}

impl Store {
    /// Carries out a request that writes elements.
    pub(super) fn write_elements(
        &mut self,
        work: &Work,
        field: &Field,
        request: &Request,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let path = request.path.strip_prefix("/api/v2").unwrap_or(&request.path);
        let body = request.json()?.unwrap_or_else(|| json!({}));
        let (meant, is_list) =
            meant(field, request, path, &body).map_err(|message| Response::invalid_body(&message))?;
        let before = self.collection(&work.collection);
        let done = if meant.first().is_some_and(|meant| meant.deed == Deed::Replace) || replaces(field, request, path) {
            self.replace(work, field, &meant, moment)
        } else {
            self.carry_out(work, field, &meant, is_list, moment)
        };
        if done.is_err() {
            self.put_back(&work.collection, before);
        }
        done
    }

    fn carry_out(
        &mut self,
        work: &Work,
        field: &Field,
        meant: &[Meant],
        is_list: bool,
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let answers = &work.kind.server.answers;
        let mut shown = Vec::new();
        for one in meant {
            let known = self.element_of(work, field, one);
            match (one.deed, known) {
                (Deed::Add, known) => {
                    let number = self.add(work, field, one, known, moment)?;
                    shown.push(self.show(work, number, Answer::Create, moment));
                }
                (Deed::Change, Some(number)) => {
                    self.update_row(work, number, sent(field, &one.body), moment)?;
                    shown.push(self.show(work, number, Answer::Update, moment));
                }
                (Deed::Remove, Some(number)) => self.remove(&work.collection, number),
                (Deed::Change, None) => return Err(Response::declared(404, &work.kind.server.missing)),
                (_, None) if answers.delete.missing => return Err(Response::declared(404, &work.kind.server.missing)),
                _ => {}
            }
        }
        let first = meant.first().map_or(Deed::Add, |meant| meant.deed);
        let body = if is_list { Value::Array(shown) } else { shown.pop().unwrap_or_else(|| json!({})) };
        Ok(match first {
            Deed::Change => Response::written(200, Some(body)),
            Deed::Remove => replied(&answers.delete, 204, None),
            Deed::Add | Deed::Replace => replied(&answers.create, 201, Some(body)),
        })
    }

    /// Replaces all elements by those of a request; what an element had that the API made, it keeps.
    fn replace(
        &mut self,
        work: &Work,
        field: &Field,
        meant: &[Meant],
        moment: &mut Moment,
    ) -> Result<Response, Response> {
        let known: Vec<Option<Object>> = meant
            .iter()
            .map(|one| self.element_of(work, field, one))
            .map(|number| number.map(|number| self.row(&work.collection, number).object.clone()))
            .collect();
        let old: Vec<u64> = self.below(work).collect();
        for number in old {
            self.remove(&work.collection, number);
        }
        let mut shown = Vec::new();
        for (one, known) in meant.iter().zip(known) {
            let number = self.add_with(work, field, one, known, moment)?;
            shown.push(self.show(work, number, Answer::Update, moment));
        }
        let items = work.kind.list.as_ref().map_or("items", |list| list.items.as_str());
        Ok(replied(&work.kind.server.answers.replace, 200, Some(json!({ items: shown }))))
    }

    /// Adds an element; one that is there already gets what was sent, unless that is refused.
    fn add(
        &mut self,
        work: &Work,
        field: &Field,
        one: &Meant,
        known: Option<u64>,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
        if let Some(number) = known {
            if let Some(unique) = work.kind.server.unique.first() {
                return Err(Response::declared(409, &unique.refusal));
            }
            let object = self.checked(work, sent(field, &said(one)), moment)?;
            self.object_mut(&work.collection, number).extend(object);
            return Ok(number);
        }
        self.add_with(work, field, one, None, moment)
    }

    fn add_with(
        &mut self,
        work: &Work,
        field: &Field,
        one: &Meant,
        known: Option<Object>,
        moment: &mut Moment,
    ) -> Result<u64, Response> {
        let said = said(one);
        let is_read_only = |name: &str| work.kind.fields.get(name).is_some_and(|member| member.read_only);
        let mut wanted = sent(field, &said);
        // One that is named by its own handle stays what it is.
        for (name, value) in known.iter().flatten().filter(|(name, _)| said.handle.is_some() && !is_read_only(name)) {
            wanted.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let mut object = self.checked(work, wanted, moment)?;
        if let Some((id, handle)) = work.kind.id.as_ref().zip(said.handle) {
            object.insert(id.clone(), json!(handle));
            self.check_reference(work.kind, id, &object)?;
        }
        for (name, value) in known.into_iter().flatten() {
            if is_read_only(&name) {
                object.entry(name).or_insert(value);
            }
        }
        self.made(work, work.above.clone(), &object, moment)
    }

    /// Finds the element that is meant: by its handle, by what the path says, or by its key.
    fn element_of(&self, work: &Work, field: &Field, one: &Meant) -> Option<u64> {
        let handle = one.path.handle.as_ref().or(one.body.handle.as_ref());
        if let Some((handle, id)) = handle.zip(work.kind.id.as_ref()) {
            return self.below(work).find(|number| {
                self.row(&work.collection, *number).object.get(id).is_some_and(|value| *value == **handle)
            });
        }
        let wanted = if one.path.is_empty() {
            let mut wanted = sent(field, &one.body);
            let key = field.element_key();
            wanted.retain(|name, _| key.contains(name));
            wanted
        } else {
            sent(field, &one.path)
        };
        let is_it = |object: &Object| wanted.iter().all(|(name, value)| object.get(name) == Some(value));
        let mut rows = self.below(work);
        if wanted.is_empty() { None } else { rows.find(|number| is_it(&self.row(&work.collection, *number).object)) }
    }

    /// Goes through the elements of an object, by number.
    fn below(&self, work: &Work) -> impl Iterator<Item = u64> {
        self.rows_of(&work.collection).filter(|row| row.parent == work.above).map(|row| row.number)
    }
}

/// Tells whether a request is one that replaces all elements: it may have none.
fn replaces(field: &Field, request: &Request, path: &str) -> bool {
    deeds(field).any(|(deed, call)| {
        deed == Deed::Replace && call.method == request.method && template::path(&call.path, path).is_some()
    })
}

/// Reads a request against the calls of its path; the message says what fits none of them.
fn meant(field: &Field, request: &Request, path: &str, body: &Value) -> Result<(Vec<Meant>, bool), String> {
    let mut problem = None;
    let mut readings: Vec<(Deed, Found, Cut)> = Vec::new();
    let fitting = deeds(field).filter(|(_, call)| call.method == request.method);
    for (deed, call, found) in fitting.filter_map(|(deed, call)| Some((deed, call, template::path(&call.path, path)?)))
    {
        let Some(template) = &call.body else {
            return Ok((vec![Meant { deed, path: found, body: Found::default() }], false));
        };
        match template::cut(template, body) {
            Ok(cut) => {
                let most = call.most.filter(|most| cut.elements.len() > *most);
                if let Some(most) = most {
                    let text = format!("Array is too long ({}), maximum {most}", cut.elements.len());
                    return Err(template::message(&text, ""));
                }
                readings.push((deed, found, cut));
            }
            Err(message) => problem = problem.or(Some(message)),
        }
    }
    let Some((_, _, first)) = readings.first() else { return Err(problem.unwrap_or_default()) };
    let (count, is_list) = (first.elements.len(), first.is_list);
    let mut all = Vec::new();
    for index in 0..count {
        let mut problem = None;
        let mut found = None;
        for (deed, path, cut) in &readings {
            let Some((template, value, place)) = cut.elements.get(index) else { continue };
            let mut body = cut.beside.clone();
            match template::fit(template, value, &mut body, place) {
                Ok(()) => {
                    found = Some(Meant { deed: *deed, path: path.clone(), body });
                    break;
                }
                Err(message) => problem = problem.or(Some(message)),
            }
        }
        all.push(found.ok_or_else(|| problem.unwrap_or_default())?);
    }
    Ok((all, is_list))
}

/// Gives all that a request says of an element.
fn said(one: &Meant) -> Found {
    let mut said = one.body.clone();
    said.members.extend(one.path.members.clone());
    said.handle = said.handle.or_else(|| one.path.handle.clone());
    said.item = said.item.or_else(|| one.path.item.clone());
    said
}

/// Gives what was said of an element as an object with the names that the API has.
fn sent(field: &Field, found: &Found) -> Object {
    let element = field.child.as_ref().and_then(|child| child.element.as_deref());
    let mut object = match (&found.item, element) {
        (Some(Value::Object(item)), _) => item.clone(),
        (Some(item), Some(name)) => std::iter::once((name.to_owned(), item.clone())).collect(),
        _ => Object::new(),
    };
    for (name, value) in &found.members {
        let known = field.server.element.as_ref().and_then(|kind| kind.fields.find(name));
        object.insert(known.map_or(name, |field| &field.name).clone(), value.clone());
    }
    object
}
