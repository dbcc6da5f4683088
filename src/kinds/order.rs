//! The order among kinds: who must be there before whom.
//!
//! Creates go down the levels, deletes go up:
//!
//! ```text
//!   level 0   resourceServers   customDomains
//!   level 1   clients           tenant
//!   level 2   clientGrants
//! ```

use super::kind::{Fields, Kind};

/// Sorts kinds into levels: each kind comes after all that it refers to.
///
/// References of a kind to itself and read-only or deferred (`update_only`) fields do not count.
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
    referred(&kind.fields, &mut names);
    kinds
        .iter()
        .enumerate()
        .filter(|(_, other)| other.name != kind.name && names.contains(&other.name.as_str()))
        .map(|(at, _)| at)
        .collect()
}

fn referred<'a>(fields: &'a Fields, names: &mut Vec<&'a str>) {
    for field in fields.iter().filter(|field| !field.read_only && !field.update_only) {
        names.extend(field.reference.as_ref().map(|reference| reference.kind.as_str()));
        referred(&field.fields, names);
        if let Some(items) = &field.items {
            names.extend(items.reference.as_ref().map(|reference| reference.kind.as_str()));
            referred(&items.fields, names);
        }
    }
}
