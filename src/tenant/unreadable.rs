//! Why something of a tenant could not be read: its token lacks a scope, or its plan a feature.
//!
//! The client finds it out, once; the planner and the export say it to people.

use std::fmt;

/// Why a kind, or a field of it, could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What is missing.
    pub lack: Lack,
    /// The field that could not be read, where the kind itself could.
    pub field: Option<String>,
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// The token's scope; several where any one is enough.
    Scope(String),
    /// The plan's feature.
    Feature {
        /// In words for people.
        feature: String,
        /// What the API said.
        said: String,
    },
    /// Nobody knows; what the API said.
    Unknown(String),
}

impl From<Lack> for Unreadable {
    fn from(lack: Lack) -> Self {
        Self { lack, field: None }
    }
}

impl Unreadable {
    /// Tells whether the tenant can have nothing of it: its plan lacks the feature.
    #[must_use]
    pub fn is_for_plan(&self) -> bool {
        matches!(self.lack, Lack::Feature { .. })
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.field.iter().try_for_each(|field| write!(f, "{field}: "))?;
        match &self.lack {
            Lack::Scope(scopes) => write!(f, "the token lacks the scope {scopes}"),
            Lack::Feature { feature, said } => write!(f, "the tenant's plan lacks {feature} ({said})"),
            Lack::Unknown(said) => f.write_str(said),
        }
    }
}
