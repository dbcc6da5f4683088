//! What only the sandbox needs to know of an operation beside the five of every kind.
//!
//! A part of [`super`], where the rest of the crate finds it. Every key is explained once, in
//! schemas/README.md.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Fill, Needs};
use crate::kinds::kind::{Condition, Method};

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
