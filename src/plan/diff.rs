//! Two objects to the edits that make one equal to the other. Absent means unmanaged, null clears.
//!
//! Compares canonical objects (see `tenant::canon`) by their declaration alone; it knows neither
//! what may be done nor how the API is called.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::displaced::displaced;
use super::secrets::{holds_hidden, holds_secret, is_shown_equal, masked, masked_item};
use super::sets::{Along, declared, maps_agree, merged_map, merged_set, set_edit};
use super::{Edit, Op, SecretState, SetEdit, Source};
use crate::kinds::kind::{Field, Kind, Type, at};
use crate::tenant::{Object, canon};
use crate::text::{escape, unescape};

/// What differs between a definition and the live object.
#[derive(Debug, Default)]
pub struct Difference {
    /// Edits of the live object, in the declaration's order.
    pub edits: Vec<Edit>,
    /// Pointers of edits that change a write-once field.
    pub write_once: Vec<String>,
    /// Keys of maps that the definition lacks: deletes, so the policy has a word.
    pub extra: Vec<Edit>,
    /// Secrets that are no edit.
    pub secrets: Vec<(String, SecretState)>,
}

/// Compares a definition with its live object; without one, everything is added.
///
/// `is_rotated` makes secrets that can't be compared edits.
#[must_use]
pub fn difference(kind: &Kind, desired: &Object, live: Option<&Map<String, Value>>, is_rotated: bool) -> Difference {
    let mut walk = Walk {
        desired,
        making: if live.is_none() { Making::All } else { Making::Nothing },
        is_rotated,
        found: Difference::default(),
        masked: false,
    };
    let empty = Map::new();
    for (name, value) in &desired.value {
        let at = Place { path: format!("/{}", escape(name)), depth: 1, write_once: false };
        let found = live.unwrap_or(&empty).get(name);
        match kind.of(&desired.value).fields.get(name) {
            Some(field) => walk.field(field, value, found, &at),
            None => walk.whole(value, found, &at),
        }
    }
    walk.displaced(kind, live.unwrap_or(&empty));
    walk.displaced_members(kind, live.unwrap_or(&empty));
    let kept = desired.provenance.kept.keys().filter(|_| live.is_some());
    walk.found.secrets.extend(kept.map(|path| (path.clone(), SecretState::Kept)));
    walk.found
}

/// The depth of what stands in an element of a set.
pub(super) const NESTED: usize = 2;

#[derive(Clone)]
struct Place {
    path: String,
    depth: usize,
    write_once: bool,
}

impl Place {
    fn member(&self, name: &str) -> Self {
        Self { path: format!("{}/{}", self.path, escape(name)), depth: self.depth + 1, ..*self }
    }
}

/// What of an object is not there yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Making {
    Nothing,
    /// What is looked at, in an object that is there.
    Part,
    All,
}

struct Walk<'a> {
    desired: &'a Object,
    making: Making,
    is_rotated: bool,
    masked: bool,
    found: Difference,
}

impl Walk<'_> {
    /// What the definition gives displaces what the API does not take beside it; where the one can't
    /// be written, neither is the other taken away.
    fn displaced(&mut self, kind: &Kind, live: &Map<String, Value>) {
        let desired = &self.desired.value;
        let is_given = |name: &&String| desired.get(*name).is_some_and(|value| !value.is_null());
        for rule in &kind.rules {
            let Some(giver) = rule.at_most_one.iter().find(is_given) else { continue };
            let within = format!("/{}/", escape(giver));
            let write_once = self.found.write_once.iter().any(|path| format!("{path}/").starts_with(&within));
            for name in rule.at_most_one.iter().filter(|name| !desired.contains_key(*name)) {
                if let Some(found) = live.get(name) {
                    let at = Place { path: format!("/{}", escape(name)), depth: 1, write_once };
                    self.push(Op::Remove, &at, Some(found.clone()), None, None);
                }
            }
        }
    }

    /// What the API refuses beside the definition goes, within an object that is written anyway.
    fn displaced_members(&mut self, kind: &Kind, live: &Map<String, Value>) {
        for displaced in displaced(kind.of(&self.desired.value), &self.desired.value, live) {
            let top = displaced.pointer.split('/').nth(1).map(|name| format!("/{name}/")).unwrap_or_default();
            let is_top = !displaced.pointer[1..].contains('/');
            let is_written = is_top || self.found.edits.iter().any(|edit| format!("{}/", edit.path).starts_with(&top));
            let is_said = self.found.edits.iter().any(|edit| edit.path == displaced.pointer);
            if let (true, true, false, Some(value)) =
                (displaced.is_change, is_written, is_said, at(live, &displaced.pointer))
            {
                let depth = if is_top { 1 } else { NESTED };
                let place = Place { path: displaced.pointer.clone(), depth, write_once: false };
                self.push(Op::Remove, &place, Some(value.clone()), None, None);
            }
        }
    }

    fn field(&mut self, field: &Field, desired: &Value, live: Option<&Value>, at: &Place) {
        let at =
            &Place { write_once: at.write_once || (field.create_only && self.making != Making::All), ..at.clone() };
        if self.making == Making::Nothing && live.is_none() && canon::is_nothing(field, desired, at.depth) {
            return;
        }
        let live = live.or(field.default.as_ref().filter(|_| self.making == Making::Nothing));
        if field.secret {
            self.secret(field, desired, live, at);
            return;
        }
        if field.write_only && self.making == Making::Nothing {
            if self.is_rotated && !at.write_once {
                self.push(Op::Replace, at, None, Some(desired.clone()), None);
            } else {
                self.found.secrets.push((at.path.clone(), SecretState::NotComparable));
            }
            return;
        }
        if let (true, Making::Nothing, Some(live)) = (field.masked, self.making, live) {
            self.masked_value(field, desired, live, at);
            return;
        }
        match (desired, live) {
            (Value::Null, None) => {}
            (Value::Null, Some(live)) if canon::is_nothing(field, live, at.depth) => {}
            (Value::Null, Some(live)) => self.push(Op::Remove, at, Some(masked(field, live)), None, None),
            (Value::Object(map), Some(Value::Object(live))) => self.object(field, map, live, at),
            (Value::Array(items), Some(Value::Array(live))) if field.holds == Type::Set => {
                self.set(field, items, live, at);
            }
            (Value::Array(items), Some(Value::Array(live))) if field.holds == Type::List => {
                self.list(field, items, live, at);
            }
            (desired, Some(live)) if field.convert.is_some() && on_wire(field, desired) == on_wire(field, live) => {}
            (Value::Object(map), None) => self.added(field, map, at),
            (desired, live) => self.whole_of(field, desired, live, at),
        }
    }

    /// A declared value that is compared as a whole: secrets in it are not shown.
    fn whole_of(&mut self, field: &Field, desired: &Value, live: Option<&Value>, at: &Place) {
        if !holds_secret(field, desired) && !live.is_some_and(|live| holds_secret(field, live)) {
            self.whole(desired, live, at);
        } else if live.is_none_or(|live| !canon::are_equal(desired, live)) {
            let op = if live.is_none() { Op::Add } else { Op::Replace };
            let before = live.map(|live| masked(field, live));
            let are_maps = desired.is_object() && live.is_some_and(Value::is_object);
            let after = if are_maps { desired.clone() } else { without_nulls(desired) };
            self.push(op, at, before, Some(masked(field, &after)), None);
        }
    }

    /// An object that is not there yet: one edit, or one for each member where one is secret.
    fn added(&mut self, field: &Field, desired: &Map<String, Value>, at: &Place) {
        let value = Value::Object(desired.clone());
        if !holds_secret(field, &value) && !self.desired.provenance.is_sensitive(&at.path) {
            self.push(Op::Add, at, None, Some(without_nulls(&value)), None);
            return;
        }
        let was = self.making;
        if was == Making::Nothing {
            self.making = Making::Part;
        }
        self.object(field, desired, &Map::new(), at);
        self.making = was;
    }

    fn whole(&mut self, desired: &Value, live: Option<&Value>, at: &Place) {
        match live {
            None if desired.is_null() => {}
            None => self.push(Op::Add, at, None, Some(without_nulls(desired)), None),
            Some(live) if canon::are_equal(desired, live) => {}
            Some(live) if desired.is_null() => self.push(Op::Remove, at, Some(live.clone()), None, None),
            Some(live) => self.push(Op::Replace, at, Some(live.clone()), Some(desired.clone()), None),
        }
    }

    fn object(&mut self, field: &Field, desired: &Map<String, Value>, live: &Map<String, Value>, at: &Place) {
        if field.is_map_of_objects() && !field.merge {
            if !maps_agree(field, desired, live) {
                let after = Value::Object(merged_map(field, desired, live, Along::Declared));
                let before = masked(field, &Value::Object(live.clone()));
                self.push(Op::Replace, at, Some(before), Some(masked(field, &after)), None);
            }
            return;
        }
        if field.holds == Type::Map && !field.merge || field.holds == Type::Object && field.fields.is_empty() {
            self.whole_of(field, &Value::Object(desired.clone()), Some(&Value::Object(live.clone())), at);
            return;
        }
        for (name, value) in desired {
            match field.member(name) {
                Some(member) => self.field(member, value, live.get(name), &at.member(name)),
                None => self.whole(value, live.get(name), &at.member(name)),
            }
        }
        if field.holds == Type::Map {
            for (name, value) in live.iter().filter(|(name, _)| !desired.contains_key(*name)) {
                let value = field.member(name).map_or_else(|| value.clone(), |member| masked(member, value));
                let edit = self.edit(Op::Remove, &at.member(name), Some(value), None, None);
                self.found.extra.push(edit);
            }
        }
    }

    fn list(&mut self, field: &Field, desired: &[Value], live: &[Value], at: &Place) {
        for (index, value) in desired.iter().enumerate() {
            let at = at.member(&index.to_string());
            match (&field.items, live.get(index)) {
                (Some(item), Some(live)) => self.field(item, value, Some(live), &at),
                (_, live) => self.whole(value, live, &at),
            }
        }
        for (index, value) in live.iter().enumerate().skip(desired.len()).rev() {
            self.push(Op::Remove, &at.member(&index.to_string()), Some(masked_item(field, value)), None, None);
        }
    }

    fn set(&mut self, field: &Field, desired: &[Value], live: &[Value], at: &Place) {
        let mut set = set_edit(field, desired, live);
        let hides = |item: &Value| field.items.as_ref().is_some_and(|items| holds_hidden(items, item));
        let known: Vec<&Value> = desired.iter().filter(|item| hides(item) && !set.added.contains(item)).collect();
        if !known.is_empty() {
            if self.is_rotated && !at.write_once {
                let is_said = |item: &Value| set.changed.iter().any(|change| change.get("after") == Some(item));
                let again = known.into_iter().filter(|item| !is_said(item));
                let again: Vec<Value> = again.map(|item| json!({ "before": item, "after": item })).collect();
                set.changed.extend(again);
            } else {
                self.found.secrets.push((at.path.clone(), SecretState::NotComparable));
            }
        }
        if set == SetEdit::default() {
            return;
        }
        // What only the API says, and no declaration knows, may be a secret of tomorrow's API.
        let after = merged_set(field, desired, live, Along::Declared);
        let then = |item: &Value| {
            let key = canon::member_key(field, item);
            after.iter().find(|after| canon::member_key(field, after) == key).cloned().unwrap_or_default()
        };
        let shown = |item: &Value| masked_item(field, item);
        let was = |item: &Value| masked_item(field, &declared(field, item));
        let both =
            |change: &Value| json!({ "before": was(&change["before"]), "after": shown(&then(&change["before"])) });
        let set = SetEdit {
            added: set.added.iter().map(shown).collect(),
            removed: set.removed.iter().map(was).collect(),
            changed: set.changed.iter().map(both).collect(),
        };
        let (before, after) = (live.iter().map(was).collect(), after.iter().map(shown).collect());
        self.push(Op::Replace, at, Some(Value::Array(before)), Some(Value::Array(after)), Some(set));
    }

    /// What the API shows in a form of its own: only whether it is there, and its keys, can be compared.
    fn masked_value(&mut self, field: &Field, desired: &Value, live: &Value, at: &Place) {
        let within = format!("{}/", at.path);
        let kept = self.desired.provenance.kept.keys().filter_map(|path| path.strip_prefix(&within));
        let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<BTreeSet<_>>());
        let wanted = keys(desired).map(|mut keys| {
            keys.extend(kept.map(unescape));
            keys
        });
        match desired {
            Value::Null => self.push(Op::Remove, at, Some(masked(field, live)), None, None),
            _ if wanted == keys(live) && !self.is_rotated => {
                self.found.secrets.push((at.path.clone(), SecretState::NotComparable));
            }
            _ => self.push(Op::Replace, at, Some(masked(field, live)), Some(masked(field, desired)), None),
        }
    }

    /// A secret is compared only where the API shows it, and its values are never in an edit.
    fn secret(&mut self, field: &Field, desired: &Value, live: Option<&Value>, at: &Place) {
        self.masked = true;
        match (desired, live) {
            (Value::Null, None) => {}
            (Value::Null, Some(_)) => self.push(Op::Remove, at, None, None, None),
            (_, None) if self.making != Making::Nothing => self.push(Op::Add, at, None, None, None),
            (desired, live) => match live.and_then(|live| is_shown_equal(field, desired, live)) {
                Some(true) => {}
                Some(false) => self.push(Op::Replace, at, None, None, None),
                None if self.is_rotated => self.push(Op::Replace, at, None, None, None),
                None => self.found.secrets.push((at.path.clone(), SecretState::NotComparable)),
            },
        }
        self.masked = false;
    }

    fn push(&mut self, op: Op, at: &Place, before: Option<Value>, after: Option<Value>, set: Option<SetEdit>) {
        if at.write_once {
            self.found.write_once.push(at.path.clone());
        }
        let edit = self.edit(op, at, before, after, set);
        self.found.edits.push(edit);
    }

    fn edit(&self, op: Op, at: &Place, before: Option<Value>, after: Option<Value>, set: Option<SetEdit>) -> Edit {
        let source = self.desired.provenance.origin(&at.path).map(|origin| Source {
            file: origin.source.name.clone(),
            line: origin.line(),
            column: origin.column(),
        });
        let path = at.path.clone();
        if self.masked || self.desired.provenance.is_sensitive(&path) {
            return Edit { op, path, before: None, after: None, sensitive: true, set: None, source };
        }
        Edit { op, path, before, after, sensitive: false, set, source }
    }
}

/// Gives a converted value as it is written on the wire: whole.
#[must_use]
pub fn on_wire(field: &Field, value: &Value) -> Option<i64> {
    let convert = field.convert.as_ref()?;
    #[expect(clippy::cast_possible_truncation, reason = "rounded, and lifetimes are far below the limit")]
    value.as_f64().map(|number| (number * f64::from(convert.times)).round() as i64)
}

/// Gives a value without the members that are null: there is nothing to clear.
#[must_use]
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect(),
        ),
        value => value.clone(),
    }
}
