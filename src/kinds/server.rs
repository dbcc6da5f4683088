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

use super::kind::{Condition, Kind, Method, Rule};

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
    /// How operations are answered that are answered in another way than most.
    #[serde(default)]
    pub answers: Answers,
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
    /// Operations beside the five of every kind.
    #[serde(default)]
    pub actions: Vec<Action>,
}

/// Answers that are not like most.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// To a create; 201 without it.
    #[serde(default)]
    pub create: Reply,
    /// To an update; 200 without it.
    #[serde(default)]
    pub update: Reply,
    /// To a delete; 204 without it.
    #[serde(default)]
    pub delete: Reply,
}

/// How one operation is answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The status.
    #[serde(default)]
    pub status: Option<u16>,
    /// What is not there is refused; a delete of it is answered like any other without it.
    #[serde(default)]
    pub missing: bool,
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
    /// An update fills it in anew; of an object that the update replaced, its missing members.
    #[serde(default)]
    pub renewed: bool,
    /// A member that stays as it was where an update replaces the object around it without it; only a create
    /// requires it.
    #[serde(default)]
    pub kept: bool,
    /// The text that answers have in its place.
    #[serde(default)]
    pub shown_as: Option<String>,
}

/// The answers of which some show a field and some do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
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

/// What an object must have for an action.
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
