//! The order among kinds: who must be there before whom.
//!
//! Creates go down the levels, deletes go up:
//!
//! ```text
//!   level 0   resourceServers   customDomains
//!   level 1   clients           tenant
//!   level 2   clientGrants
//! ```

use super::kind::{Field, Fields, Kind, Reference};

/// Sorts kinds into levels: each kind comes after all that it refers to.
///
/// References of a kind to itself, read-only, deferred (`update_only`, `child`) and `unordered` fields do not
/// count.
///
/// # Errors
/// Names the kinds of a cycle.
pub fn levels(kinds: &[Kind]) -> Result<Vec<Vec<usize>>, String> {
    let needs: Vec<Vec<usize>> = kinds.iter().map(|kind| requirements(kinds, kind)).collect();
    let mut placed = vec![false; kinds.len()];
    let mut levels = Vec::new();
    while placed.contains(&false) {
        let level: Vec<usize> =
            (0..kinds.len()).filter(|at| !placed[*at] && needs[*at].iter().all(|need| placed[*need])).collect();
        if level.is_empty() {
            let stuck: Vec<&str> =
                kinds.iter().zip(&placed).filter(|(_, placed)| !**placed).map(|(kind, _)| kind.name.as_str()).collect();
            return Err(format!("these kinds refer to each other in a circle: {}", stuck.join(", ")));
        }
        for at in &level {
            placed[*at] = true;
        }
        levels.push(level);
    }
    Ok(levels)
}

fn requirements(kinds: &[Kind], kind: &Kind) -> Vec<usize> {
    let mut names: Vec<&str> = kind.after.iter().map(String::as_str).collect();
    names.extend(referred(kind, is_ordered));
    kinds
        .iter()
        .enumerate()
        .filter(|(_, other)| other.name != kind.name && names.contains(&other.name.as_str()))
        .map(|(at, _)| at)
        .collect()
}

fn is_ordered(field: &Field) -> bool {
    !field.read_only && !field.update_only && !field.unordered && field.child.is_none()
}

/// Names the kinds that fields of a kind refer to, in all its variants.
pub(super) fn referred(kind: &Kind, counts: impl Fn(&Field) -> bool + Copy) -> Vec<&str> {
    let mut names = Vec::new();
    walk(kind, counts, &mut |field| {
        let within = field.within.iter().flat_map(|within| within.values());
        names.extend(field.reference.iter().chain(within).flat_map(Reference::kinds));
        names.extend(field.names.iter().map(|named| named.kind.as_str()));
    });
    names
}

/// Lists the references of all fields that count, in all variants of a kind.
pub fn references(kind: &Kind, counts: impl Fn(&Field) -> bool + Copy) -> Vec<&Reference> {
    let mut found = Vec::new();
    walk(kind, counts, &mut |field| {
        found.extend(&field.reference);
        found.extend(field.within.iter().flat_map(|within| within.values()));
    });
    found
}

/// Goes through the fields of a kind, at any depth and in all its variants.
fn walk<'k>(kind: &'k Kind, counts: impl Fn(&Field) -> bool + Copy, visit: &mut impl FnMut(&'k Field)) {
    fn inside<'k>(fields: &'k Fields, counts: impl Fn(&Field) -> bool + Copy, visit: &mut impl FnMut(&'k Field)) {
        for field in fields.iter().filter(|field| counts(field)) {
            for field in [Some(field), field.items.as_deref()].into_iter().flatten() {
                visit(field);
                inside(&field.fields, counts, visit);
            }
        }
    }
    inside(&kind.fields, counts, visit);
    for case in kind.variants.iter().flat_map(|variants| &variants.cases) {
        inside(&case.fields, counts, visit);
    }
}
