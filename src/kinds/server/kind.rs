//! What only the sandbox needs to know of a kind.
//!
//! A part of [`super`], where the rest of the crate finds it. Every key is explained once, in
//! schemas/README.md.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Action, Fill, Holders, Needs, Refusal};
use crate::kinds::kind::{Condition, Endpoint, Fields, Kind, Rule};

/// Facts about a kind that only the sandbox needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerKind {
    /// Objects that a fresh tenant has, their texts being templates; a singleton's is its state.
    #[serde(default)]
    pub seed: Vec<Value>,
    /// A field whose value may stand in a path instead of the handle.
    #[serde(default)]
    pub also_by: Option<String>,
    /// Fields that together no two objects share; a create is refused with status 409.
    #[serde(default)]
    pub unique: Vec<Unique>,
    /// Objects that take on fixed values when they are created.
    #[serde(default)]
    pub becomes: Vec<Becomes>,
    /// What objects become by themselves: a read finds them so, a write that came too early finds them so the
    /// next time.
    #[serde(default)]
    pub settles: Vec<Settles>,
    /// Fields that only the sandbox serves.
    #[serde(default)]
    pub fields: Fields,
    /// Kinds beside this one that only the sandbox serves.
    #[serde(default)]
    pub beside: Vec<Kind>,
    /// Objects that live below one of this kind: declarations like any other, in whose paths the first
    /// variable is the parent's handle.
    #[serde(default)]
    pub children: Vec<Kind>,
    /// Operations beside the five of every kind.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// How an object is replaced whole, beside its update.
    #[serde(default)]
    pub replace: Option<Endpoint>,
    /// Of a `part`: the field that a body stands for which is a text.
    #[serde(default)]
    pub text: Option<String>,
    /// It is what is at the endpoint of a `part`.
    #[serde(skip)]
    pub is_unit: bool,
    /// Of a `part` that is no object: the member under which its value is kept.
    #[serde(skip)]
    pub bare: Option<String>,
    /// How operations are answered that are answered in another way than most.
    #[serde(default)]
    pub answers: Answers,
    /// Query parameters of the list that pick objects, each with the field that it looks at, or the member of
    /// all elements of a list (`/list/[]/member`); several values, also separated by commas, mean any of them.
    /// In `*field*` a text is searched, in any case.
    #[serde(default)]
    pub filters: BTreeMap<String, String>,
    /// The objects of a page for which a request does not say how many.
    #[serde(default)]
    pub page_size: Option<usize>,
    /// Pages leave out their number and the total where they are 0.
    #[serde(default)]
    pub hides_zeros: bool,
    /// A list without pages stands in an object, under the name of its items.
    #[serde(default)]
    pub enveloped: bool,
    /// What is answered for an unknown handle (`{id}` in the message), with status 404.
    #[serde(default)]
    pub missing: Refusal,
    /// What is answered for a handle that has not the form of those that the API makes, with status 400.
    #[serde(default)]
    pub malformed: Option<Refusal>,
    /// Objects that are not taken, by a create or an update.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// What must hold between the fields after every write, beyond the kind's `rules`; the refusal, with
    /// status 400, is `because`.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Objects that are not the user's: what may be done with them.
    #[serde(default)]
    pub protected: Vec<Protected>,
    /// Objects of other kinds that name one of these, so that it can't be deleted.
    #[serde(default)]
    pub used_by: Vec<UsedBy>,
    /// What the parent must have, for a child to be made below it and for its seed to be planted.
    #[serde(default)]
    pub needs: Option<Needs>,
    /// A child is made along with a parent whose create sent what fits.
    #[serde(default)]
    pub made_with: Option<Condition>,
    /// What the parent gets when a child is made below it; the first case that fits counts.
    #[serde(default)]
    pub sets_above: BTreeMap<String, Vec<Fill>>,
    /// Of a kind in `children`: its list has objects of another kind, those with an element that refers to
    /// the parent.
    #[serde(default)]
    pub holders: Option<Holders>,
    /// What a tenant of the free plan is refused; nothing without it.
    #[serde(default)]
    pub free: Option<Free>,
    /// The kind whose endpoints serve this one too: the one that has it as a case of its `variants`.
    #[serde(skip)]
    pub served_by: Option<String>,
}

/// What a tenant of the free plan is refused of a kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Free {
    /// So many objects may be made; without it, nothing may be done with them.
    #[serde(default)]
    pub most: Option<usize>,
    /// The status.
    pub status: u16,
    /// The refusal.
    pub refusal: Refusal,
}

/// Answers that are not like most.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// To a create, or to added elements; 201 with the object without it.
    #[serde(default)]
    pub create: Reply,
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

/// The objects of a kind that name an object, so that it can't be deleted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsedBy {
    /// The kind.
    pub kind: String,
    /// Its field; any without it.
    #[serde(default)]
    pub field: Option<String>,
    /// A query parameter; where it is `true` the object is deleted all the same.
    #[serde(default)]
    pub unless: Option<String>,
    /// The status of the refusal.
    pub status: u16,
    /// The refusal.
    pub refusal: Refusal,
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

/// What objects become by themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settles {
    /// The objects.
    pub when: Condition,
    /// What they get; the first case that fits counts.
    pub set: BTreeMap<String, Vec<Fill>>,
}
