//! What could not be read of a tenant: it forbids a plan, or is told and left out. It is never taken for
//! empty.
//!
//! The one mechanism of plan, apply and export: the client says why, here it becomes words for people.

use super::Policy;
use super::scope;
use crate::error::{Origin, Problem, Problems};
use crate::kinds::Registry;
use crate::kinds::kind::Field;
use crate::tenant::unreadable::{Lack, Unreadable};
use crate::tenant::{Desired, Tenant};
use crate::text::escape;

/// Lists what forbids a plan: all that it needs and that could not be read, but for kinds that no definition
/// has and that the tenant's plan lacks, of which there is nothing.
pub(super) fn problems<'k>(registry: &'k Registry, desired: &Desired, live: &Tenant, policy: &Policy) -> Vec<Problem> {
    let mut problems = Vec::new();
    for kind in scope::needed(registry, desired, policy) {
        let Some(why) = live.unreadable.get(&kind.name) else { continue };
        let is_managed = scope::is_managed(desired, policy, kind);
        if !is_managed && why.is_for_plan() {
            continue;
        }
        let of_field = |field: &'k Field| {
            let why = live.unreadable.get(&format!("{}.{}", kind.name, field.name))?;
            Some((why, Some(field.name.as_str())))
        };
        let fields: Vec<_> = kind.fields.iter().filter_map(of_field).collect();
        let unread = if why.field.is_some() && !fields.is_empty() { fields } else { vec![(why, None)] };
        for (why, field) in unread {
            let what = field.map_or_else(|| kind.name.clone(), |field| format!("{}.{field}", kind.name));
            let problem = Problem::error(format!("{what} can't be read: {why}"));
            problems.push(problem.at(place(desired, &kind.name, field)).hint(hint(why, &what, is_managed)));
        }
    }
    problems
}

/// Finds the first definition of a kind, or of a field.
fn place(desired: &Desired, kind: &str, field: Option<&str>) -> Option<Origin> {
    let objects = desired.tenant.objects(kind);
    match field {
        None => objects.first()?.provenance.origin(""),
        Some(field) => {
            let object = objects.iter().find(|object| object.value.contains_key(field))?;
            object.provenance.key_origin(&format!("/{}", escape(field)))
        }
    }
}

/// Says what to do about it.
pub(super) fn hint(why: &Unreadable, what: &str, is_managed: bool) -> String {
    match &why.lack {
        Lack::Scope(_) => "add the scope to the grant that tenantctl's application has for the Management API, or \
                           leave the kind out with `--exclude`"
            .to_owned(),
        Lack::Feature { feature, .. } if is_managed => {
            format!("remove `{what}` from the definitions, or give the tenant a plan that has {feature}")
        }
        Lack::Feature { feature, .. } => format!("remove the reference, or give the tenant a plan that has {feature}"),
        Lack::Unknown(_) => "leave the kind out of the definitions, or use `exclude`, if the tenant's plan does not \
                             have it"
            .to_owned(),
    }
}

/// Tells what could not be read and is no reason to stop.
#[must_use]
pub fn notices(live: &Tenant) -> Problems {
    let mut problems = Problems::default();
    problems.extend(live.unreadable.iter().map(|(what, why)| {
        // Its name says the field already.
        let why = Unreadable { field: None, ..why.clone() };
        Problem::warning(format!("{what} can't be read and is left out: {why}"))
    }));
    problems
}
