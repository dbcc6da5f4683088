//! What a tenant's plan must have for a kind, or for a field at endpoints of its own, and how the API refuses
//! a tenant whose plan lacks it.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it. Every
//! key is explained once, in schemas/README.md.

use serde::Deserialize;

/// A feature that not every plan has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entitlement {
    /// The feature, in words for people.
    pub feature: String,
    /// How the API refuses a tenant without it, beside the codes that say so of any feature.
    #[serde(default)]
    pub refusals: Vec<Sign>,
}

/// What an answer must have to say that the plan lacks a feature.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// The status.
    pub status: u16,
    /// `errorCode`.
    #[serde(default)]
    pub code: Option<String>,
    /// What `message` has in it. Without a `code` the answer has none either: one that it has says more.
    #[serde(default)]
    pub message: Option<String>,
}

impl Entitlement {
    /// Tells whether an answer says that the tenant's plan lacks the feature.
    #[must_use]
    pub fn is_lacking(&self, status: u16, code: Option<&str>, message: &str) -> bool {
        self.refusals.iter().any(|sign| {
            let is_code = match (&sign.code, &sign.message) {
                (Some(wanted), _) => code == Some(wanted),
                (None, Some(_)) => code.is_none(),
                (None, None) => true,
            };
            sign.status == status && is_code && sign.message.as_ref().is_none_or(|wanted| message.contains(wanted))
        })
    }
}
