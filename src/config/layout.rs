//! Where the parts of a tenant lie in files: which top-level keys a definitions file may have.
//!
//! Pure data about the Deploy CLI's files (deploy-cli-format.md of the API facts, section 3). Kinds
//! that tenantctl declares come from the registry; those that it does not are listed here, so that
//! a file of the Deploy CLI is read with a warning and not refused.

use crate::error::Problem;
use crate::kinds::Registry;
use crate::text::{did_you_mean, one_of};

/// Kinds of the Deploy CLI that have no declaration here.
pub const OTHER_KINDS: [&str; 30] = [
    "attackProtection",
    "branding",
    "connectionProfiles",
    "emailProvider",
    "eventStreams",
    "flowVaultConnections",
    "flows",
    "forms",
    "guardianFactorProviders",
    "guardianFactorTemplates",
    "guardianFactors",
    "guardianPhoneFactorMessageTypes",
    "guardianPhoneFactorSelectedProvider",
    "guardianPolicies",
    "hooks",
    "networkACLs",
    "organizations",
    "pages",
    "phoneProviders",
    "phoneTemplates",
    "prompts",
    "rateLimitPolicies",
    "riskAssessment",
    "rules",
    "rulesConfigs",
    "selfServiceProfiles",
    "supplementalSignals",
    "themes",
    "tokenExchangeProfiles",
    "userAttributeProfiles",
];

/// Makes the problem of a name that is no kind, neither of ours nor of the Deploy CLI's.
#[must_use]
pub fn unknown_kind(name: &str, registry: &Registry) -> Problem {
    let names = registry.names();
    let hint = match did_you_mean(name, names.iter().copied().chain(OTHER_KINDS)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known kinds: {}", one_of(&names)),
    };
    Problem::error(format!("`{name}` is no kind of resource")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::OTHER_KINDS;
    use crate::kinds::Registry;

    #[test]
    fn a_kind_with_a_declaration_is_not_among_the_others() {
        let declared = Registry::builtin().names();
        assert!(OTHER_KINDS.iter().all(|kind| !declared.contains(kind)));
    }
}
