//! The ledger of a run: what came of each change of a plan.
//!
//! A value like the plan: apply fills it, the journal keeps it on disk, render shows it. Holds no
//! secret once the texts of the API went through `Secrets::hide`.

use serde::{Deserialize, Serialize};

use super::{Action, Change, Source};
use crate::secret::Secrets;
use crate::tenant::Address;

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is done.
    Done,
    /// It was refused, or could not be sent; what of it was done before stands in `calls`.
    Failed,
    /// A write was sent, no answer came, and the tenant could not be asked what came of it.
    Unknown,
    /// Nothing of it was sent.
    NotAttempted,
}

/// One change in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The object's kind.
    pub kind: String,
    /// The object's name; empty for a singleton.
    pub name: String,
    /// What was to be done with it.
    pub action: Action,
    /// What came of it.
    pub status: Status,
    /// The API's handle, if it has one that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The calls that were answered with success, such as `POST /clients`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// The API's id of the request that failed, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Why it is not done, with the API's own message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What caused that, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where the object is defined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Entry {
    /// Gives the object's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::new(&self.kind, &self.name)
    }

    /// Gives the id that the object had before too.
    #[must_use]
    pub fn kept_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| !self.action.makes())
    }

    /// Tells whether it is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.status == Status::Done
    }

    /// Gives it as it may be shown and saved.
    #[must_use]
    pub fn hidden(&self, secrets: &Secrets) -> Self {
        let hide = |text: &String| secrets.hide(text);
        Self {
            name: hide(&self.name),
            id: self.id.as_ref().map(hide),
            calls: self.calls.iter().map(hide).collect(),
            message: self.message.as_ref().map(hide),
            causes: self.causes.iter().map(hide).collect(),
            hint: self.hint.as_ref().map(hide),
            ..self.clone()
        }
    }
}

/// What came of a run as a whole. Holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ledger {
    /// Always "1".
    pub format_version: &'static str,
    /// The version of tenantctl that ran.
    pub tool_version: String,
    /// The environment's name.
    pub environment: String,
    /// The tenant's host, or `sandbox`.
    pub tenant: String,
    /// The user interrupted it.
    pub interrupted: bool,
    /// Every change once, in the plan's order.
    pub changes: Vec<Entry>,
    /// What still differs after the read-back, as changes.
    pub differing: Vec<Change>,
    /// Why what was written could not be read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Where the snapshot lies that leads back, relative to the project folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Counts.
    pub summary: Counts,
}

/// Counts of changes, by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Done.
    pub done: usize,
    /// Failed.
    pub failed: usize,
    /// Of which it is not known.
    pub unknown: usize,
    /// Not attempted.
    pub not_attempted: usize,
    /// Done, and after which the tenant is not as planned.
    pub differing: usize,
}

impl Ledger {
    /// Begins the ledger of a run with what came of its changes.
    #[must_use]
    pub fn of(environment: &str, tenant: &str, changes: Vec<Entry>) -> Self {
        let count = |status| changes.iter().filter(|entry| entry.status == status).count();
        let summary = Counts {
            done: count(Status::Done),
            failed: count(Status::Failed),
            unknown: count(Status::Unknown),
            not_attempted: count(Status::NotAttempted),
            differing: 0,
        };
        Self {
            format_version: "1",
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: environment.to_owned(),
            tenant: tenant.to_owned(),
            interrupted: false,
            changes,
            differing: Vec::new(),
            unread: None,
            snapshot: None,
            summary,
        }
    }

    /// Adds what still differs.
    #[must_use]
    pub fn differing(mut self, differing: Vec<Change>) -> Self {
        self.summary.differing = differing.len();
        Self { differing, ..self }
    }

    /// Tells whether the tenant is where the plan said.
    #[must_use]
    pub fn is_as_planned(&self) -> bool {
        self.summary.done == self.changes.len() && self.differing.is_empty() && self.unread.is_none()
    }
}
