//! The declaration of a field that stands at endpoints of its own: a list below the object, whose
//! elements are added, changed and removed one by one or in groups, or which is replaced whole.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it. Every
//! key is explained once, in schemas/README.md.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::kind::{List, Method};

/// How a field at endpoints of its own is read and written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Child {
    /// How it is read; `{id}` in the path is the object's handle.
    pub list: List,
    /// The member of an answer's element that is the element, for lists of texts.
    #[serde(default)]
    pub element: Option<String>,
    /// The member of an answer's element that is its handle, where it has one of its own.
    #[serde(default)]
    pub id: Option<String>,
    /// How elements are added.
    #[serde(default)]
    pub add: Option<ChildCall>,
    /// How elements are changed; without it they are removed and added.
    #[serde(default)]
    pub change: Option<ChildCall>,
    /// How elements are removed.
    #[serde(default)]
    pub remove: Option<ChildCall>,
    /// How all elements are replaced.
    #[serde(default)]
    pub put: Option<ChildCall>,
}

/// A call that writes elements. Texts of its body are templates: `{item}` is an element (for a change
/// without what can't change), `{item.name}` a member of it, `{handle}` its own handle, `{named}` the
/// handle of the object that it names. A list of one template in the body takes several elements.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildCall {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`; `{id}` is the object's handle, the rest as in the body.
    pub path: String,
    /// The body.
    #[serde(default)]
    pub body: Option<Value>,
    /// The most elements of one call.
    #[serde(default)]
    pub most: Option<usize>,
    /// The rate limit that it counts against, if it has one of its own.
    #[serde(default)]
    pub bucket: Option<String>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
}

impl ChildCall {
    /// Tells whether one call takes several elements.
    #[must_use]
    pub fn takes_several(&self) -> bool {
        fn has_list(value: &Value) -> bool {
            match value {
                Value::Array(_) => true,
                Value::Object(members) => members.values().any(has_list),
                _ => false,
            }
        }
        self.body.as_ref().is_some_and(has_list)
    }
}

/// A value that is found by reading a list right before the write.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The list's path below `/api/v2`; `{member}` is a member of the object that the field is in.
    pub path: String,
    /// The member of the answer that holds the list's elements.
    pub items: String,
    /// What the element must have, each a member of the object that the field is in.
    #[serde(rename = "where")]
    pub fits: BTreeMap<String, String>,
    /// The member of the element that is the value.
    pub value: String,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
}
