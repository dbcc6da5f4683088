//! The plan: what would have to change in a tenant for it to equal the definitions, as a value.
//!
//! `plan()` is pure: two tenants and a policy in, a [`Plan`] out, and nothing that is not in it can
//! be carried out. On the way of the data it stands between config and api on one side, render and
//! apply on the other:
//!
//! ```text
//!   desired, live -> names -> canon -> scope -> pair -> diff -> policy -> Plan -> call
//! ```

mod body;
pub mod call;
pub mod diff;
mod displaced;
mod elements;
pub mod ledger;
pub mod links;
mod named;
pub mod pair;
mod parts;
pub mod planner;
pub mod policy;
pub mod references;
pub mod saved;
pub mod scope;
mod secrets;
mod sets;
mod settle;
pub mod snapshot;
pub mod unread;

pub use planner::{Planned, plan, shows};

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds::kind::Condition;
use crate::tenant::{Address, Pattern};

/// Version of the plan's JSON form.
pub const FORMAT_VERSION: &str = "1";

/// What would have to change, what was held back and why. Holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Always [`FORMAT_VERSION`].
    pub format_version: String,
    /// The version of tenantctl that made it.
    pub tool_version: String,
    /// The environment's name.
    pub environment: String,
    /// The tenant's host, or `sandbox`.
    pub tenant: String,
    /// See `Desired::digest`.
    pub definitions_sha256: String,
    /// What the user agreed to when it was made.
    #[serde(default)]
    pub consent: Consent,
    /// The changes, each after those it requires.
    pub changes: Vec<Change>,
    /// What is not done, with the reason.
    pub held: Vec<Held>,
    /// Secrets that can't be compared or are kept; none of them is a change.
    #[serde(default)]
    pub secrets: Vec<SecretNote>,
    /// Objects that no definition is about, where they are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<Unmanaged>,
    /// Counts.
    pub summary: Summary,
}

/// What the user agreed to by flags or the project file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Deletes and replaces are changes.
    pub allow_delete: bool,
    /// Patterns of objects whose secrets are written though they can't be compared.
    pub rotate: Vec<String>,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// Fields of it change.
    Update,
    /// A write-once field changes: it is deleted and made again.
    Replace,
    /// It is deleted.
    Delete,
}

impl Action {
    /// Tells whether an object is made, which gets a new id.
    #[must_use]
    pub fn makes(self) -> bool {
        matches!(self, Self::Create | Self::Replace)
    }
}

/// One object that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its kind.
    pub kind: String,
    /// Its name; empty for a singleton.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// The API's handle, if it is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The fields that change, as JSON Patch operations (RFC 6902) on the object.
    pub fields: Vec<Edit>,
    /// Fields that the change undoes, as deploying is by every other change, and brings about again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<String>,
    /// Addresses of the changes that must be done before.
    pub requires: Vec<String>,
}

/// What is done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It was not there.
    Add,
    /// It was another.
    Replace,
    /// It goes.
    Remove,
}

/// One value that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// What is done.
    pub op: Op,
    /// Where, as a JSON Pointer (RFC 6901) into the object.
    pub path: String,
    /// The live value; missing for an add, and for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<Value>,
    /// The desired value; missing for a remove, and for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Value>,
    /// Both values are secret and not in here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// For a set: its members that come, go and change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetEdit>,
    /// Where the desired value stands in the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Reads a value that is there: a null is a value, not a missing one.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// How the members of a set change, in canonical order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SetEdit {
    /// Members that come.
    pub added: Vec<Value>,
    /// Members that go.
    pub removed: Vec<Value>,
    /// Members of the same key that change: `{"before": .., "after": ..}`.
    pub changed: Vec<Value>,
}

/// A place in a file, as plans show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Path relative to the project folder.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// Something that is not done, with the reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The object's kind.
    pub kind: String,
    /// The object's name; empty for a singleton.
    pub name: String,
    /// What is not done.
    pub action: Action,
    /// The value within the object that it is about; the object as a whole without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why.
    pub reason: String,
}

/// An object of the tenant that no definition is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unmanaged {
    /// Its kind.
    pub kind: String,
    /// Its name; empty for a singleton.
    pub name: String,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A secret that is no change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretNote {
    /// The object's kind.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// Where in the object.
    pub path: String,
    /// What about it.
    pub state: SecretState,
    /// The keyword without a value that keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
}

/// Why a secret is no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretState {
    /// The API does not show it.
    NotComparable,
    /// Its marker has no value: the tenant keeps what it has.
    Kept,
}

/// Counts of objects, by what is done with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Objects to make.
    pub create: usize,
    /// Objects to change.
    pub update: usize,
    /// Objects to delete and make again.
    pub replace: usize,
    /// Objects to delete.
    pub delete: usize,
    /// Things held back.
    pub held: usize,
    /// Objects that are as they should be.
    pub unchanged: usize,
    /// Live objects that no definition asks for and that are left alone.
    pub unmanaged: usize,
    /// Secrets that can't be compared.
    #[serde(default)]
    pub not_comparable: usize,
    /// Secrets that are kept.
    #[serde(default)]
    pub kept: usize,
}

/// What may be done, and for whom the plan is.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The environment's name.
    pub environment: String,
    /// The tenant's host, or `sandbox`.
    pub tenant: String,
    /// Deletes and replaces are changes; held back otherwise.
    pub allow_delete: bool,
    /// Lists of patterns: only what fits one of each list. The project file and the flags give one each.
    pub only: Vec<Vec<Pattern>>,
    /// Just these objects: what was written, or what a snapshot has.
    pub just: Option<BTreeSet<Address>>,
    /// Not these.
    pub exclude: Vec<Pattern>,
    /// Not those of a kind that fit a condition.
    pub exclude_where: Vec<(String, Condition)>,
    /// Fields that are neither compared nor sent.
    pub exclude_fields: Vec<KindField>,
    /// Never deleted or replaced.
    pub protect: Vec<Pattern>,
    /// Objects that have a new name.
    pub moved: Vec<Moved>,
    /// Objects whose secrets are written even though they can't be compared.
    pub rotate: Vec<Pattern>,
    /// The id of the application that tenantctl signs in with.
    pub own_client: Option<String>,
    /// A plan lists what no definition is about, of all kinds.
    pub lists_unmanaged: bool,
}

/// A field of a kind's objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KindField {
    /// The kind.
    pub kind: String,
    /// A JSON Pointer (RFC 6901).
    pub pointer: String,
}

impl KindField {
    /// Tells whether a pointer means the field, or a part of it.
    #[must_use]
    pub fn holds(&self, pointer: &str) -> bool {
        pointer.strip_prefix(&self.pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Policy {
    /// Tells whether a value of a kind's objects is neither compared nor sent.
    #[must_use]
    pub fn leaves_out(&self, kind: &str, pointer: &str) -> bool {
        self.exclude_fields.iter().any(|field| field.kind == kind && field.holds(pointer))
    }

    /// Gives the renames: kind, old name, new name.
    #[must_use]
    pub fn moves(&self) -> Vec<(&str, &str, &str)> {
        self.moved.iter().map(|moved| (moved.kind.as_str(), moved.from.as_str(), moved.to.as_str())).collect()
    }
}

/// An object that was renamed in the definitions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// Its kind.
    pub kind: String,
    /// Its name in the tenant.
    pub from: String,
    /// Its name in the definitions.
    pub to: String,
}

impl Plan {
    /// Tells whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Change {
    /// Gives the object's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::new(&self.kind, &self.name)
    }
}
