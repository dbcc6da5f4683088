//! What a declaration says for the sandbox alone: how the real API fills in, generates and hides.
//!
//! The engine does not look in here. Each fact in a declaration cites its evidence there.

use serde::Deserialize;
use serde_json::Value;

use super::kind::Condition;

/// Facts about a kind that only the sandbox needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerKind {
    /// Objects that a fresh tenant has; a singleton's is its state.
    #[serde(default)]
    pub seed: Vec<Value>,
}

/// Facts about a field that only the sandbox needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerField {
    /// What a create fills in; the first case that fits what was sent counts.
    #[serde(default)]
    pub fills: Vec<Fill>,
    /// How a value that the API makes itself looks, such as `cgr_{alnum:16}`.
    #[serde(default)]
    pub generate: Option<String>,
}

/// A value that a create fills in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// What must have been sent; always without it.
    #[serde(default)]
    pub when: Condition,
    /// The value; nothing is filled in without it.
    #[serde(default)]
    pub value: Option<Value>,
}
