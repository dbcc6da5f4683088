//! Fields in the order of their declaration, found by name.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it.

use std::fmt;
use std::iter::Map;
use std::slice::Iter;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::field::Field;

/// Fields in the order of the declaration. Clones share them: variants of a kind differ in few.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<Arc<Field>>);

/// The fields in order.
type InOrder<'a> = Map<Iter<'a, Arc<Field>>, fn(&'a Arc<Field>) -> &'a Field>;

impl Fields {
    /// Finds a field by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.iter().find(|field| field.name == name)
    }

    /// Finds a field by name, to change it.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.0.iter_mut().find(|field| field.name == name).map(Arc::make_mut)
    }

    /// Goes through those that have something, to change them.
    pub(super) fn having_mut(&mut self, has: impl Fn(&Field) -> bool) -> impl Iterator<Item = &mut Field> {
        self.0.iter_mut().filter(move |field| has(field)).map(Arc::make_mut)
    }

    /// Finds a field by name, by an older name, or by its name on the wire.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|at| &*self.0[at])
    }

    /// Tells where in the declaration the field stands that [`Fields::find`] finds.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|field| field.name == name).or_else(|| {
            self.0.iter().position(|field| {
                field.alias.iter().any(|alias| alias == name)
                    || field.convert.as_ref().is_some_and(|convert| convert.wire == name)
                    || field.handle_as.as_deref() == Some(name)
            })
        })
    }

    /// Goes through the fields in order.
    pub fn iter(&self) -> InOrder<'_> {
        self.0.iter().map(Arc::as_ref)
    }

    /// Gives these fields, then those of others whose names they do not have.
    pub(super) fn before(&self, others: &Self) -> Self {
        let rest = others.0.iter().filter(|field| self.get(&field.name).is_none());
        Self(self.0.iter().chain(rest).cloned().collect())
    }

    /// Tells whether there are none: then any member may stand in the object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        Self(fields.into_iter().map(Arc::new).collect())
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = InOrder<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of fields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, field)) = map.next_entry::<String, Field>()? {
                    fields.push(Arc::new(Field { name, ..field }));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
