//! What a declaration says for the sandbox alone: how the real API fills in, generates, hides and
//! refuses.
//!
//! The engine does not look in here. Each fact in a declaration cites its evidence there; every key is
//! explained once, in schemas/README.md, and so are the parts of templates.

mod action;
mod field;
mod kind;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;

use super::kind::Condition;
pub use action::{Action, Restores};
pub use field::{Answer, Collects, Endpoints, ForServer, Joined, Mirror};
pub use kind::{Answers, Becomes, Free, Protected, Refused, Reply, ServerKind, Settles, Unique, UsedBy};

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

/// The objects of a kind that hold an element which refers to a given object, or name it in a field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holders {
    /// The kind.
    pub kind: String,
    /// Its `child` field, or another one.
    pub field: String,
    /// What is shown of an object, with `{field}` in the place of values, for a list the members of the naming
    /// element among them; without it the object, and for a field the number of objects.
    #[serde(default)]
    pub shape: Option<Value>,
}
