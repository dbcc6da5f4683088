//! The operations of the API that a declaration names, and how a list is cut into pages.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it. Every
//! key is explained once, in schemas/README.md.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::condition::Condition;

/// One operation of the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`; `{id}` stands for the object's handle.
    pub path: String,
    /// Fixed query parameters of a read.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
    /// The rate limit that it counts against, if it has one of its own.
    #[serde(default)]
    pub bucket: Option<String>,
    /// An update that replaces the object: what a change does not touch has to be sent along.
    #[serde(default)]
    pub replaces: bool,
}

/// Fills an object's handle in the path of an endpoint: as `{id}`, or its parts in the place of variables.
#[must_use]
pub fn with_handle(path: &str, handle: &str, encoded: fn(&str) -> String) -> String {
    let path = path.replace("{id}", &encoded(handle));
    let mut parts = handle.split('/');
    let filled = path.split('/').map(|segment| {
        let part = segment.starts_with('{').then(|| parts.next()).flatten();
        part.map_or_else(|| segment.to_owned(), encoded)
    });
    filled.collect::<Vec<_>>().join("/")
}

impl Endpoint {
    /// Gives its query parameters.
    #[must_use]
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// How all objects of a kind are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Path below `/api/v2`.
    pub path: String,
    /// The member of the answer that holds the objects.
    pub items: String,
    /// Styles that the endpoint knows, the best first.
    pub paging: Vec<Paging>,
    /// The largest page, in objects.
    #[serde(default = "List::default_size")]
    pub size: usize,
    /// Fixed query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Pages are asked for with `include_totals`.
    #[serde(default = "List::default_totals")]
    pub totals: bool,
    /// It has a part of each object only: what is needed of them is read one by one.
    #[serde(default)]
    pub summary: bool,
    /// Two kinds share the endpoint: those that fit are of this one.
    #[serde(default, rename = "where")]
    pub only: Condition,
    /// Two kinds share the endpoint: those that fit are of the other one.
    #[serde(default)]
    pub except: Option<Condition>,
    /// Any one of these scopes is enough.
    pub scopes: Vec<String>,
    /// The rate limit that it counts against, if it has one of its own.
    #[serde(default)]
    pub bucket: Option<String>,
}

impl List {
    fn default_size() -> usize {
        50
    }

    fn default_totals() -> bool {
        true
    }

    /// Tells whether an object of the list is of the kind that the list is declared for.
    #[must_use]
    pub fn holds(&self, object: &Map<String, Value>) -> bool {
        self.only.fits(object) && !self.except.as_ref().is_some_and(|other| other.fits(object))
    }
}

/// How a list is cut into pages (paging.md of the API facts; Auth0 "Pagination").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Paging {
    /// One answer holds all.
    None,
    /// `page` from 0, `per_page`, `include_totals`; at most 1,000 objects can be reached.
    Page,
    /// `take`, then `from` with the answer's `next`.
    Checkpoint,
}

/// HTTP methods of the Management API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::with_handle;

    #[test]
    fn a_handle_stands_in_a_path_whole_or_in_parts() {
        let at = |path, handle| with_handle(path, handle, |part| part.replace('/', "%2F"));
        assert_eq!(at("/things/{id}/texts", "a/b"), "/things/a%2Fb/texts");
        assert_eq!(at("/factors/{name}/providers/{provider}", "sms/twilio"), "/factors/sms/providers/twilio");
        assert_eq!(at("/factors/{name}/providers/{provider}", "sms"), "/factors/sms/providers/{provider}");
    }
}
