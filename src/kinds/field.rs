//! The declaration of a field: its type, its limits, and how the API treats it.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it. Every
//! key is explained once, in schemas/README.md.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::child::{Child, Lookup};
use super::kind::{Condition, Method};
use super::server::ServerField;

/// Fields in the order of the declaration.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// Finds a field by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// Finds a field by name, to change it.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.0.iter_mut().find(|field| field.name == name)
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
                    || field.handle_as.as_deref() == Some(name)
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

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
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
    /// The keyword that stands for the secret in exports, with `{field}` of the object in it.
    #[serde(default)]
    pub marker: Option<String>,
    /// What the API takes it to be when it is not sent.
    #[serde(default)]
    pub default: Option<Value>,
    /// A create sends its default where a definition leaves it out.
    #[serde(default)]
    pub filled: bool,
    /// What it refers to.
    #[serde(default, rename = "ref")]
    pub reference: Option<Reference>,
    /// The reference does not order the kinds: only the objects that have it.
    #[serde(default)]
    pub unordered: bool,
    /// Its text stands in a file of its own.
    #[serde(default)]
    pub file: Option<Companion>,
    /// The Deploy CLI keeps it in another kind: a definition may have it, an export leaves it out.
    #[serde(default)]
    pub belongs_to: Option<String>,
    /// An update keeps the members that it does not send, and a null removes one.
    #[serde(default)]
    pub merge: bool,
    /// An empty text or list clears it.
    #[serde(default)]
    pub empty_clears: bool,
    /// An update that sends that field and not this one removes this one.
    #[serde(default)]
    pub lost_with: Option<String>,
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
    /// It stands at endpoints of its own.
    #[serde(default)]
    pub child: Option<Child>,
    /// Where the API's element of a list has it: a JSON Pointer (RFC 6901).
    #[serde(default)]
    pub from: Option<String>,
    /// The API has the handle of what it refers to, under this name.
    #[serde(default)]
    pub handle_as: Option<String>,
    /// Elements of a list: each names an object of another kind by several members.
    #[serde(default)]
    pub names: Option<Named>,
    /// It is found by a read right before the write.
    #[serde(default)]
    pub lookup: Option<Lookup>,
    /// Every object has it, and the API leaves it out of answers to tokens without this scope.
    #[serde(default)]
    pub hidden_without: Option<String>,
    /// The API answers it in a form that can't be sent back, such as encrypted.
    #[serde(default)]
    pub masked: bool,
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
    /// Small letters, digits, `-` and `_`, a letter or digit first (names of organizations).
    OrganizationName,
    /// A key or certificate in PEM.
    Pem,
}

/// What a field refers to. In a declaration: `kind` (files have the name, the API the handle),
/// `kind.field` (both have the value of that field), or `kind.field.member via sibling` (a member
/// of an element of a set in the object that the sibling field refers to). `kind or kind` means an
/// object of either, on one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Reference {
    /// The kind referred to.
    pub kind: String,
    /// The other kind that it may be of.
    pub or: Option<String>,
    /// The field of it, then a member; empty for a reference by handle.
    pub path: Vec<String>,
    /// The sibling field that says which object is meant.
    pub via: Option<String>,
}

impl Field {
    /// Tells whether its value is at hand after a read: the API shows it as it was written.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.write_only || self.masked
    }

    /// Gives the name under which the API has it.
    #[must_use]
    pub fn wire_name(&self) -> &str {
        self.handle_as.as_deref().unwrap_or(&self.name)
    }

    /// Gives the declaration of a member: that of any, in a map.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        if self.holds == Type::Map { self.items.as_deref() } else { self.fields.get(name) }
    }
}

impl Reference {
    /// Goes through the kinds that it may mean an object of.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.kind.as_str()).chain(self.or.as_deref())
    }

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
        let (kinds, path) = target.split_once('.').unwrap_or((target, ""));
        let (kind, or) = kinds.split_once(" or ").map_or((kinds, None), |(kind, or)| (kind, Some(or.to_owned())));
        if kind.is_empty() {
            return Err("a reference names a kind".to_owned());
        }
        let path = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Ok(Self { kind: kind.to_owned(), or, path, via })
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
    /// The body; a text `{field}` stands for that field of the object. None is sent without it.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
    /// The only value that the call can bring about.
    #[serde(default)]
    pub value: Option<Value>,
    /// Why another value can't be, in words for people.
    #[serde(default)]
    pub because: String,
    /// Every other write of the object undoes it, so that it is made again after each.
    #[serde(default)]
    pub again: bool,
    /// What is waited for before the call.
    #[serde(default)]
    pub wait: Option<Wait>,
}

/// What the live object must be before a call can be made; it gets there by itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// What the live object must fit.
    pub until: Condition,
    /// What it fits when it will never get there.
    pub unless: Condition,
    /// What it must fit after the call, before the change counts as done.
    #[serde(default)]
    pub then: Condition,
    /// How long either may take, in seconds.
    pub seconds: u64,
}

/// The object of another kind that an element of a list names by its members.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The kind.
    pub kind: String,
    /// The members; one that a definition leaves out is taken from the only object that has the others.
    pub by: Vec<String>,
    /// The name in its address, with `{member}` in it.
    pub address: String,
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
