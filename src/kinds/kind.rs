//! The declaration of a kind of resource: what `schemas/<kind>.yaml` may say, as types.
//!
//! A declaration is data: the engine reads it and names no kind itself. Every key is explained once,
//! in schemas/README.md. What only the sandbox needs stands under `server`, see [`super::server`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use super::child::{Child, ChildCall, Lookup};
pub use super::condition::{Condition, OneOf, at, remove_at, value_of};
pub use super::directory::Directory;
pub use super::endpoint::{Endpoint, List, Method, Paging, with_handle};
pub use super::entitlement::Entitlement;
pub use super::field::{Companion, Convert, Field, FieldCall, Named, Type, Until, Wait};
pub use super::fields::Fields;
pub use super::format::Format;
pub use super::part::Part;
pub use super::reference::Reference;
use super::server::ServerKind;

/// One kind of resource.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// The Deploy CLI's name of the kind: the key in `tenant.yaml`.
    #[serde(rename = "kind")]
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// The tenant has one object of it at most; without `create`, exactly one, which can't be deleted.
    #[serde(default)]
    pub singleton: bool,
    /// Of a singleton: files have a list of one object at most.
    #[serde(default)]
    pub listed: bool,
    /// An update must have all fields that a create must have.
    #[serde(default)]
    pub whole: bool,
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
    /// Of the kind as it is in one case: the field that decides, and the one that has the case's members.
    #[serde(skip)]
    pub case_of: Option<(String, String)>,
    /// Where its objects lie in the directory layout.
    #[serde(default)]
    pub directory: Option<Directory>,
    /// The member by which an entry of the one file of all kinds names the JSON file that has the object,
    /// the same as in the directory layout.
    #[serde(default)]
    pub body: Option<String>,
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
    /// Objects that fit one of these belong to somebody else: they can be left out as one.
    #[serde(default)]
    pub third_party: Vec<Condition>,
    /// What must hold between fields.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Objects that the API knows and that are not managed.
    #[serde(default)]
    pub unmanaged: Vec<Unmanaged>,
    /// Properties of the API's own schema that are left out on purpose: JSON Pointer and reason.
    #[serde(default)]
    pub omitted: BTreeMap<String, String>,
    /// The API has something else in its place: what to say of definitions.
    #[serde(default)]
    pub retired: Option<String>,
    /// What the tenant's plan must have for it.
    #[serde(default)]
    pub entitlement: Option<Entitlement>,
    /// The fields.
    pub fields: Fields,
    /// What only the sandbox needs.
    #[serde(default)]
    pub server: ServerKind,
}

impl Kind {
    /// Gives the kind as it is for an object: with the fields that its values bring.
    #[must_use]
    pub fn of(&self, object: &Map<String, Value>) -> &Self {
        let variants = self.variants.as_ref();
        let value = variants.and_then(|variants| object.get(&variants.by)?.as_str());
        variants.zip(value).and_then(|(variants, value)| variants.kinds.get(value)).map_or(self, Arc::as_ref)
    }

    /// Tells whether its objects are always there: they can be neither made nor deleted.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        (self.singleton || self.keys.is_some()) && self.create.is_none()
    }

    /// Tells whether a field decides something about an object: which one it is, whose it is, which
    /// fields it has, or what waits for it.
    #[must_use]
    pub fn is_told_by(&self, name: &str) -> bool {
        let is_it = |other: &String| other == name;
        let waits = self.fields.iter().filter_map(|field| field.until.as_ref()).map(|until| &until.live);
        self.id.iter().chain(&self.own).any(is_it)
            || self.identity.iter().flat_map(|identity| &identity.fields).any(is_it)
            || self.keys.iter().flat_map(Keys::fields).any(|other| other == name)
            || self.variants.iter().map(|variants| &variants.by).any(is_it)
            || self.system.iter().chain(waits).any(|condition| condition.names(name))
            || self.fields.get(name).is_some_and(|field| field.hidden_without.is_some() || field.is_apart())
    }

    /// Tells whether its list has only a part of each object, which is read by the object's own endpoint.
    #[must_use]
    pub fn has_summaries(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.summary)
    }

    /// Gives the API's own handle of an object.
    #[must_use]
    pub fn handle_of(&self, object: &Map<String, Value>) -> Option<String> {
        let text = |name: &str| object.get(name)?.as_str().map(str::to_owned);
        match (&self.keys, &self.id) {
            (Some(keys), None) => Some(keys.fields().map(text).collect::<Option<Vec<_>>>()?.join("/")),
            (_, id) => text(id.as_deref()?),
        }
    }

    /// Goes through the fields that stand at one endpoint of their own each.
    pub fn parts(&self) -> impl Iterator<Item = (&Field, &Part)> {
        self.fields.iter().filter_map(|field| Some((field, field.part.as_deref()?)))
    }

    /// Goes through the lists that stand at endpoints of their own.
    pub fn children(&self) -> impl Iterator<Item = (&Field, &Child)> {
        self.fields.iter().filter_map(|field| Some((field, field.child.as_deref()?)))
    }
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
    /// The field that holds the name; it is the handle too. Of several, joined by `/`, each holds a part.
    pub field: String,
    /// The names.
    pub values: Vec<String>,
    /// Files have a map from names to the value of this field, in the place of a list of objects.
    #[serde(default)]
    pub holds: Option<String>,
}

impl Keys {
    /// Goes through the fields that hold the name, each a part of it.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.field.split('/')
    }

    /// Tells whether a field holds the name or a part of it.
    #[must_use]
    pub fn is_in(&self, field: &str) -> bool {
        self.fields().any(|name| name == field)
    }

    /// Gives the members that an object of a name has by that.
    pub fn members(&self, name: &str) -> impl Iterator<Item = (String, Value)> {
        let parts = if self.field.contains('/') { name.split('/').collect() } else { vec![name] };
        let members = self.fields().zip(parts).map(|(field, part)| (field.to_owned(), Value::from(part)));
        members.collect::<Vec<_>>().into_iter()
    }
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
    pub kinds: BTreeMap<String, Arc<Kind>>,
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
