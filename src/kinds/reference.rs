//! What a field refers to, as a declaration writes it.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it.

use serde::Deserialize;

/// What a field refers to. In a declaration: `kind` (files have the name, the API the handle),
/// `kind.field` (both have the value of that field), or `kind.field.member via sibling` (a member
/// of an element of a set in the object that the sibling field refers to). `kind or kind` means an
/// object of either, on one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Reference {
    /// The kind referred to.
    pub kind: String,
    /// The other kind that it may be of.
    pub or: Option<String>,
    /// The field of it, then a member; empty for a reference by handle.
    pub path: Vec<String>,
    /// The sibling field that says which object is meant.
    pub via: Option<String>,
}

impl Reference {
    /// Goes through the kinds that it may mean an object of.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.kind.as_str()).chain(self.or.as_deref())
    }

    /// Tells whether files have a name where the API has a handle.
    #[must_use]
    pub fn is_by_handle(&self) -> bool {
        self.path.is_empty()
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (target, via) = match text.split_once(" via ") {
            Some((target, via)) => (target, Some(via.to_owned())),
            None => (text.as_str(), None),
        };
        let (kinds, path) = target.split_once('.').unwrap_or((target, ""));
        let (kind, or) = kinds.split_once(" or ").map_or((kinds, None), |(kind, or)| (kind, Some(or.to_owned())));
        if kind.is_empty() {
            return Err("a reference names a kind".to_owned());
        }
        let path = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Ok(Self { kind: kind.to_owned(), or, path, via })
    }
}
