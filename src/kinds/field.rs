//! The declaration of a field: its type, its limits, and how the API treats it.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it. Every
//! key is explained once, in schemas/README.md.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::child::{Child, Lookup};
use super::condition::Condition;
use super::endpoint::Method;
use super::entitlement::Entitlement;
use super::fields::Fields;
use super::format::Format;
use super::part::Part;
use super::reference::Reference;
use super::server::ForServer;

/// What a field holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
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
    #[default]
    Any,
}

/// One field of a kind, of an object, or the items of a list. There are thousands, and what few of them have is boxed.
#[derive(Debug, Clone, Default, Deserialize)]
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
    /// It is there only in objects that fit.
    #[serde(default)]
    pub stands: Condition,
    /// What the API takes it to be when it is not sent.
    #[serde(default)]
    pub default: Option<Value>,
    /// Answers have it or not, by how the object was made: an export leaves it out where it says nothing.
    #[serde(default)]
    pub implied: bool,
    /// A create sends its default where a definition leaves it out.
    #[serde(default)]
    pub filled: bool,
    /// What it refers to.
    #[serde(default, rename = "ref")]
    pub reference: Option<Reference>,
    /// The members that refer to something, by name, wherever in it they stand.
    #[serde(default)]
    pub within: Option<Box<BTreeMap<String, Reference>>>,
    /// The reference does not order the kinds: only the objects that have it.
    #[serde(default)]
    pub unordered: bool,
    /// Its text stands in a file of its own.
    #[serde(default)]
    pub file: Option<Box<Companion>>,
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
    pub call: Option<Box<FieldCall>>,
    /// Among all objects of the kind at most one has it true; making another one so ends it here.
    #[serde(default)]
    pub exclusive: bool,
    /// A change of it is held back until the live object fits.
    #[serde(default)]
    pub until: Option<Until>,
    /// It stands at endpoints of its own.
    #[serde(default)]
    pub child: Option<Box<Child>>,
    /// It stands at one endpoint of its own.
    #[serde(default)]
    pub part: Option<Box<Part>>,
    /// Of one at endpoints of its own: what the tenant's plan must have for it.
    #[serde(default)]
    pub entitlement: Option<Box<Entitlement>>,
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
    pub lookup: Option<Box<Lookup>>,
    /// Every object has it, and the API leaves it out of answers to tokens without this scope.
    #[serde(default)]
    pub hidden_without: Option<String>,
    /// The API answers it in a form that can't be sent back, such as encrypted.
    #[serde(default)]
    pub masked: bool,
    /// What only the sandbox needs.
    #[serde(default)]
    pub server: ForServer,
}

/// Where the text of a field stands when it has a file of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// The folder, below that of the definitions; paths in the field are relative to it.
    pub folder: String,
    /// The file's name in exports, with `{field}` in it.
    pub name: String,
    /// In the directory layout it stands beside the object's own file, and this is its name there;
    /// paths in the field are relative to that folder.
    #[serde(default)]
    pub beside: Option<String>,
    /// In the directory layout a file that is missing is sought beside the object's own, under the
    /// same name with the text's ending; an object without one is skipped.
    #[serde(default)]
    pub sought: bool,
}

impl Field {
    /// Tells whether its value is at hand after a read: the API shows it as it was written.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.write_only || self.masked
    }

    /// Tells whether it stands at endpoints of its own, beside the object that has it.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.child.is_some() || self.part.is_some()
    }

    /// Tells whether nothing in it can refer to another object.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.reference.is_none()
            && self.names.is_none()
            && self.within.is_none()
            && self.fields.is_empty()
            && self.items.as_ref().is_none_or(|items| items.is_plain())
    }

    /// Gives the name under which the API has it.
    #[must_use]
    pub fn wire_name(&self) -> &str {
        self.handle_as.as_deref().unwrap_or(&self.name)
    }

    /// Tells whether it is a map whose values are objects with declared members.
    #[must_use]
    pub fn is_map_of_objects(&self) -> bool {
        self.holds == Type::Map && self.items.as_ref().is_some_and(|items| !items.fields.is_empty())
    }

    /// Gives the declaration of a member: that of any, in a map.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        if self.holds == Type::Map { self.items.as_deref() } else { self.fields.get(name) }
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
