//! Elements at endpoints of their own that can be sent with the object too, and that its answers show.
//!
//! Pure; which fields these are, the mark `inline` says. The elements are kept as all others are: rows of
//! their own below the object.

use serde_json::{Map, Value};

use super::exchange::{Moment, Response};
use super::operations::Work;
use super::store::{Object, Store, name_of};
use crate::kinds::kind::{Field, Kind};

/// What was sent of such fields: the field, and its elements.
pub(super) type Sent<'k> = Vec<(&'k Field, Vec<Value>)>;

/// Takes what was sent of such fields out of an object.
pub(super) fn taken_out<'k>(kind: &'k Kind, object: &mut Object) -> Sent<'k> {
    let fields = kind.fields.iter().filter_map(|field| Some((field, field.server.inline.as_ref()?)));
    fields
        .filter_map(|(field, name)| match object.shift_remove(name)? {
            Value::Array(items) => Some((field, items)),
            _ => Some((field, Vec::new())),
        })
        .collect()
}

impl Store {
    /// Replaces the elements of an object by those that were sent with it.
    pub(super) fn put_inline(
        &mut self,
        kind: &Kind,
        handle: &str,
        sent: Sent,
        moment: &mut Moment,
    ) -> Result<(), Response> {
        for (field, items) in sent {
            let Some(element) = field.server.element.as_deref() else { continue };
            let work = Work::new(element, Some(kind), Some(handle.to_owned()));
            let rows = self.rows_of(&work.collection).filter(|row| row.parent == work.above);
            let old: Vec<u64> = rows.map(|row| row.number).collect();
            for number in old {
                self.remove(&work.collection, number);
            }
            for item in items {
                let object = match (item, &element.id) {
                    (Value::Object(members), _) => members,
                    (item, Some(id)) => Map::from_iter([(id.clone(), item)]),
                    _ => continue,
                };
                self.create(&work, work.above.clone(), object, moment)?;
            }
        }
        Ok(())
    }

    /// Gives the elements that answers show in an object.
    pub(super) fn inline(&self, kind: &Kind, field: &Field, object: &Object) -> Option<Value> {
        let element = field.server.element.as_deref().filter(|_| field.is_inline())?;
        let handle = object.get(kind.id.as_deref()?)?.as_str()?;
        let rows = self.rows_of(&name_of(element, Some(kind))).filter(|row| row.parent.as_deref() == Some(handle));
        let id = field.child.as_ref().and_then(|child| child.element.as_deref());
        let shown = rows.map(|row| match id {
            Some(id) => row.object.get(id).cloned().unwrap_or_default(),
            None => Value::Object(row.object.clone()),
        });
        Some(shown.collect())
    }
}
