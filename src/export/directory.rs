//! The directory layout of the Deploy CLI: the names of files.
//!
//! What stands in a file is the same in both layouts; here is only where an object goes.

use serde_json::Value;

use super::file_name::{Taken, sanitised};
use crate::kinds::Registry;
use crate::kinds::kind::{Directory, Field, Kind};
use crate::tenant::{Object, Tenant, fill};

/// What names of files are made of.
pub(super) struct Names<'a> {
    pub(super) registry: &'a Registry,
    pub(super) tenant: &'a Tenant,
}

impl Names<'_> {
    /// Gives the path of an object's file, which no other has.
    pub(super) fn path(&self, kind: &Kind, directory: &Directory, object: &Object, taken: &mut Taken) -> String {
        let part = |part: &str, suffix: &str| {
            if !part.contains('{') {
                return part.to_owned();
            }
            let end = part.rfind('}').unwrap_or_default();
            let (stem, ending) = part.split_at(part.rfind('.').filter(|dot| *dot > end).unwrap_or(part.len()));
            sanitised(&fill(stem, |name| Some(self.value(kind, object, name)))) + suffix + ending
        };
        taken.free(|suffix| {
            let parts: Vec<String> = directory.file.split('/').map(|it| part(it, suffix)).collect();
            directory.path(&parts.join("/"))
        })
    }

    /// Gives what a pattern names: a field, the first of several that is there (`a|b`), or a field of
    /// the object that one refers to (`a.b`); where that is not known, the reference itself.
    fn value(&self, kind: &Kind, object: &Object, name: &str) -> String {
        let found = name.split('|').find_map(|name| {
            let (name, member) = name.split_once('.').map_or((name, None), |(name, member)| (name, Some(member)));
            let value = text(object.value.get(name)?)?;
            let referred = || {
                let target = self.referred(kind.fields.get(name)?, &value)?;
                text(target.value.get(member?)?)
            };
            Some(referred().unwrap_or(value))
        });
        found.unwrap_or_default()
    }

    fn referred(&self, field: &Field, value: &str) -> Option<&Object> {
        let reference = field.reference.as_ref()?;
        let kind = self.registry.get(&reference.kind)?;
        let is_meant = |object: &&Object| match reference.path.first() {
            None => object.address.name == value,
            Some(field) => object.value.get(field).and_then(Value::as_str) == Some(value),
        };
        self.tenant.objects(&kind.name).iter().find(is_meant)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
