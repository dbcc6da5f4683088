//! The one function that makes a plan.
//!
//! Pure and synchronous. Everything a plan says is decided here, by the rooms beside it in turn:
//! `scope` settles ownership, `pair` finds the live object of each definition, `diff` compares,
//! `policy` holds back, `links` checks references and puts the changes in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::diff::{Difference, difference};
use super::named::completed;
use super::references::References;
use super::scope::{Scope, untouchable, without_fields};
use super::{
    Action, Change, Consent, Edit, FORMAT_VERSION, Held, Plan, Policy, SecretNote, SecretState, Summary, Unmanaged,
};
use super::{call, links, pair, policy, unread};
use crate::error::{Problem, Problems};
use crate::kinds::Registry;
use crate::kinds::check::label;
use crate::kinds::kind::Kind;
use crate::tenant::index::Index;
use crate::tenant::names::{Meaning, Names};
use crate::tenant::{Address, Desired, Object, Tenant, canon};

/// A plan with what it was made from, in the form in which changes become calls.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The definitions: canonical, references by name.
    pub desired: Tenant,
    /// The live tenant: canonical, references by name.
    pub live: Tenant,
    /// Names and ids of the live tenant.
    pub names: Names,
}

/// Compares the definitions with a live tenant.
///
/// `live` must hold all kinds of [`super::scope::needed`].
///
/// # Errors
/// All problems that forbid a plan: kinds that can't be read, names that mean several objects,
/// references to nothing, secrets that a create needs.
pub fn plan(registry: &Registry, desired: &Desired, live: &Tenant, policy: &Policy) -> Result<Planned, Problems> {
    let planned = plan_without(registry, desired, live, policy, &BTreeSet::new())?;
    let is_it = |change: &&Change| change.action == Action::Replace;
    let replaced: BTreeSet<Address> = planned.plan.changes.iter().filter(is_it).map(Change::address).collect();
    if replaced.is_empty() || links::without_elements(registry, &planned.live, &replaced) == planned.live {
        return Ok(planned);
    }
    drop(planned);
    plan_without(registry, desired, live, policy, &replaced)
}

/// Makes a plan for a tenant whose lists at endpoints of their own lack the elements that name certain
/// objects: such an element goes with the object that it names.
fn plan_without(
    registry: &Registry,
    desired: &Desired,
    live: &Tenant,
    policy: &Policy,
    gone: &BTreeSet<Address>,
) -> Result<Planned, Problems> {
    let names = Names::of(registry, live, &desired.tenant, &policy.moves());
    let mut wanted = canonical(registry, &names, &desired.tenant, canon::desired);
    let mut found = canonical(registry, &names, live, canon::live);
    without_fields(registry, &mut wanted, policy);
    let incomplete = completed(registry, &mut wanted, &found);
    if !gone.is_empty() {
        found = links::without_elements(registry, &found, gone);
    }
    let scope = Scope::new(registry, policy, [&wanted, &found]);
    let (wanted_at, found_at, raw_at) =
        (Index::new(registry, &wanted), Index::new(registry, &found), Index::new(registry, live));
    let mut planner = Planner {
        policy,
        names: &names,
        scope: &scope,
        wanted: &wanted,
        found: &found,
        raw: live,
        wanted_at: &wanted_at,
        raw_at: &raw_at,
        changes: Vec::new(),
        held: Vec::new(),
        secrets: Vec::new(),
        summary: Summary::default(),
        unmanaged: BTreeSet::new(),
        problems: incomplete,
        replaced: BTreeSet::new(),
    };
    for kind in registry.in_order().filter(|kind| !live.unreadable.contains_key(&kind.name)) {
        planner.kind(kind);
    }
    planner.settle_cascade(registry);
    let Planner { changes, held, secrets, mut summary, unmanaged, mut problems, .. } = planner;
    problems.extend(unread::problems(registry, desired, live, policy));
    let references = References {
        registry,
        names: &names,
        desired: (&wanted, &wanted_at),
        live: (&found, &found_at),
        written: Index::new(registry, &desired.tenant),
        scope: &scope,
    };
    problems.extend(references.problems(&changes));
    let changes = links::in_order(registry, &wanted_at, &found_at, changes).map_err(Problems::from)?;
    if problems.has_errors() {
        return Err(problems);
    }
    summary.held = held.len();
    summary.unmanaged = unmanaged.len();
    for change in &changes {
        *match change.action {
            Action::Create => &mut summary.create,
            Action::Update => &mut summary.update,
            Action::Replace => &mut summary.replace,
            Action::Delete => &mut summary.delete,
        } += 1;
    }
    let count = |state| secrets.iter().filter(|note: &&SecretNote| note.state == state).count();
    summary.not_comparable = count(SecretState::NotComparable);
    summary.kept = count(SecretState::Kept);
    let plan = Plan {
        format_version: FORMAT_VERSION.to_owned(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: policy.environment.clone(),
        tenant: policy.tenant.clone(),
        definitions_sha256: desired.digest.clone(),
        consent: Consent {
            allow_delete: policy.allow_delete,
            rotate: policy.rotate.iter().map(ToString::to_string).collect(),
        },
        changes,
        held,
        secrets,
        unmanaged: unmanaged.into_iter().filter(|_| policy.lists_unmanaged).collect(),
        summary,
    };
    Ok(Planned { plan, desired: wanted, live: found, names })
}

/// Tells whether a live object shows what a change of it wrote.
#[must_use]
pub fn shows(registry: &Registry, planned: &Planned, names: &Names, raw: &Object) -> bool {
    let Some(kind) = registry.get(&raw.address.kind) else { return true };
    let one = Tenant { kinds: BTreeMap::from([(kind.name.clone(), vec![raw.clone()])]), ..Tenant::default() };
    let live = canonical(registry, names, &one, canon::live);
    let Some(live) = live.objects(&kind.name).first() else { return true };
    let is_it = |change: &&Change| {
        change.address() == live.address && (change.action == Action::Create || change.id == live.id)
    };
    let change = planned.plan.changes.iter().find(is_it);
    let desired = planned.desired.find_by(&live.address, live.id.as_deref());
    let Some((change, desired)) = change.zip(desired) else { return true };
    let left = difference(kind, desired, Some(&live.value), false).edits;
    let is_again = |edit: &Edit| change.again.iter().any(|name| edit.path.strip_prefix('/') == Some(name));
    !left.iter().any(|edit| is_again(edit) || change.fields.iter().any(|wanted| wanted.path == edit.path))
}

/// Gives a tenant with references by name and values in canonical form.
#[must_use]
pub fn canonical(
    registry: &Registry,
    names: &Names,
    tenant: &Tenant,
    form: fn(&Kind, &Map<String, Value>) -> Map<String, Value>,
) -> Tenant {
    let mut kinds = BTreeMap::new();
    for (name, objects) in &tenant.kinds {
        let Some(kind) = registry.get(name) else { continue };
        let mut objects: Vec<Object> = objects
            .iter()
            .map(|object| {
                let mut value = form(kind, &object.value);
                names.put_names(kind, &mut value);
                let Object { id, provenance, .. } = object;
                let address = Address::of(kind, &value);
                Object { address, id: id.clone(), value, provenance: Arc::clone(provenance) }
            })
            .collect();
        objects.sort_by(|one, other| (&one.address, &one.id).cmp(&(&other.address, &other.id)));
        kinds.insert(name.clone(), objects);
    }
    Tenant { kinds, unreadable: tenant.unreadable.clone() }
}

pub(super) struct Planner<'a> {
    pub(super) policy: &'a Policy,
    names: &'a Names,
    pub(super) scope: &'a Scope<'a>,
    pub(super) wanted: &'a Tenant,
    pub(super) found: &'a Tenant,
    raw: &'a Tenant,
    pub(super) wanted_at: &'a Index<'a>,
    raw_at: &'a Index<'a>,
    pub(super) changes: Vec<Change>,
    held: Vec<Held>,
    secrets: Vec<SecretNote>,
    pub(super) summary: Summary,
    /// What no definition is about.
    pub(super) unmanaged: BTreeSet<Unmanaged>,
    problems: Problems,
    replaced: BTreeSet<Address>,
}

impl<'a> Planner<'a> {
    fn kind(&mut self, kind: &Kind) {
        let found = self.found.objects(&kind.name);
        let candidates = pair::Candidates::new(kind, found);
        let mut is_paired = vec![false; found.len()];
        for desired in self.wanted.objects(&kind.name) {
            if !self.scope.holds(&desired.address) {
                continue;
            }
            match candidates.pair(desired, &self.policy.moved) {
                Err(problem) => self.problems.push(problem),
                Ok(None) => self.missing(kind, desired),
                Ok(Some(at)) => {
                    is_paired[at] = true;
                    self.both(kind, desired, &found[at]);
                }
            }
        }
        self.settle_exclusive(kind);
        let is_managed = self.wanted.kinds.contains_key(&kind.name) && !kind.is_fixed();
        for (live, _) in found.iter().zip(is_paired).filter(|(_, is_paired)| !is_paired) {
            if self.untouchable(kind, live).is_some() {
                continue;
            }
            if is_managed && self.scope.holds(&live.address) && !self.problems.has_errors() {
                self.unwanted(kind, live);
            } else {
                self.unmanaged.insert(Unmanaged {
                    kind: kind.name.clone(),
                    name: live.address.name.clone(),
                    id: live.id.clone(),
                });
            }
        }
    }

    /// The object as the API answered it.
    fn raw(&self, kind: &Kind, live: &Object) -> Option<&'a Object> {
        match &live.id {
            Some(id) => self.raw_at.by_id(&kind.name, id),
            None => self.raw.objects(&kind.name).first(),
        }
    }

    fn untouchable(&self, kind: &Kind, live: &Object) -> Option<&'static str> {
        untouchable(kind, self.raw(kind, live)?, self.policy)
    }

    /// A definition without a live object.
    fn missing(&mut self, kind: &Kind, desired: &Object) {
        if self.is_own(kind, desired) {
            self.hold(&desired.address, Action::Create, None, "tenantctl signs in with it");
            return;
        }
        let kept = desired.provenance.kept.iter();
        for (path, keyword) in kept.filter(|(path, _)| !self.policy.leaves_out(&kind.name, path)) {
            let message = format!(
                "{} is to be created and its `{}` is the keyword `{keyword}`, which has no value",
                desired.address,
                label(path)
            );
            self.problems.push(
                Problem::error(message)
                    .at(desired.provenance.origin(path))
                    .hint(format!("define `{keyword}` for this environment: there is nothing to keep yet")),
            );
        }
        if kind.create.is_none() {
            self.problems.push(
                Problem::error(format!("the tenant has no {}, and the API can't create one", desired.address))
                    .at(desired.provenance.origin("")),
            );
            return;
        }
        let Difference { edits, secrets, .. } = self.difference(kind, desired, None, true);
        let edits = self.settle_until(kind, desired, None, Action::Create, edits);
        self.note(desired, secrets);
        self.change(&desired.address, Action::Create, None, edits);
    }

    /// A definition of the application that tenantctl signs in with, or of what belongs to it.
    fn is_own(&self, kind: &Kind, desired: &Object) -> bool {
        let Some(own) = &self.policy.own_client else { return false };
        let refers = |field: &String| {
            let reference = kind.fields.get(field)?.reference.as_ref()?;
            let text = desired.value.get(field)?.as_str()?;
            Some(self.names.meaning(&reference.kind, text) == Meaning::Id(own))
        };
        kind.own.as_ref().and_then(refers).unwrap_or_default()
    }

    /// Compares, without what is left out.
    fn difference(
        &self,
        kind: &Kind,
        desired: &Object,
        live: Option<&Map<String, Value>>,
        is_rotated: bool,
    ) -> Difference {
        let mut found = difference(kind, desired, live, is_rotated);
        let is_part = |path: &str| !self.policy.leaves_out(&kind.name, path);
        found.edits.retain(|edit| is_part(&edit.path));
        found.extra.retain(|edit| is_part(&edit.path));
        found.write_once.retain(|path| is_part(path));
        found.secrets.retain(|(path, _)| is_part(path));
        found
    }

    /// A definition and its live object.
    fn both(&mut self, kind: &Kind, desired: &Object, live: &Object) {
        let is_rotated = self.policy.rotate.iter().any(|pattern| pattern.fits(&desired.address));
        let Difference { edits, write_once, extra, secrets } =
            self.difference(kind, desired, Some(&live.value), is_rotated);
        if let Some(reason) = self.untouchable(kind, live) {
            if !edits.is_empty() {
                self.hold(&desired.address, Action::Update, None, reason);
            }
            return;
        }
        self.note(desired, secrets);
        let raw = self.raw(kind, live).map(|raw| &raw.value);
        let mut edits = self.settle_until(kind, desired, raw, Action::Update, edits);
        for edit in extra {
            match policy::objection(self.policy, &desired.address) {
                Some(reason) => self.hold(&desired.address, Action::Delete, Some(edit.path), &reason),
                None => edits.push(edit),
            }
        }
        let hangs_on = links::recognised_by(kind, desired).find(|address| self.replaced.contains(address));
        match policy::objection(self.policy, &desired.address) {
            Some(reason) => {
                for path in write_once {
                    edits.retain(|edit| edit.path != path);
                    let why = format!("it can't change after the create, and {reason}");
                    self.hold(&desired.address, Action::Replace, Some(path), &why);
                }
                if let Some(address) = hangs_on {
                    let why = format!("{address} is replaced, and {reason}");
                    self.hold(&desired.address, Action::Replace, None, &why);
                    return;
                }
            }
            None if !write_once.is_empty() || hangs_on.is_some() => {
                self.replaced.insert(desired.address.clone());
                self.change(&desired.address, Action::Replace, live.id.clone(), edits);
                return;
            }
            None => {}
        }
        if edits.is_empty() {
            self.summary.unchanged += 1;
            return;
        }
        let mut change = made(&desired.address, Action::Update, live.id.clone(), edits);
        change.again = call::made_again(kind, &change, desired);
        match call::refusal(kind, &change, desired, live) {
            Some(reason) => self.hold(&desired.address, Action::Update, None, &reason),
            None => self.changes.push(change),
        }
    }

    /// A live object without a definition.
    fn unwanted(&mut self, kind: &Kind, live: &Object) {
        let objection = policy::objection(self.policy, &live.address)
            .or_else(|| kind.delete.is_none().then(|| "the API can't delete it".to_owned()));
        match objection {
            Some(reason) => self.hold(&live.address, Action::Delete, None, &reason),
            None => self.change(&live.address, Action::Delete, live.id.clone(), Vec::new()),
        }
    }

    fn note(&mut self, desired: &Object, secrets: Vec<(String, SecretState)>) {
        self.secrets.extend(secrets.into_iter().map(|(path, state)| SecretNote {
            kind: desired.address.kind.clone(),
            name: desired.address.name.clone(),
            keyword: desired.provenance.kept.get(&path).cloned(),
            path,
            state,
        }));
    }

    pub(super) fn hold(&mut self, address: &Address, action: Action, path: Option<String>, reason: &str) {
        let Address { kind, name } = address.clone();
        self.held.push(Held { kind, name, action, path, reason: reason.to_owned() });
    }

    pub(super) fn change(&mut self, address: &Address, action: Action, id: Option<String>, fields: Vec<Edit>) {
        self.changes.push(made(address, action, id, fields));
    }
}

fn made(address: &Address, action: Action, id: Option<String>, fields: Vec<Edit>) -> Change {
    let Address { kind, name } = address.clone();
    Change { kind, name, action, id, fields, again: Vec::new(), requires: Vec::new() }
}
