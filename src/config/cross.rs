//! What only all objects together can show: duplicates, two that claim what one may have, and
//! references to what is not there.
//!
//! Pure, offline. Whether a reference is met by the tenant alone is the planner's to say; here a
//! reference is judged only where the definitions list the kind that it refers to.

use std::collections::HashMap;

use serde_json::Value;

use crate::error::{Problem, Problems};
use crate::kinds::Registry;
use crate::kinds::kind::{Kind, Reference};
use crate::tenant::index::Index;
use crate::tenant::names::{Mention, references};
use crate::tenant::{Address, Desired, Object, Tenant};
use crate::text::did_you_mean;

/// Ends of the identifiers of APIs that every tenant has, without a definition: the Management API,
/// My Account, My Organization and userinfo.
const SYSTEM_API_ENDS: [&str; 4] = ["/api/v2/", "/me/", "/my-org/", "/userinfo"];

/// Says of kinds that have definitions that the API has something else in their place.
#[must_use]
pub fn retired(registry: &Registry, tenant: &Tenant) -> Problems {
    let mut problems = Problems::default();
    for kind in registry {
        if let (Some(why), Some(first)) = (&kind.retired, tenant.objects(&kind.name).first()) {
            problems
                .push(Problem::warning(format!("`{}` is retired: {why}", kind.name)).at(first.provenance.origin("")));
        }
    }
    problems
}

/// Finds objects that stand twice, by name or by id, and second claims to what one may have.
#[must_use]
pub fn duplicates(registry: &Registry, tenant: &Tenant) -> Problems {
    let mut problems = Problems::default();
    for kind in registry {
        let objects = tenant.objects(&kind.name);
        let mut names: HashMap<&str, &Object> = HashMap::new();
        let mut ids: HashMap<&str, &Object> = HashMap::new();
        for object in objects {
            let name = object.address.name.as_str();
            // Several objects may share a name if ids tell them apart.
            let is_named = name != "?" && !kind.singleton;
            if let Some(first) = is_named.then(|| names.insert(name, object)).flatten()
                && (first.id.is_none() || object.id.is_none())
            {
                let message = format!("{} stands twice in the definitions", object.address);
                problems.push(twice(&message, first, object, "").hint(hint_for_twice(kind)));
            }
            if let Some(id) = object.id.as_deref()
                && let Some(first) = ids.insert(id, object)
            {
                problems.push(twice(
                    &format!("{} and {} have the same id", first.address, object.address),
                    first,
                    object,
                    "",
                ));
            }
        }
        for field in kind.fields.iter().filter(|field| field.exclusive) {
            let mut holders = objects.iter().filter(|object| object.value.get(&field.name) == Some(&Value::Bool(true)));
            let Some(first) = holders.next() else { continue };
            for second in holders {
                let message = format!(
                    "{}: `{}` can be true for one object of `{}`, and is for {} too",
                    second.address, field.name, kind.name, first.address
                );
                problems.push(twice(&message, first, second, &format!("/{}", field.name)));
            }
        }
    }
    problems
}

fn twice(message: &str, first: &Object, second: &Object, pointer: &str) -> Problem {
    let also = first.provenance.origin(pointer);
    Problem::error(message).at(second.provenance.origin(pointer)).also(also, "first here")
}

fn hint_for_twice(kind: &Kind) -> String {
    let identity = kind.identity.first().map(|identity| identity.fields.join(", ")).unwrap_or_default();
    match &kind.id {
        Some(id) => {
            format!("objects are told apart by {identity}; where the tenant has two of one name, pin both by `{id}`")
        }
        None => format!("objects are told apart by {identity}"),
    }
}

/// Finds references that no definition meets, where the definitions list the kind referred to.
#[must_use]
pub fn unmet(registry: &Registry, desired: &Desired) -> Problems {
    let mut problems = Problems::default();
    let listed = Listed { tenant: &desired.tenant, index: Index::new(registry, &desired.tenant) };
    for kind in registry {
        for object in desired.tenant.objects(&kind.name) {
            for mention in &references(kind, &object.value) {
                let Mention { pointer, reference, text, owner } = mention;
                if !reference.kinds().all(|kind| desired.tenant.kinds.contains_key(kind)) {
                    continue;
                }
                let wanted = match owner {
                    Some(owner) => listed.member(reference, owner, text),
                    None if reference.via.is_some() || mention.is_partial() => Wanted::Met,
                    None => listed.object(reference, text),
                };
                if let Wanted::Missing { what, known } = wanted {
                    let shown =
                        if object.provenance.is_sensitive(pointer) { crate::secret::MASK } else { text.as_str() };
                    let label = crate::kinds::check::label(pointer);
                    let message = format!(
                        "{}: `{label}` refers to {what} `{shown}`, which the definitions do not have",
                        object.address
                    );
                    let hint = did_you_mean(text, known).map(|near| format!("did you mean `{near}`?"));
                    problems.push(Problem::error(message).at(object.provenance.origin(pointer)).maybe_hint(hint));
                }
            }
        }
    }
    problems
}

/// Whether a reference is met.
enum Wanted<'a> {
    Met,
    Missing { what: String, known: Vec<&'a str> },
}

/// What the definitions list.
struct Listed<'a> {
    tenant: &'a Tenant,
    index: Index<'a>,
}

impl<'a> Listed<'a> {
    /// Finds an object by what a reference calls it: its name, or the value of a field.
    fn find(&self, reference: &Reference, text: &str) -> Option<&'a Object> {
        reference.kinds().find_map(|kind| match reference.path.first() {
            None => self.index.named(&Address::new(kind, text)).first().copied(),
            Some(field) => self.index.by_value(kind, field, text),
        })
    }

    fn object(&self, reference: &Reference, text: &str) -> Wanted<'a> {
        let has_id = || reference.kinds().any(|kind| self.index.by_id(kind, text).is_some());
        let is_elsewhere = match reference.path.first() {
            None => looks_like_id(text) || has_id(),
            Some(_) => SYSTEM_API_ENDS.iter().any(|end| text.ends_with(end)),
        };
        if is_elsewhere || self.find(reference, text).is_some() {
            return Wanted::Met;
        }
        let called = |object: &'a Object| match reference.path.first() {
            None => Some(object.address.name.as_str()),
            Some(field) => object.value.get(field)?.as_str(),
        };
        let known = reference.kinds().flat_map(|kind| self.tenant.objects(kind)).filter_map(called);
        Wanted::Missing { what: reference.kind.clone(), known: known.collect() }
    }

    /// Looks for the member of a set in the object that the sibling field refers to.
    fn member(&self, reference: &Reference, (by, owner): &(Reference, String), text: &str) -> Wanted<'a> {
        let [list, member] = reference.path.as_slice() else { return Wanted::Met };
        let Some(target) = self.find(by, owner) else { return Wanted::Met };
        let Some(Value::Array(items)) = target.value.get(list) else { return Wanted::Met };
        let known: Vec<&str> = items.iter().filter_map(|item| item.get(member)?.as_str()).collect();
        if known.contains(&text) {
            return Wanted::Met;
        }
        Wanted::Missing { what: format!("{list} of {}", target.address), known }
    }
}

/// Tells whether a text is more likely a handle that the API gave than a name that a person did.
#[must_use]
pub fn looks_like_id(text: &str) -> bool {
    let tail = text.split_once('_').filter(|(head, _)| (2..=4).contains(&head.len())).map_or(text, |(_, tail)| tail);
    let least = if tail.len() == text.len() { 24 } else { 16 };
    tail.len() >= least
        && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && tail.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::looks_like_id;

    #[test]
    fn ids_are_told_from_names() {
        for id in ["k0aSHvNyJfGwsxBnFMkVNLZnXXBqTk3c", "con_0123456789abcdef", "cgr_aaaaBBBB11112222"] {
            assert!(looks_like_id(id), "{id}");
        }
        for name in ["Billing worker", "billing-worker-production-2026", "con_x", "Internationalisierungen"] {
            assert!(!looks_like_id(name), "{name}");
        }
    }
}
