//! What the planner settles once it has compared: edits that have to wait, marks that only one object
//! may have, and what the API deletes together with an object.
//!
//! A part of `planner`; each ends as a change or as held back with its reason.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::planner::Planner;
use super::{Action, Change, Edit, links, policy};
use crate::kinds::Registry;
use crate::kinds::kind::{Field, Kind};
use crate::tenant::{Address, Object};

impl Planner<'_> {
    /// Holds back the edits whose field waits for something of the live object.
    pub(super) fn settle_until(
        &mut self,
        kind: &Kind,
        desired: &Object,
        raw: Option<&Map<String, Value>>,
        action: Action,
        edits: Vec<Edit>,
    ) -> Vec<Edit> {
        let reason = |edit: &Edit| {
            let field = kind.fields.get(edit.path.split('/').nth(1)?)?;
            let hidden =
                field.hidden_without.as_ref().filter(|_| raw.is_some_and(|raw| !raw.contains_key(&field.name)));
            if let Some(scope) = hidden {
                return Some(format!("the API does not show it to a token without the scope {scope}"));
            }
            let call = field.call.as_ref().filter(|call| call.value.is_some() && call.value != edit.after);
            let until = field.until.as_ref().filter(|until| {
                let is_off = edit.after == Some(Value::Bool(false));
                !is_off && !raw.is_some_and(|raw| until.live.fits(raw))
            });
            call.map(|call| &call.because).or(until.map(|until| &until.because)).cloned()
        };
        let (waiting, edits): (Vec<Edit>, Vec<Edit>) = edits.into_iter().partition(|edit| reason(edit).is_some());
        for edit in waiting {
            let why = reason(&edit).unwrap_or_default();
            // What is made is not yet what its definition says that it should not be.
            let is_so = |field: &Field| raw.is_none() && field.default.is_some() && field.default == edit.after;
            if !kind.fields.get(edit.path.trim_start_matches('/')).is_some_and(is_so) {
                self.hold(&desired.address, action, Some(edit.path), &why);
            }
        }
        edits
    }

    /// Takes out the edits that end an exclusive mark where no other object takes it over.
    pub(super) fn settle_exclusive(&mut self, kind: &Kind) {
        for field in kind.fields.iter().filter(|field| field.exclusive) {
            let path = format!("/{}", field.name);
            let sets = |edit: &Edit, to: bool| edit.path == path && edit.after == Some(Value::Bool(to));
            let mine = |change: &&mut Change| change.kind == kind.name;
            let is_taken =
                self.changes.iter_mut().filter(mine).any(|change| change.fields.iter().any(|edit| sets(edit, true)));
            if is_taken {
                continue;
            }
            let mut kept = Vec::new();
            for mut change in std::mem::take(&mut self.changes) {
                let before = change.fields.len();
                if change.kind == kind.name {
                    change.fields.retain(|edit| !sets(edit, false));
                }
                let is_held = change.fields.len() < before;
                if is_held && change.action == Action::Update {
                    let why = "only another object that takes it over can end it";
                    self.hold(&change.address(), Action::Update, Some(path.clone()), why);
                }
                if is_held && change.fields.is_empty() {
                    self.summary.unchanged += 1;
                } else {
                    kept.push(change);
                }
            }
            self.changes = kept;
        }
    }

    /// Sees to what the API deletes together with an object: it becomes a change of its own, or the
    /// object stays where this run may not touch what would go with it.
    pub(super) fn settle_cascade(&mut self, registry: &Registry) {
        let gone: BTreeMap<Address, Action> = self
            .changes
            .iter()
            .filter(|change| matches!(change.action, Action::Delete | Action::Replace))
            .map(|change| (change.address(), change.action))
            .collect();
        for kind in registry {
            for live in self.found.objects(&kind.name) {
                let with = links::recognised_by(kind, live).find_map(|address| gone.get_key_value(&address));
                let Some((address, action)) = with else { continue };
                let is_seen_to = |change: &Change| change.kind == kind.name && change.id == live.id;
                let is_wanted = self.scope.holds(&live.address) && !self.wanted_at.named(&live.address).is_empty();
                if self.changes.iter().any(is_seen_to) || (is_wanted && *action == Action::Delete) {
                    continue;
                }
                let may_go = !self.wanted.kinds.contains_key(&kind.name)
                    && self.scope.holds(&live.address)
                    && policy::objection(self.policy, &live.address).is_none();
                if may_go && *action == Action::Delete {
                    self.unmanaged.retain(|unmanaged| unmanaged.kind != live.address.kind || unmanaged.id != live.id);
                    self.change(&live.address, Action::Delete, live.id.clone(), Vec::new());
                } else if let Some(at) = self.changes.iter().position(|change| change.address() == *address) {
                    self.changes.remove(at);
                    let why = format!("{} would go with it, and this run may not touch that", live.address);
                    self.hold(address, *action, None, &why);
                }
            }
        }
    }
}
