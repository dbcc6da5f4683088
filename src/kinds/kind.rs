//! The declaration of a kind of resource: what `schemas/<kind>.yaml` may say, as types.
//!
//! A declaration is data: the engine reads it and names no kind itself. Every key is explained once,
//! in schemas/README.md. What only the sandbox needs stands under `server`, see [`super::server`].

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use super::child::{Child, ChildCall, Lookup};
pub use super::field::{Companion, Convert, Field, FieldCall, Fields, Format, Named, Reference, Type, Until, Wait};
use super::server::ServerKind;
use crate::text::unescape;

/// One kind of resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// The Deploy CLI's name of the kind: the key in `tenant.yaml`.
    #[serde(rename = "kind")]
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// The tenant has exactly one object of it, which can be neither created nor deleted.
    #[serde(default)]
    pub singleton: bool,
    /// Ways to recognise an object, tried in order; the first whose fields are all there counts.
    #[serde(default)]
    pub identity: Vec<Identity>,
    /// The field of an answer that holds the API's own handle of an object; a definition that has
    /// it pins that object.
    #[serde(default)]
    pub id: Option<String>,
    /// How all objects are read.
    #[serde(default)]
    pub list: Option<List>,
    /// How one object is read; for a singleton, how the kind is read.
    #[serde(default)]
    pub get: Option<Endpoint>,
    /// How an object is made.
    #[serde(default)]
    pub create: Option<Endpoint>,
    /// How an object is changed.
    #[serde(default)]
    pub update: Option<Endpoint>,
    /// How an object is deleted.
    #[serde(default)]
    pub delete: Option<Endpoint>,
    /// The kind's objects have fixed names: each is read on its own.
    #[serde(default)]
    pub keys: Option<Keys>,
    /// Fields that depend on the value of another field.
    #[serde(default)]
    pub variants: Option<Variants>,
    /// Kinds that must be done before, beyond those that fields refer to.
    #[serde(default)]
    pub after: Vec<String>,
    /// Objects that fit one of these belong to the API itself and are never touched.
    #[serde(default)]
    pub system: Vec<Condition>,
    /// The field that names an application; objects of the application that tenantctl signs in
    /// with are never touched.
    #[serde(default)]
    pub own: Option<String>,
    /// What must hold between fields.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Objects that the API knows and that are not managed.
    #[serde(default)]
    pub unmanaged: Vec<Unmanaged>,
    /// Properties of the API's own schema that are left out on purpose: JSON Pointer and reason.
    #[serde(default)]
    pub omitted: BTreeMap<String, String>,
    /// The fields.
    pub fields: Fields,
    /// What only the sandbox needs.
    #[serde(default)]
    pub server: ServerKind,
}

/// One way to recognise an object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The fields that together are unique. A missing one counts as its default.
    pub fields: Vec<String>,
    /// The name in an address, in parts with `{field}` in them. A part after the first is left out
    /// where its fields have their defaults. Without parts, the fields joined by a blank.
    #[serde(default)]
    pub address: Vec<String>,
}

/// The fixed names of a kind's objects.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The field that holds the name; it is the handle too.
    pub field: String,
    /// The names.
    pub values: Vec<String>,
    /// Files have a map from names to the value of this field, in the place of a list of objects.
    #[serde(default)]
    pub holds: Option<String>,
}

/// Fields of an object's member that depend on the value of a field of the object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variants {
    /// The field whose value decides.
    pub by: String,
    /// The field, an object, that has further members.
    #[serde(rename = "in")]
    pub member: String,
    /// The cases.
    pub cases: Vec<Case>,
    /// The kind as it is for each value that has a case.
    #[serde(skip)]
    pub kinds: BTreeMap<String, Kind>,
}

/// What is different for some values of the deciding field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The values.
    pub of: Vec<String>,
    /// Further members; one with the name of a common member takes its place.
    #[serde(default)]
    pub fields: Fields,
    /// Objects with such a value are those of another kind, on the same endpoints.
    #[serde(default)]
    pub kind: Option<String>,
}

/// How all objects of a kind are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Path below `/api/v2`.
    pub path: String,
    /// The member of the answer that holds the objects.
    pub items: String,
    /// Styles that the endpoint knows, the best first.
    pub paging: Vec<Paging>,
    /// The largest page, in objects.
    #[serde(default = "List::default_size")]
    pub size: usize,
    /// Fixed query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Pages are asked for with `include_totals`.
    #[serde(default = "List::default_totals")]
    pub totals: bool,
    /// Two kinds share the endpoint: those that fit are of this one.
    #[serde(default, rename = "where")]
    pub only: Condition,
    /// Two kinds share the endpoint: those that fit are of the other one.
    #[serde(default)]
    pub except: Option<Condition>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
    /// The rate limit that it counts against, if it has one of its own.
    #[serde(default)]
    pub bucket: Option<String>,
}

impl List {
    fn default_size() -> usize {
        50
    }

    fn default_totals() -> bool {
        true
    }

    /// Tells whether an object of the list is of the kind that the list is declared for.
    #[must_use]
    pub fn holds(&self, object: &Map<String, Value>) -> bool {
        self.only.fits(object) && !self.except.as_ref().is_some_and(|other| other.fits(object))
    }
}

/// How a list is cut into pages (paging.md of the API facts; Auth0 "Pagination").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Paging {
    /// One answer holds all.
    None,
    /// `page` from 0, `per_page`, `include_totals`; at most 1,000 objects can be reached.
    Page,
    /// `take`, then `from` with the answer's `next`.
    Checkpoint,
}

impl Kind {
    /// Gives the kind as it is for an object: with the fields that its values bring.
    #[must_use]
    pub fn of(&self, object: &Map<String, Value>) -> &Self {
        let variants = self.variants.as_ref();
        let value = variants.and_then(|variants| object.get(&variants.by)?.as_str());
        variants.zip(value).and_then(|(variants, value)| variants.kinds.get(value)).unwrap_or(self)
    }

    /// Tells whether its objects are always there: they can be neither made nor deleted.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.singleton || (self.keys.is_some() && self.create.is_none())
    }

    /// Goes through the fields that stand at endpoints of their own.
    pub fn children(&self) -> impl Iterator<Item = (&Field, &Child)> {
        self.fields.iter().filter_map(|field| Some((field, field.child.as_ref()?)))
    }
}

/// One operation of the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`; `{id}` stands for the object's handle.
    pub path: String,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
    /// The rate limit that it counts against, if it has one of its own.
    #[serde(default)]
    pub bucket: Option<String>,
}

/// HTTP methods of the Management API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}

/// Field values that an object must have: each field one of the listed values, or none of those after
/// `not`, where null stands for a missing field.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Condition(pub BTreeMap<String, OneOf>);

/// The values of which one must be there; after `not`, none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub struct OneOf {
    /// The values.
    pub values: Vec<Value>,
    /// None of them may be there.
    pub not: bool,
}

impl From<Value> for OneOf {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(values) => Self { values, not: false },
            Value::Object(mut members) if members.len() == 1 && members.contains_key("not") => {
                let but = members.remove("not").unwrap_or_default();
                Self { values: Self::from(but).values, not: true }
            }
            value => Self { values: vec![value], not: false },
        }
    }
}

impl Condition {
    /// Tells whether an object fits. Names with a leading slash are JSON Pointers.
    #[must_use]
    pub fn fits(&self, object: &Map<String, Value>) -> bool {
        let fits = |wanted: &OneOf, value: &Value| wanted.values.contains(value) != wanted.not;
        self.0.iter().all(|(name, wanted)| fits(wanted, value_of(object, name).unwrap_or(&Value::Null)))
    }
}

/// Finds the value of a field; a name with a leading slash is a JSON Pointer.
#[must_use]
pub fn value_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if name.starts_with('/') { at(object, name) } else { object.get(name) }
}

/// Finds the value at a JSON Pointer (RFC 6901) in an object.
#[must_use]
pub fn at<'a>(object: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (name, rest) =
        pointer.strip_prefix('/')?.split_at_checked(pointer[1..].find('/').unwrap_or(pointer.len() - 1))?;
    object.get(&unescape(name))?.pointer(rest)
}

/// Removes a member by its name, or by JSON Pointer (RFC 6901); tells whether it was there.
pub fn remove_at(object: &mut Map<String, Value>, pointer: &str) -> bool {
    let mut parts: Vec<String> = pointer.strip_prefix('/').unwrap_or(pointer).split('/').map(unescape).collect();
    let Some(last) = parts.pop() else { return false };
    let mut place = object;
    for part in parts {
        let Some(inner) = place.get_mut(&part).and_then(Value::as_object_mut) else { return false };
        place = inner;
    }
    place.shift_remove(&last).is_some()
}

/// Objects that a definition can't be of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unmanaged {
    /// The objects.
    pub when: Condition,
    /// Why, in words for people.
    pub because: String,
}

/// What must hold between the fields of an object. A field of a field is named by its JSON Pointer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The rule holds for objects that fit; for all without it.
    #[serde(default)]
    pub when: Condition,
    /// The rule holds for objects that have all of these fields.
    #[serde(default)]
    pub given: Vec<String>,
    /// One of these fields must be given, and not two.
    #[serde(default)]
    pub exactly_one: Vec<String>,
    /// Not two of these fields may be given.
    #[serde(default)]
    pub at_most_one: Vec<String>,
    /// These fields must be missing or empty.
    #[serde(default)]
    pub empty: Vec<String>,
    /// These fields are not taken by the API: they are left out, with a warning.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// Why, in words for people.
    pub because: String,
}

impl Rule {
    /// Tells whether the rule holds for an object.
    #[must_use]
    pub fn holds(&self, object: &Map<String, Value>) -> bool {
        let is_given = |name: &String| value_of(object, name).is_some_and(|value| !value.is_null());
        self.when.fits(object) && self.given.iter().all(is_given)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Condition;

    #[test]
    fn a_condition_names_values_that_must_be_there_or_must_not() {
        let object = json!({ "a": "x", "deep": { "b": 1 } });
        for (condition, expected) in [
            (json!({ "a": "x" }), true),
            (json!({ "a": ["y", "z"] }), false),
            (json!({ "c": null }), true),
            (json!({ "/deep/b": [1, 2], "a": { "not": "y" } }), true),
            (json!({ "a": { "not": ["x", "y"] } }), false),
            (json!({ "a": { "not": null } }), true),
            (json!({ "c": { "not": null } }), false),
        ] {
            let fits = serde_json::from_value::<Condition>(condition.clone()).unwrap();
            let Value::Object(object) = &object else { unreachable!() };
            assert_eq!(fits.fits(object), expected, "{condition}");
        }
    }
}
