//! What of a tenant is managed: objects and fields that the project file chooses or leaves out.
//!
//! Pure. Everything that names a kind is checked against the declarations here.

use serde_json::Value;

use super::{known_or_later, pattern};
use crate::config::layout;
use crate::config::project::{EnvironmentPart, Placed, ProjectFile};
use crate::error::{Origin, Problem, Problems};
use crate::kinds::Registry;
use crate::kinds::kind::Condition;
use crate::plan::KindField;
use crate::tenant::Pattern;
use crate::text::escape;

/// What is managed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Lists of patterns: only what fits one of each.
    pub only: Vec<Vec<Pattern>>,
    /// Not these.
    pub exclude: Vec<Pattern>,
    /// Not those of a kind that fit a condition.
    pub exclude_where: Vec<(String, Condition)>,
    /// Fields that are neither compared, sent nor exported.
    pub exclude_fields: Vec<KindField>,
    /// Never deleted.
    pub protect: Vec<Pattern>,
}

impl Selection {
    /// Reads what the project file and an environment of it say.
    pub(super) fn of(file: &ProjectFile, part: &EnvironmentPart, registry: &Registry, problems: &mut Problems) -> Self {
        let mut pick = |texts: &[Placed<String>]| patterns(texts, registry, problems);
        let mut protect = pick(&file.protect);
        protect.extend(pick(&part.protect));
        let (only, exclude) = (pick(&part.only), pick(&part.exclude));
        let (left_out, named) = (pick(&part.exclude_kinds), pick(&part.only_named));
        // As lists of what is left: what hangs on the objects of such a kind stays.
        let others = |patterns: &[Pattern]| {
            let is_other = |kind: &&str| !patterns.iter().any(|pattern| crate::text::fits(pattern.kind(), kind));
            registry.names().into_iter().filter(is_other).map(Pattern::new).collect::<Vec<_>>()
        };
        let mut lists = vec![only];
        lists.push(if left_out.is_empty() { Vec::new() } else { others(&left_out) });
        lists.push(if named.is_empty() { Vec::new() } else { [others(&named), named].concat() });
        lists.retain(|list| !list.is_empty());
        if !left_out.is_empty() && others(&left_out).is_empty() {
            // Nothing is left.
            lists.push(left_out.iter().map(|_| Pattern::new("")).collect());
        }
        Self {
            only: lists,
            exclude,
            exclude_where: conditions(part, registry, problems),
            exclude_fields: left_out_fields(part, registry, problems),
            protect,
        }
    }
}

/// Reads the fields that are left out: not those that tell objects apart.
fn left_out_fields(part: &EnvironmentPart, registry: &Registry, problems: &mut Problems) -> Vec<KindField> {
    for Placed { value: (name, path), origin } in &part.exclude_fields {
        let mut identities = registry.get(name).into_iter().flat_map(|kind| &kind.identity);
        if identities.any(|identity| identity.fields.contains(path)) {
            let message = format!("the field `{path}` tells {name} apart and can't be left out");
            problems.push(Problem::error(message).at(Some(origin.clone())).hint("take it out of the list"));
        }
    }
    fields(&part.exclude_fields, registry, problems)
}

/// Reads the fields that exports keep.
pub(super) fn kept_fields(part: &EnvironmentPart, registry: &Registry, problems: &mut Problems) -> Vec<KindField> {
    for Placed { value: (kind, path), origin } in &part.export_fields {
        if part.exclude_fields.iter().any(|field| field.value == (kind.clone(), path.clone())) {
            let message = format!("the field `{path}` of {kind} is both left out and kept");
            problems.push(Problem::error(message).at(Some(origin.clone())).hint("say one of them"));
        }
    }
    fields(&part.export_fields, registry, problems)
}

/// Says that a name is no kind.
pub(super) fn known_kind(name: &str, origin: &Origin, registry: &Registry, problems: &mut Problems) {
    if registry.get(name).is_none() {
        problems.push(layout::unknown_kind(name, registry).at(Some(origin.clone())));
    }
}

fn patterns(texts: &[Placed<String>], registry: &Registry, problems: &mut Problems) -> Vec<Pattern> {
    let mut found = Vec::new();
    for text in texts {
        match pattern(&text.value, registry) {
            Ok(pattern) => found.push(pattern),
            Err(problem) => problems.push(problem.at(Some(text.origin.clone()))),
        }
    }
    found
}

fn conditions(part: &EnvironmentPart, registry: &Registry, problems: &mut Problems) -> Vec<(String, Condition)> {
    let mut found = Vec::new();
    for Placed { value: (kind, members), origin } in &part.exclude_where {
        if known_or_later(kind, registry) {
            let Value::Object(members) = members else { continue };
            let members = members.iter().map(|(name, value)| (name.clone(), value.clone().into()));
            found.push((kind.clone(), Condition(members.collect())));
        } else {
            problems.push(layout::unknown_kind(kind, registry).at(Some(origin.clone())));
        }
    }
    if part.exclude_third_party.is_some() {
        let of_kind = |kind: &crate::kinds::kind::Kind| {
            let conditions = kind.third_party.clone();
            conditions.into_iter().map(|condition| (kind.name.clone(), condition)).collect::<Vec<_>>()
        };
        found.extend(registry.iter().flat_map(of_kind));
    }
    found
}

/// Reads dotted paths.
fn fields(texts: &[Placed<(String, String)>], registry: &Registry, problems: &mut Problems) -> Vec<KindField> {
    let mut found = Vec::new();
    for Placed { value: (name, path), origin } in texts {
        let pointer = path.split('.').fold(String::new(), |pointer, part| pointer + "/" + &escape(part));
        let first = path.split('.').next().unwrap_or_default();
        let problem = match registry.get(name) {
            _ if first.is_empty() => Problem::error(format!("`{path}` is no field of {name}")),
            None if known_or_later(name, registry) => continue,
            None => layout::unknown_kind(name, registry),
            Some(_) => {
                found.push(KindField { kind: name.clone(), pointer });
                continue;
            }
        };
        problems.push(problem.at(Some(origin.clone())));
    }
    found
}
