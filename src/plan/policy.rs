//! What may be done: deletes and replaces need consent, and some objects are protected.

use super::Policy;
use crate::tenant::Address;

/// Tells why an object may not be deleted or replaced now.
#[must_use]
pub fn objection(policy: &Policy, address: &Address) -> Option<String> {
    if let Some(pattern) = policy.protect.iter().find(|pattern| pattern.fits(address)) {
        return Some(format!("protected by `protect: {pattern}`"));
    }
    (!policy.allow_delete).then(|| "deletes are not allowed".to_owned())
}
