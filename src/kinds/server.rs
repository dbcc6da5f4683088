//! What a declaration says for the sandbox alone: how the real API fills in, generates, hides and
//! refuses.
//!
//! The engine does not look in here. Each fact in a declaration cites its evidence there. Texts that
//! are templates may hold these parts: `{alnum:16}`, `{digits:16}`, `{hex:24}`, `{secret:64}` (random characters),
//! `{uuid}`, `{now}`, `{tenant.domain}`, `{tenant.name}`, `{field}` (a field of the object),
//! `{digest:field}` (SHA-256 of it, base64url) and `{slug:field}` (lower case, `_` as `-`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;

use super::kind::{ChildCall, Condition, Endpoint, Fields, Kind, List, Method, Rule};

/// Facts about a kind that only the sandbox needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerKind {
    /// Objects that a fresh tenant has, their texts being templates; a singleton's is its state.
    #[serde(default)]
    pub seed: Vec<Value>,
    /// What is answered for an unknown handle, with status 404.
    #[serde(default)]
    pub missing: Refusal,
    /// A field whose value may stand in a path instead of the handle.
    #[serde(default)]
    pub also_by: Option<String>,
    /// Fields that together no two objects share; a create is refused with status 409.
    #[serde(default)]
    pub unique: Vec<Unique>,
    /// Query parameters of the list that pick objects, each with the field that it looks at; several
    /// values, also separated by commas, mean any of them.
    #[serde(default)]
    pub filters: BTreeMap<String, String>,
    /// Query parameters of the list that pick objects, each with the field whose text holds what is
    /// searched, in any case.
    #[serde(default)]
    pub searches: BTreeMap<String, String>,
    /// How operations are answered that are answered in another way than most.
    #[serde(default)]
    pub answers: Answers,
    /// Fields that only the sandbox serves.
    #[serde(default)]
    pub fields: Fields,
    /// Kinds beside this one that only the sandbox serves.
    #[serde(default)]
    pub beside: Vec<Kind>,
    /// Of a kind in `children`: its list has objects of another kind, those with an element that refers to
    /// the parent.
    #[serde(default)]
    pub holders: Option<Holders>,
    /// Objects that are not the user's: what may be done with them.
    #[serde(default)]
    pub protected: Vec<Protected>,
    /// What must hold between the fields after every write, beyond the kind's `rules`; the refusal, with
    /// status 400, is `because`.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Objects that take on fixed values when they are created.
    #[serde(default)]
    pub becomes: Vec<Becomes>,
    /// Objects that live below one of this kind: declarations like any other, in whose paths the first
    /// variable is the parent's handle.
    #[serde(default)]
    pub children: Vec<Kind>,
    /// A child can't be deleted while its parent names it; with this refusal, status 400.
    #[serde(default)]
    pub held: Option<Refusal>,
    /// How an object is replaced whole, beside its update.
    #[serde(default)]
    pub replace: Option<Endpoint>,
    /// Operations beside the five of every kind.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// The kind whose endpoints serve this one too; the objects of both are kept together.
    #[serde(default)]
    pub served_by: Option<String>,
    /// Objects that are not taken, by a create or an update.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// What the parent must have, for a child to be made below it and for its seed to be planted.
    #[serde(default)]
    pub below: Option<Needs>,
    /// What the parent gets when a child is made below it; the first case that fits counts.
    #[serde(default)]
    pub sets_above: BTreeMap<String, Vec<Fill>>,
    /// A child is made along with a parent whose create sent what fits.
    #[serde(default)]
    pub made_with: Option<Condition>,
    /// What objects become by themselves: a read finds them so, a write that came too early finds them so the
    /// next time.
    #[serde(default)]
    pub settles: Vec<Settles>,
    /// Objects of other kinds that name one of these, so that it can't be deleted.
    #[serde(default)]
    pub used_by: Vec<UsedBy>,
    /// The objects of a page for which a request does not say how many.
    #[serde(default)]
    pub page_size: Option<usize>,
    /// Pages leave out their number and the total where they are 0.
    #[serde(default)]
    pub hides_zeros: bool,
}

/// What objects become by themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settles {
    /// The objects.
    pub when: Condition,
    /// What they get; the first case that fits counts.
    pub set: BTreeMap<String, Vec<Fill>>,
}

/// The objects of a kind that name an object in a field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsedBy {
    /// The kind.
    pub kind: String,
    /// Its field.
    pub field: String,
    /// A query parameter; where it is `true` the object is deleted all the same.
    #[serde(default)]
    pub unless: Option<String>,
    /// The status of the refusal.
    pub status: u16,
    /// The refusal.
    pub refusal: Refusal,
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
    /// The field has a second name in answers.
    #[serde(default)]
    pub mirror: Option<Mirror>,
    /// The answers that show it; all without it, or none of a `write_only` field.
    #[serde(default)]
    pub shown_in: Vec<Answer>,
    /// It is shown whatever fields the query asks for.
    #[serde(default)]
    pub always: bool,
    /// It is shown for objects that fit only.
    #[serde(default)]
    pub shown_when: Condition,
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
    /// The sent elements become children of this name; only their handles are kept.
    #[serde(default)]
    pub child: Option<String>,
    /// It is computed: the handle of the object of a kind that names this one.
    #[serde(default)]
    pub backlink: Option<Backlink>,
    /// An update fills it in anew; a member of an object that an update replaces, where it was not sent.
    #[serde(default)]
    pub renewed: bool,
    /// What an update fills in anew in the place of `fills`.
    #[serde(default)]
    pub renews: Vec<Fill>,
    /// A member that stays as it is when an update replaces the object around it and does not send it.
    #[serde(default)]
    pub kept: bool,
    /// A null inside it is a value that is kept.
    #[serde(default)]
    pub keeps_nulls: bool,
    /// Where it was not sent, it is made of the members beside it that are true.
    #[serde(default)]
    pub collects: Option<Collects>,
    /// The text that answers have in its place.
    #[serde(default)]
    pub shown_as: Option<String>,
    /// It is shown from the newest child that fits.
    #[serde(default)]
    pub newest: Option<Newest>,
    /// It is shown as the number of objects of a kind that name this one in a field.
    #[serde(default)]
    pub counts: Option<Holders>,
    /// A create gives it the next number among the objects side by side.
    #[serde(default)]
    pub numbered: bool,
    /// It is kept as the handle of what it refers to, whether that or the name was sent.
    #[serde(default)]
    pub by_handle: bool,
    /// It is shown from what a member refers to.
    #[serde(default)]
    pub joined: Option<Joined>,
    /// What answers show where the object has none.
    #[serde(default)]
    pub absent: BTreeMap<Answer, Value>,
    /// Of a `child` field: what a kind's `server` says, of its elements.
    #[serde(default)]
    pub elements: Option<Box<ServerKind>>,
    /// Of a `child` field: it can be sent with the object too, and answers show it there.
    #[serde(default)]
    pub inline: bool,
    /// Of a `child` field: how one element is read.
    #[serde(default)]
    pub get: Option<Endpoint>,
    /// Of a `child` field: the name under which a create takes elements with the object.
    #[serde(default)]
    pub sent_as: Option<String>,
    /// Of a `child` field: further endpoints of the same elements.
    #[serde(default)]
    pub also: Vec<Endpoints>,
    /// Of a `child` field: its elements as objects of a kind of their own.
    #[serde(skip)]
    pub element: Option<Box<Kind>>,
}

/// A value that answers show from an object of another kind, or from an element of one's set: that to
/// which a member refers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// The member that refers; without it the element's own handle, or what it `names`.
    #[serde(default)]
    pub by: Option<String>,
    /// The field there, or a JSON Pointer; without it the members that are declared here.
    #[serde(default)]
    pub field: Option<String>,
    /// It is shown from a child of that: the first in which members are as those beside it.
    #[serde(default)]
    pub child: Option<String>,
    /// What the child must have: its members, each with the one beside it.
    #[serde(default, rename = "where")]
    pub fits: BTreeMap<String, String>,
}

/// The newest child of an object, shown in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// The child's name.
    pub child: String,
    /// The children that count.
    #[serde(default)]
    pub when: Condition,
    /// What is shown of it, with `{field}` in the place of values; without it the members that are declared here.
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

/// Answers that are not like most.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// To a create, or to added elements; 201 with the object without it.
    #[serde(default)]
    pub create: Reply,
    /// To an update, or to changed elements; 200 with the object without it.
    #[serde(default)]
    pub update: Reply,
    /// To a delete, or to removed elements; 204 without it.
    #[serde(default)]
    pub delete: Reply,
    /// To replaced elements; 200 with their list without it.
    #[serde(default)]
    pub replace: Reply,
}

/// How one operation is answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The status.
    #[serde(default)]
    pub status: Option<u16>,
    /// The body.
    #[serde(default)]
    pub body: Option<Value>,
    /// What is not there is refused; a delete of it is answered like any other without it.
    #[serde(default)]
    pub missing: bool,
}

/// The objects of a kind that hold an element which refers to a given object, or name it in a field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holders {
    /// The kind.
    pub kind: String,
    /// Its `child` field, or another one.
    pub field: String,
    /// What is shown of an object, with `{field}` in the place of values, the members of the naming element among
    /// them; without it the object.
    #[serde(default)]
    pub shape: Option<Value>,
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

/// A value that is filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// What must have been sent, or be there by then; always without it.
    #[serde(default)]
    pub when: Condition,
    /// The value as it is, null included; nothing is filled in without it and `make`.
    #[serde(default, deserialize_with = "present")]
    pub value: Option<Value>,
    /// The value, its texts being templates.
    #[serde(default)]
    pub make: Option<Value>,
    /// The field beside it, or the JSON Pointer, that has the value; nothing is filled in where it is missing.
    #[serde(default)]
    pub from: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Objects that are not taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The objects that fit.
    pub when: Condition,
    /// What fitted before: of an update only.
    #[serde(default)]
    pub was: Option<Condition>,
    /// `errorCode`; that of a body that is not valid without it.
    #[serde(default)]
    pub code: Option<String>,
    /// `message`; the status is 400.
    pub message: String,
}

/// A refusal in the words of the API.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// `errorCode`.
    #[serde(default)]
    pub code: Option<String>,
    /// `message`.
    pub message: String,
}

/// Fields that together no two objects share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// The fields.
    pub fields: Vec<String>,
    /// The refusal, with status 409.
    pub refusal: Refusal,
}

/// Objects of which little may be changed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protected {
    /// The objects that fit.
    pub when: Condition,
    /// Fields that may be changed all the same.
    #[serde(default)]
    pub except: Vec<String>,
    /// The refusal of a change, with status 400; without it every field may be changed.
    #[serde(default)]
    pub update: Option<Refusal>,
    /// The refusal of a delete, with status 400; without it the object may be deleted.
    #[serde(default)]
    pub delete: Option<Refusal>,
}

/// Objects that take on fixed values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Becomes {
    /// The field that tells them.
    pub field: String,
    /// Its value, a template.
    pub equals: String,
    /// The values.
    pub set: serde_json::Map<String, Value>,
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

/// The handle of the object of a kind whose `field` equals `equals` of this one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backlink {
    /// The kind.
    pub kind: String,
    /// The field in it.
    pub field: String,
    /// The field in this object.
    pub equals: String,
}

/// An operation beside the five of every kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`.
    pub path: String,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
    /// Status of the answer.
    #[serde(default = "Action::default_status")]
    pub status: u16,
    /// The field of the body by which the object is found; the body holds nothing else.
    #[serde(default)]
    pub by: Option<String>,
    /// The object is the one that fits, if the path has no handle and there is no `by`.
    #[serde(default)]
    pub find: Condition,
    /// An object is created where none is found; what was sent counts as sent with a create.
    #[serde(default)]
    pub creates: bool,
    /// A value of `by`, a template, that means the tenant itself: `exclusive` fields that are `set` end in all
    /// objects, and the answer is what was sent.
    #[serde(default)]
    pub tenant: Option<String>,
    /// What the object must have; an object that is not found by `by` has it not.
    #[serde(default)]
    pub needs: Option<Needs>,
    /// What the object gets; the first case that fits counts.
    #[serde(default)]
    pub set: BTreeMap<String, Vec<Fill>>,
    /// Flags that move on by one among the objects beside a created one, which gets the first.
    #[serde(default)]
    pub moves: Vec<String>,
    /// An object is made beside it with these fields of it, as below the same parent; it is the answer.
    #[serde(default)]
    pub copies: Vec<String>,
    /// The object gets fields of one of its children.
    #[serde(default)]
    pub restores: Option<Restores>,
    /// The answer, a template; the object without it. A member `{object}` stands for the object.
    #[serde(default)]
    pub answer: Option<Value>,
    /// The answer where no object is found, a template; without it the refusal of `needs`, or the kind's `missing`.
    #[serde(default)]
    pub otherwise: Option<Value>,
}

impl Action {
    fn default_status() -> u16 {
        200
    }
}

/// Fields that an object gets from one of its children.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restores {
    /// The child's name.
    pub child: String,
    /// The member of the body that has its handle.
    pub by: String,
    /// The fields.
    pub fields: Vec<String>,
}

/// What an object must have for an action, or for a child.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// The condition.
    pub live: Condition,
    /// The status otherwise.
    pub status: u16,
    /// The refusal otherwise.
    pub refusal: Refusal,
}
