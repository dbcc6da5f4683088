//! From a change to the HTTP calls that it takes.

use std::fmt;

use serde_json::{Map, Value};

use crate::kinds::kind::Method;

/// One request to the Management API. Its body may hold secrets; Debug does not show it.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`, percent-encoded; `{id}` still in it stands for the handle that the
    /// create before it answers.
    pub path: String,
    /// The body.
    pub body: Option<Map<String, Value>>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Gives the calls that a change takes.
///
/// # Errors
/// Always, here: the planner's own function stands in its place after the merge.
pub fn calls(
    _kind: &crate::kinds::kind::Kind,
    _change: &super::Change,
    _desired: Option<&crate::tenant::Object>,
    _live: Option<&crate::tenant::Object>,
    _names: &crate::tenant::names::Names,
) -> Result<Vec<Call>, crate::error::Problem> {
    Err(crate::error::Problem::error("not built yet"))
}
