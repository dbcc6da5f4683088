//! Objects below another one: elements of an object that the API keeps as objects of their own, what a child
//! sees of its parent, and the children with which an object begins.
//!
//! Pure; which lists these are, the declarations say.

use serde_json::{Value, json};

use super::exchange::{Moment, Response};
use super::fill;
use super::operations::Work;
use super::store::{Object, Store, name_of};
use crate::kinds::kind::{Field, Fields, Kind};

/// Makes sent elements that are objects of their own into children, and keeps their handles.
pub(super) fn take(
    store: &mut Store,
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
        let work = Work::new(child, Some(kind), None);
        for item in items {
            let Value::Object(sent) = item else { continue };
            let number = match sent.get(id).and_then(Value::as_str) {
                Some(known) => store
                    .find(&work.collection, child, Some(handle), known)
                    .ok_or_else(|| Response::declared(404, &child.server.missing))?,
                None => store.create(&work, Some(handle.to_owned()), sent.clone(), moment)?,
            };
            *item = json!({id: store.handle_at(&work.collection, child, number)});
        }
    }
    Ok(())
}

/// Finds the lists whose elements become children: pointer and the child's name.
fn child_lists(kind: &Kind) -> Vec<(Vec<&str>, &str)> {
    fn walk<'a>(fields: &'a Fields, path: &[&'a str], found: &mut Vec<(Vec<&'a str>, &'a str)>) {
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

impl Store {
    /// Shows a child that is made the object above it, under the name of its kind, if that may have such a child.
    pub(super) fn look_up_from(
        &self,
        work: &Work,
        kind: &Kind,
        parent: Option<&str>,
        objects: [&mut Object; 2],
    ) -> Result<(), Response> {
        let (Some(above), Some(handle)) = (work.parent, parent) else { return Ok(()) };
        let collection = name_of(above, None);
        let Some(number) = self.find(&collection, above, None, handle) else { return Ok(()) };
        let found = &self.row(&collection, number).object;
        if let Some(needs) = kind.server.needs.as_ref().filter(|needs| !needs.live.fits(found)) {
            return Err(Response::declared(needs.status, &needs.refusal));
        }
        for object in objects {
            object.insert(above.name.clone(), Value::Object(found.clone()));
        }
        Ok(())
    }

    /// Makes the children with which an object begins.
    pub(super) fn plant_below(&mut self, kind: &Kind, handle: &str, moment: &mut Moment) -> Result<(), Response> {
        for child in kind.server.children.iter().filter(|child| !child.server.seed.is_empty()) {
            let work = Work::new(child, Some(kind), Some(handle.to_owned()));
            let fits =
                |store: &Self| store.look_up_from(&work, child, Some(handle), [&mut Object::new(), &mut Object::new()]);
            if fits(self).is_err() {
                continue;
            }
            for seed in child.server.seed.iter().filter_map(Value::as_object) {
                self.made(&work, Some(handle.to_owned()), seed, moment)?;
            }
        }
        Ok(())
    }

    /// Makes the children that a create asks for with the object.
    pub(super) fn make_along(
        &mut self,
        work: &Work,
        number: u64,
        sent: &Object,
        moment: &mut Moment,
    ) -> Result<(), Response> {
        let is_asked = |child: &&Kind| child.server.made_with.as_ref().is_some_and(|with| with.fits(sent));
        for child in work.kind.server.children.iter().filter(is_asked) {
            self.settle(moment);
            let handle = self.handle_at(&work.collection, work.kind, number);
            let below = Work::new(child, Some(work.kind), Some(handle.clone()));
            self.made(&below, Some(handle), &Object::new(), moment)?;
        }
        Ok(())
    }

    /// Gives a new object its number among those below the same one.
    pub(super) fn number(&self, work: &Work, kind: &Kind, parent: Option<&str>, object: &mut Object) {
        let is_left = |field: &&Field| field.server.numbered && !object.contains_key(&field.name);
        for field in kind.fields.iter().filter(is_left).collect::<Vec<_>>() {
            let beside = self.rows_of(&work.collection).filter(|row| row.parent.as_deref() == parent);
            let last = beside.filter_map(|row| row.object.get(&field.name)?.as_u64()).max().unwrap_or(0);
            object.insert(field.name.clone(), json!(last + 1));
        }
    }

    /// Gives the object above a child that is made what it gets by that.
    pub(super) fn set_above(&mut self, work: &Work, kind: &Kind, number: u64, moment: &mut Moment) {
        let row = self.row(&work.collection, number);
        let (Some(above), Some(handle), false) = (work.parent, row.parent.clone(), kind.server.sets_above.is_empty())
        else {
            return;
        };
        let collection = name_of(above, None);
        if let Some(parent) = self.find(&collection, above, None, &handle) {
            fill::set(&kind.server.sets_above, self.object_mut(&collection, parent), moment);
        }
    }
}
