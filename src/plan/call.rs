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
