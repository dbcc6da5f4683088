//! Where the parts of a tenant lie in files: which top-level keys a definitions file may have, and
//! which folders hold other kinds.
//!
//! Pure data about the Deploy CLI's files (deploy-cli-format.md of the API facts, sections 3 and 4).
//! Kinds that are not declared here are known by name, each with its folder or file, so that what
//! the Deploy CLI wrote is read with a warning and not refused.

use crate::error::Problem;
use crate::kinds::Registry;
use crate::text::{did_you_mean, one_of};

/// Gives the kinds of the Deploy CLI, those that are declared here among them.
fn deploy_cli_kinds() -> impl Iterator<Item = &'static str> {
    deploy_cli_lines().map(|line| line.split_once(' ').map_or(line, |(kind, _)| kind))
}

fn deploy_cli_lines() -> std::str::Lines<'static> {
    include_str!("deploy_cli_kinds.txt").lines()
}

/// Gives the folders and files, in the directory layout, of the kinds of the Deploy CLI that are not
/// declared here.
pub(super) fn other_places(registry: &Registry) -> impl Iterator<Item = &'static str> {
    let places = deploy_cli_lines().filter_map(|line| line.split_once(' '));
    places.filter(|(kind, _)| registry.get(kind).is_none()).map(|(_, place)| place)
}

/// Says that a kind of the Deploy CLI is not read.
#[must_use]
pub fn not_managed(what: &str) -> Problem {
    Problem::warning(format!("`{what}` is not managed by this version: it is left alone"))
}

/// Tells whether a name is a kind of the Deploy CLI that is not declared here.
#[must_use]
pub fn is_other_kind(name: &str, registry: &Registry) -> bool {
    deploy_cli_kinds().any(|kind| kind == name) && registry.get(name).is_none()
}

/// Makes the problem of a name that is no kind, neither of ours nor of the Deploy CLI's.
#[must_use]
pub fn unknown_kind(name: &str, registry: &Registry) -> Problem {
    let names = registry.names();
    let all = deploy_cli_kinds().map(str::to_owned).chain(names.iter().map(ToString::to_string)).collect::<Vec<_>>();
    let hint = match did_you_mean(name, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known kinds: {}", one_of(&names)),
    };
    Problem::error(format!("`{name}` is no kind of resource")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::{deploy_cli_kinds, is_other_kind};
    use crate::kinds::Registry;

    #[test]
    fn a_declared_kind_is_one_of_the_deploy_clis_and_no_other() {
        let registry = Registry::builtin();
        for name in registry.names() {
            assert!(deploy_cli_kinds().any(|kind| kind == name) && !is_other_kind(name, registry), "{name}");
        }
        assert!(is_other_kind("pages", registry) && !is_other_kind("page", registry));
        // It has no key in files; lists of kinds have it.
        assert!(is_other_kind("clientAuthCredentials", registry));
    }
}
