//! References that must lead somewhere: to what the definitions or the tenant have, and will have.

use serde_json::{Map, Value};

use super::scope::Scope;
use super::{Action, Change, unread};
use crate::error::{Origin, Problem};
use crate::kinds::Registry;
use crate::kinds::check::label;
use crate::kinds::kind::{Kind, Reference, at};
use crate::tenant::index::Index;
use crate::tenant::names::{Meaning, Mention, Names, references};
use crate::tenant::{Address, Object, Tenant};
use crate::text::did_you_mean;

/// Both sides, canonical, with what is needed to follow a reference.
#[derive(Debug)]
pub struct References<'a> {
    /// All kinds.
    pub registry: &'a Registry,
    /// Names and ids of the live tenant.
    pub names: &'a Names,
    /// The definitions.
    pub desired: (&'a Tenant, &'a Index<'a>),
    /// The live tenant.
    pub live: (&'a Tenant, &'a Index<'a>),
    /// The definitions as they were written: sets in the order of the files.
    pub written: Index<'a>,
    /// What the run is about.
    pub scope: &'a Scope<'a>,
}

/// One reference of an object.
struct Link<'l> {
    object: &'l Object,
    mention: &'l Mention,
}

impl<'l> Link<'l> {
    /// The addresses that it may mean.
    fn addresses(&self) -> impl Iterator<Item = Address> + use<'l> {
        let Mention { reference, text, .. } = self.mention;
        reference.kinds().map(move |kind| Address::new(kind, text))
    }
}

impl References<'_> {
    /// Finds the references that lead nowhere, in what changes, and those that the plan leaves without
    /// what they refer to, in all definitions.
    #[must_use]
    pub fn problems(&self, changes: &[Change]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let doomed = Doomed::of(changes);
        for object in self.desired.0.iter().filter(|object| self.scope.holds(&object.address)) {
            let Some(kind) = self.registry.get(&object.address.kind) else { continue };
            let change =
                doomed.named(&object.address).filter(|change| change.action != Action::Delete).find(|change| {
                    let meant = self.desired.1.meant(&object.address, change.id.as_deref());
                    meant.is_some_and(|meant| std::ptr::eq(meant, object))
                });
            for mention in &references(kind, &object.value) {
                let link = Link { object, mention };
                let found = if change.is_some_and(|change| self.is_news(change, &link)) {
                    self.problem(&link, &doomed)
                } else {
                    doomed.bereft(&link)
                };
                problems.extend(found.map(|problem| problem.at(self.place(kind, &link))));
            }
        }
        problems
    }

    /// Tells whether a change brings a reference that was not there.
    fn is_news(&self, change: &Change, link: &Link<'_>) -> bool {
        let is_new = change.action.makes();
        let is_edited = change.fields.iter().any(|edit| link.mention.pointer.starts_with(&edit.path));
        (is_new || is_edited) && !self.is_said_already(change, link)
    }

    /// Tells whether the live object has the same element in the same set already.
    fn is_said_already(&self, change: &Change, link: &Link<'_>) -> bool {
        let live = change.id.as_deref().and_then(|id| self.live.1.by_id(&change.kind, id));
        let (Some(live), Some((set, _))) = (live, link.mention.pointer.rsplit_once('/')) else { return false };
        elements(at(&live.value, set)).iter().any(|item| *item == *link.mention.text)
            || self.registry.get(&change.kind).is_some_and(|kind| mentions(kind, &live.value, link.mention))
    }

    /// Finds where a reference stands in the files: a set has another order there.
    fn place(&self, kind: &Kind, Link { object, mention }: &Link<'_>) -> Option<Origin> {
        let parent = |pointer: &str| pointer.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        let written = self.written.meant(&object.address, object.id.as_deref());
        let written = written.map_or_else(Vec::new, |found| references(kind, &found.value));
        let is_it = |other: &&Mention| other.text == mention.text && parent(&other.pointer) == parent(&mention.pointer);
        match written.iter().find(is_it) {
            Some(found) => object.provenance.origin(&found.pointer),
            None => object.provenance.origin(&parent(&mention.pointer)?),
        }
    }

    fn problem(&self, link: &Link<'_>, doomed: &Doomed<'_>) -> Option<Problem> {
        let Link { object, mention } = link;
        let Mention { pointer, reference, text, owner } = mention;
        // Of kinds without a declaration nothing is known.
        reference.kinds().find(|kind| self.registry.get(kind).is_some())?;
        let is_known = match (owner, reference.path.as_slice()) {
            (Some(owner), [set, member]) => self.members(owner, set, member)?.contains(&text.as_str()),
            (None, [field]) => reference.kinds().any(|kind| self.is_value(kind, field, text)),
            (None, _) if reference.via.is_some() || mention.is_partial() => return None,
            _ => match self.names.target(reference, text) {
                Meaning::Several(ids) if link.addresses().map(|address| self.pins(&address)).sum::<usize>() != 1 => {
                    return Some(ambiguous(link, ids));
                }
                Meaning::Unknown => link.addresses().any(|address| self.is_held(&address)),
                Meaning::Id(_) | Meaning::Several(_) => true,
            },
        };
        if is_known {
            let is_going = |address: &Address| doomed.is_deleted(address) && self.desired.1.named(address).is_empty();
            return link.addresses().find(is_going).map(|address| doomed_reference(link, &address));
        }
        let of = match owner {
            Some((by, owner)) => {
                format!("{} of {}/{owner}", reference.path.first().map_or("", String::as_str), by.kind)
            }
            None => reference.kinds().collect::<Vec<_>>().join(" or "),
        };
        let said = if object.provenance.is_sensitive(pointer) { "***" } else { text };
        let message = format!("{}: `{}` refers to {of} `{said}`", object.address, shown(pointer));
        if reference.kinds().any(|kind| self.is_left_out(kind, reference, text)) {
            let hint = "let `--only` and `--exclude`, and those of the project file, leave both out or none";
            return Some(Problem::error(format!("{message}, which is left out and not in the tenant")).hint(hint));
        }
        let unread = reference.kinds().find_map(|kind| Some((kind, self.live.0.unreadable.get(kind)?)));
        if let Some((kind, why)) = unread {
            let hint = unread::hint(why, kind, false);
            return Some(Problem::error(format!("{message}, and {kind} can't be read: {why}")).hint(hint));
        }
        let known = self.known(mention);
        let near = did_you_mean(text, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("{message}, which neither the definitions nor the tenant have");
        Some(Problem::error(message).maybe_hint(near))
    }

    /// Counts the definitions of a name that pin a live object.
    fn pins(&self, address: &Address) -> usize {
        self.desired.1.named(address).iter().filter(|object| object.id.is_some()).count()
    }

    /// Tells whether the run is about a definition of an address.
    fn is_held(&self, address: &Address) -> bool {
        self.scope.holds(address) && !self.desired.1.named(address).is_empty()
    }

    /// Finds a definition that the run is about by the value of a field.
    fn held_by_value(&self, kind: &str, field: &str, value: &str) -> Option<&Object> {
        self.desired.1.by_value(kind, field, value).filter(|object| self.scope.holds(&object.address))
    }

    fn is_value(&self, kind: &str, field: &str, value: &str) -> bool {
        self.held_by_value(kind, field, value).is_some() || self.live.1.by_value(kind, field, value).is_some()
    }

    /// The members of a set in the object that a sibling field refers to; none where it is unknown.
    fn members<'m>(&'m self, (own, target): &(Reference, String), set: &str, member: &str) -> Option<Vec<&'m str>> {
        let field = own.path.first()?;
        let desired = self.held_by_value(&own.kind, field, target);
        let live = self.live.1.by_value(&own.kind, field, target);
        desired.or(live)?;
        let items = desired.and_then(|found| found.value.get(set)).or_else(|| live?.value.get(set));
        Some(elements(items).iter().filter_map(|item| item.get(member)?.as_str()).collect())
    }

    /// Lists what could have been meant.
    fn known<'k>(&'k self, Mention { reference, owner, .. }: &Mention) -> Vec<&'k str> {
        if let (Some(owner), [set, member]) = (owner, reference.path.as_slice()) {
            return self.members(owner, set, member).unwrap_or_default();
        }
        let of_kind = |kind: &str| -> Vec<&'k str> {
            let held = self.desired.0.objects(kind).iter().filter(|object| self.scope.holds(&object.address));
            match reference.path.first() {
                Some(field) => {
                    let both = held.chain(self.live.0.objects(kind));
                    both.filter_map(|object| object.value.get(field)?.as_str()).collect()
                }
                None => held.map(|object| object.address.name.as_str()).chain(self.names.known(kind)).collect(),
            }
        };
        reference.kinds().flat_map(of_kind).collect()
    }

    /// Tells whether the definitions have what is referred to, but the run is not about it.
    fn is_left_out(&self, kind: &str, reference: &Reference, text: &str) -> bool {
        let left_out = self.desired.0.objects(kind).iter().filter(|object| !self.scope.holds(&object.address));
        let has = |object: &Object| match reference.path.as_slice() {
            [] => object.address.name == text,
            [field] => object.value.get(field).and_then(Value::as_str) == Some(text),
            [set, member, ..] => elements(object.value.get(set))
                .iter()
                .any(|item| item.get(member).and_then(Value::as_str) == Some(text)),
        };
        left_out.into_iter().any(has)
    }
}

/// Tells whether an object refers to the same already, deep within a list, in which elements move.
pub(super) fn mentions(kind: &Kind, value: &Map<String, Value>, mention: &Mention) -> bool {
    let is_deep = |pointer: &str| pointer.split('/').skip(1).filter(|part| is_number(part)).count() > 0;
    let place =
        |pointer: &str| pointer.split('/').filter(|part| !is_number(part)).map(str::to_owned).collect::<Vec<_>>();
    mention.reference.via.is_none()
        && is_deep(&mention.pointer)
        && references(kind, value).iter().any(|other| {
            other.text == mention.text
                && other.reference == mention.reference
                && place(&other.pointer) == place(&mention.pointer)
        })
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// The changes by address: what they take away.
struct Doomed<'a>(std::collections::BTreeMap<Address, Vec<&'a Change>>);

impl<'a> Doomed<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut by_address = std::collections::BTreeMap::new();
        for change in changes {
            by_address.entry(change.address()).or_insert_with(Vec::new).push(change);
        }
        Self(by_address)
    }

    fn named(&self, address: &Address) -> impl Iterator<Item = &'a Change> {
        self.0.get(address).into_iter().flatten().copied()
    }

    fn is_deleted(&self, address: &Address) -> bool {
        self.named(address).any(|change| change.action == Action::Delete)
    }

    /// Says that the plan takes away what a definition that stays as it is refers to.
    fn bereft(&self, link: &Link<'_>) -> Option<Problem> {
        let Link { object, mention: Mention { pointer, reference, text, owner } } = link;
        let (Some((by, owner)), [set, member]) = (owner, reference.path.as_slice()) else {
            let deleted = link.addresses().find(|address| self.is_deleted(address));
            return deleted.map(|address| doomed_reference(link, &address));
        };
        let address = Address::new(&by.kind, owner);
        let edits = self.named(&address).flat_map(|change| &change.fields);
        let edit = edits.into_iter().find(|edit| edit.path.trim_start_matches('/') == set)?;
        let is_it = |item: &&Value| item.get(member).and_then(Value::as_str) == Some(text);
        edit.set.as_ref()?.removed.iter().find(is_it)?;
        let what = shown(pointer);
        let message =
            format!("{}: `{text}` in `{what}` is taken from the {set} of {address} by this plan", object.address);
        Some(Problem::error(message).hint("remove it here too, or keep it there"))
    }
}

fn doomed_reference(link: &Link<'_>, address: &Address) -> Problem {
    let what = shown(&link.mention.pointer);
    Problem::error(format!("{}: `{what}` refers to {address}, which this plan deletes", link.object.address))
        .hint("remove it here too, or keep it there")
}

fn ambiguous(link: &Link<'_>, ids: &[String]) -> Problem {
    let message = format!(
        "{} refers to `{}`, and the tenant has {} of that name: {}",
        link.object.address,
        link.mention.text,
        ids.len(),
        ids.join(", ")
    );
    Problem::error(message).hint("refer by id, or pin one of them in its definition")
}

fn elements(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Shows where a reference stands. An element's number is that of the canonical order, which nobody
/// sees.
fn shown(pointer: &str) -> String {
    label(pointer.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('/'))
}
