//! What only the sandbox needs to know of a field.
//!
//! A part of [`super`], where the rest of the crate finds it. Every key is explained once, in
//! schemas/README.md.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::{Fill, Holders, ServerKind};
use crate::kinds::kind::{ChildCall, Condition, Endpoint, Kind, List};

/// What a field's declaration says under `server`; most say nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct ForServer(Option<Box<ServerField>>);

impl Deref for ForServer {
    type Target = ServerField;

    fn deref(&self) -> &ServerField {
        static NOTHING: LazyLock<ServerField> = LazyLock::new(ServerField::default);
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for ForServer {
    fn deref_mut(&mut self) -> &mut ServerField {
        self.0.get_or_insert_default()
    }
}

/// Facts about a field that only the sandbox needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mark of its own in the declaration")]
pub struct ServerField {
    /// What a create fills in where nothing was sent; the first case that fits counts. Members of an
    /// object are filled in only where the object was sent.
    #[serde(default)]
    pub fills: Vec<Fill>,
    /// Where it was not sent, it is made of the members beside it that are true.
    #[serde(default)]
    pub collects: Option<Collects>,
    /// A create that does not send it gives it the next number among the objects side by side.
    #[serde(default)]
    pub numbered: bool,
    /// It is kept as the handle of what it refers to, whether that or the name was sent.
    #[serde(default)]
    pub by_handle: bool,
    /// An update fills it in anew; a member of an object that an update replaces, where it was not sent.
    #[serde(default)]
    pub renewed: bool,
    /// A member that stays as it is when an update replaces the object around it and does not send it.
    #[serde(default)]
    pub kept: bool,
    /// A null inside it is a value that is kept.
    #[serde(default)]
    pub keeps_nulls: bool,
    /// It is shown to tokens that have one of these scopes only.
    #[serde(default)]
    pub read_scopes: Vec<String>,
    /// It can be sent with tokens that have one of these scopes only.
    #[serde(default)]
    pub write_scopes: Vec<String>,
    /// A `create_only` field that an update may repeat unchanged.
    #[serde(default)]
    pub repeatable: bool,
    /// What it refers to must be there, else a create is refused as for an unknown handle.
    #[serde(default)]
    pub exists: bool,
    /// The object is deleted with the one that it refers to.
    #[serde(default)]
    pub cascade: bool,
    /// The answers that show it; all without it, or none of a `write_only` field.
    #[serde(default)]
    pub shown_in: Vec<Answer>,
    /// It is shown for objects that fit only.
    #[serde(default)]
    pub shown_when: Condition,
    /// It is shown whatever fields the query asks for.
    #[serde(default)]
    pub always: bool,
    /// What answers show where the object has none, or in the place of a `masked` value.
    #[serde(default)]
    pub shown_as: BTreeMap<Answer, Value>,
    /// The field has a second name in answers.
    #[serde(default)]
    pub mirror: Option<Mirror>,
    /// It is shown from another object.
    #[serde(default)]
    pub joined: Option<Joined>,
    /// It is shown from the objects that name this one: the first in a shape, or how many there are.
    #[serde(default)]
    pub holders: Option<Holders>,
    /// The sent elements become children of this name; only their handles are kept.
    #[serde(default)]
    pub child: Option<String>,
    /// Of a `part` field: a kind in `children` serves what is at its endpoints.
    #[serde(default)]
    pub elsewhere: bool,
    /// Of a `child` or `part` field: what a kind's `server` says, of its elements.
    #[serde(default)]
    pub elements: Option<Box<ServerKind>>,
    /// Of a `child` field: the name under which a create takes elements with the object. Under the field's own
    /// name, updates take them and answers show them too.
    #[serde(default)]
    pub inline: Option<String>,
    /// Of a `child` field: further endpoints of the same elements.
    #[serde(default)]
    pub also: Vec<Endpoints>,
    /// Of a `child` field: its elements as objects of a kind of their own.
    #[serde(skip)]
    pub element: Option<Box<Kind>>,
}

/// The answers of which some show a field and some do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Of a create.
    Create,
    /// Of a read of one object.
    Get,
    /// Of a list.
    List,
    /// Of an update.
    Update,
    /// Of an action.
    Action,
}

/// A second name of a field in answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The name.
    pub name: String,
    /// The members that are mirrored; all without it.
    #[serde(default)]
    pub only: Vec<String>,
    /// It can be sent under that name too.
    #[serde(default)]
    pub accepted: bool,
    /// Answers have no other name for it.
    #[serde(default)]
    pub alone: bool,
}

/// A value that is made of the members of an object that are true.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collects {
    /// What each member brings, in order.
    pub of: serde_json::Map<String, Value>,
    /// The text between the parts of one text; without it the value is a list.
    #[serde(default)]
    pub between: Option<String>,
}

/// A value that answers show from another object: the one to which a member refers, an element of its set, or a
/// child.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// The member that refers; without it the element's own handle, or what it `names`.
    #[serde(default)]
    pub by: Option<String>,
    /// It is shown from a child of that, or without `by` of the object: the newest that fits.
    #[serde(default)]
    pub child: Option<String>,
    /// What the child must have: its members, each a value, or `{field}` for that of the field beside this one.
    #[serde(default, rename = "where")]
    pub fits: BTreeMap<String, Value>,
    /// What is shown, with `{field}` in the place of values; without it the members that are declared here.
    #[serde(default)]
    pub shape: Option<Value>,
}

/// Endpoints of a field's elements beside those of `child`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// How they are listed.
    #[serde(default)]
    pub list: Option<List>,
    /// The list has the elements that fit.
    #[serde(default)]
    pub only: Condition,
    /// How one is read.
    #[serde(default)]
    pub get: Option<Endpoint>,
    /// How elements are added.
    #[serde(default)]
    pub add: Option<ChildCall>,
    /// How elements are changed.
    #[serde(default)]
    pub change: Option<ChildCall>,
    /// How elements are removed.
    #[serde(default)]
    pub remove: Option<ChildCall>,
    /// How all elements are replaced.
    #[serde(default)]
    pub put: Option<ChildCall>,
}
