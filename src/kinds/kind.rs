//! The declaration of a kind of resource: what `schemas/<kind>.yaml` may say, as types.
//!
//! A declaration is data: the engine reads it and names no kind itself. Every key is explained once,
//! in schemas/README.md. What only the sandbox needs stands under `server`, see [`super::server`].

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::server::{ServerField, ServerKind};

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

/// Field values that an object must have: each field one of the listed values, where null stands
/// for a missing field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Condition(pub BTreeMap<String, OneOf>);

/// The values of which one must be there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub struct OneOf(pub Vec<Value>);

impl From<Value> for OneOf {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(values) => Self(values),
            value => Self(vec![value]),
        }
    }
}

impl Condition {
    /// Tells whether an object fits. Names with a leading slash are JSON Pointers.
    #[must_use]
    pub fn fits(&self, object: &Map<String, Value>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let found = if name.starts_with('/') { at(object, name) } else { object.get(name) };
            wanted.0.contains(found.unwrap_or(&Value::Null))
        })
    }
}

/// Finds the value at a JSON Pointer (RFC 6901) in an object.
#[must_use]
pub fn at<'a>(object: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (name, rest) =
        pointer.strip_prefix('/')?.split_at_checked(pointer[1..].find('/').unwrap_or(pointer.len() - 1))?;
    object.get(&name.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
}

/// What must hold between the fields of an object.
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
        let is_given = |name: &String| object.get(name).is_some_and(|value| !value.is_null());
        self.when.fits(object) && self.given.iter().all(is_given)
    }
}

/// Fields in the order of the declaration.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// Finds a field by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// Finds a field by name, by an older name, or by its name on the wire.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|at| &self.0[at])
    }

    /// Tells where in the declaration the field stands that [`Fields::find`] finds.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|field| field.name == name).or_else(|| {
            self.0.iter().position(|field| {
                field.alias.iter().any(|alias| alias == name)
                    || field.convert.as_ref().is_some_and(|convert| convert.wire == name)
            })
        })
    }

    /// Goes through the fields in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }

    /// Tells whether there are none: then any member may stand in the object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of fields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, field)) = map.next_entry::<String, Field>()? {
                    fields.push(Field { name, ..field });
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An object with declared members; without `fields`, with any.
    Object,
    /// An object whose keys are the user's, with values of one type (`items`).
    Map,
    /// A list whose order matters.
    List,
    /// A list whose order does not matter and in which nothing stands twice.
    Set,
    /// Any JSON value, compared as a whole.
    Any,
}

/// One field of a kind, of an object, or the items of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mark of its own in the declaration")]
pub struct Field {
    /// Its name; empty for items.
    #[serde(skip)]
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub holds: Type,
    /// Members, for objects.
    #[serde(default)]
    pub fields: Fields,
    /// Elements, for lists, sets and maps.
    #[serde(default)]
    pub items: Option<Box<Field>>,
    /// The members by which elements of a set of objects are told apart.
    #[serde(default)]
    pub key: Vec<String>,
    /// Must be given for a create.
    #[serde(default)]
    pub required: bool,
    /// Null is taken and clears it.
    #[serde(default)]
    pub nullable: bool,
    /// The API sets it; in a definition it is left out of everything.
    #[serde(default)]
    pub read_only: bool,
    /// Can't change later: another value means delete and create.
    #[serde(default)]
    pub create_only: bool,
    /// Not taken by a create: sent by an update right after it.
    #[serde(default)]
    pub update_only: bool,
    /// The API takes it and never answers it.
    #[serde(default)]
    pub write_only: bool,
    /// Never shown to a person.
    #[serde(default)]
    pub secret: bool,
    /// What the API takes it to be when it is not sent.
    #[serde(default)]
    pub default: Option<Value>,
    /// What it refers to.
    #[serde(default, rename = "ref")]
    pub reference: Option<Reference>,
    /// Its text stands in a file of its own.
    #[serde(default)]
    pub file: Option<Companion>,
    /// The Deploy CLI keeps it in another kind: a definition may have it, an export leaves it out.
    #[serde(default)]
    pub belongs_to: Option<String>,
    /// An update keeps the members that it does not send, and a null removes one.
    #[serde(default)]
    pub merge: bool,
    /// An empty text clears it.
    #[serde(default)]
    pub empty_clears: bool,
    /// The values it may have.
    #[serde(default, rename = "enum")]
    pub one_of: Vec<Value>,
    /// Smallest number, or fewest characters or elements.
    #[serde(default)]
    pub min: Option<i64>,
    /// Largest number, or most characters or elements.
    #[serde(default)]
    pub max: Option<i64>,
    /// The shape of a text.
    #[serde(default)]
    pub format: Option<Format>,
    /// The name under which a null is sent to clear it, where that differs.
    #[serde(default)]
    pub clear_as: Option<String>,
    /// Older names under which files and answers have it.
    #[serde(default)]
    pub alias: Vec<String>,
    /// It is written under another name in another unit.
    #[serde(default)]
    pub convert: Option<Convert>,
    /// It is written by a call of its own.
    #[serde(default)]
    pub call: Option<FieldCall>,
    /// Among all objects of the kind at most one has it true; making another one so ends it here.
    #[serde(default)]
    pub exclusive: bool,
    /// A change of it is held back until the live object fits.
    #[serde(default)]
    pub until: Option<Until>,
    /// What only the sandbox needs.
    #[serde(default)]
    pub server: ServerField,
}

/// Where the text of a field stands when it has a file of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// The folder, below that of the definitions; paths in the field are relative to it.
    pub folder: String,
    /// The file's name in exports, with `{field}` in it.
    pub name: String,
}

/// The shape of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// No `<` and no `>` (names of applications and APIs).
    NoAngleBrackets,
    /// A host name (RFC 1123).
    Hostname,
    /// Two capital letters (ISO 3166-1 alpha-2).
    CountryCode,
    /// A key or certificate in PEM.
    Pem,
}

/// What a field refers to. In a declaration: `kind` (files have the name, the API the handle),
/// `kind.field` (both have the value of that field), or `kind.field.member via sibling` (a member
/// of an element of a set in the object that the sibling field refers to).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Reference {
    /// The kind referred to.
    pub kind: String,
    /// The field of it, then a member; empty for a reference by handle.
    pub path: Vec<String>,
    /// The sibling field that says which object is meant.
    pub via: Option<String>,
}

impl Reference {
    /// Tells whether files have a name where the API has a handle.
    #[must_use]
    pub fn is_by_handle(&self) -> bool {
        self.path.is_empty()
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (target, via) = match text.split_once(" via ") {
            Some((target, via)) => (target, Some(via.to_owned())),
            None => (text.as_str(), None),
        };
        let mut parts = target.split('.').map(str::to_owned);
        let kind = parts.next().filter(|kind| !kind.is_empty()).ok_or("a reference names a kind")?;
        Ok(Self { kind, path: parts.collect(), via })
    }
}

/// A field that is written under another name and in another unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convert {
    /// The name on the wire.
    pub wire: String,
    /// Value on the wire = value in the file times this, rounded.
    pub times: u32,
}

/// The call that writes a single field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldCall {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`; `{id}` stands for the object's handle.
    pub path: String,
    /// The body; a text `{field}` stands for that field of the object.
    pub body: Map<String, Value>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
}

/// What must be true of the live object before a field can be written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// What the live object must have.
    pub live: Condition,
    /// Why a change is held back otherwise, in words for people.
    pub because: String,
}
