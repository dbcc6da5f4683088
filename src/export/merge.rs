//! Brings a text of definitions up to the live tenant: what equals it stays byte for byte, with its markers,
//! comments, quotes and order.
//!
//! Pure; it walks the tree of the text, what the text means, and what the tenant has side by side. Values are
//! compared in canonical form, so that a plan of the result is empty. What is written anew is what an export
//! would write.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::edits::{Edits, Whole};
use super::files::{Laid, Placed, holds_marker};
use super::together::together;
use crate::config::substitute::Substituted;
use crate::config::yaml::{Data, Entry, Node};
use crate::error::Problem;
use crate::kinds::Registry;
use crate::kinds::kind::{Field, Fields, Kind, Type};
use crate::tenant::canon;
use crate::tenant::unreadable::Unreadable;
use crate::tenant::{Address, Object, Tenant};

/// How far the tenant goes before the text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Takes {
    /// A marker stays where its value differs from the tenant's.
    pub markers_first: bool,
    /// Fields that the text leaves out are added, and not left alone.
    pub all_fields: bool,
}

/// Merges into one text.
pub(super) struct Merge<'a> {
    edits: Edits<'a>,
    read: &'a Substituted,
    takes: Takes,
    /// How many fields of the tenant's objects the text leaves out.
    pub(super) left_out: usize,
    /// What was written anew.
    pub(super) written: Vec<Value>,
    /// Texts that stand in files of their own and differ: the path below the folder of the text, and what is live.
    pub(super) texts: Vec<(String, String)>,
    /// Markers that were lost, or kept although they differ.
    pub(super) problems: Vec<Problem>,
    address: String,
    /// The field whose members were those of another case.
    other_case: Option<String>,
    /// What could not be read: kinds, and fields of kinds.
    unread: Option<&'a BTreeMap<String, Unreadable>>,
    /// The fields of the object that could not be read, or all: they stay as they are written.
    stays: Stays,
}

/// Which fields of an object stay as they are written.
#[derive(Debug, Clone, Default)]
enum Stays {
    #[default]
    None,
    These(Vec<String>),
    All,
}

impl Stays {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::These(names) => names.iter().any(|known| known == name),
            Self::All => true,
        }
    }
}

/// What is declared of the members of a map.
#[derive(Clone, Copy)]
enum Members<'f> {
    Fields(&'f Fields),
    Each(&'f Field),
    /// Whatever stands there: it is compared as a whole.
    Any,
}

impl<'f> Members<'f> {
    fn of(field: Option<&'f Field>) -> Self {
        match field {
            Some(field) if field.holds == Type::Map => field.items.as_deref().map_or(Self::Any, Self::Each),
            Some(field) if !field.fields.is_empty() => Self::Fields(&field.fields),
            _ => Self::Any,
        }
    }

    fn find(self, name: &str) -> Option<&'f Field> {
        match self {
            Self::Fields(fields) => fields.find(name),
            Self::Each(field) => Some(field),
            Self::Any => None,
        }
    }
}

/// The three sides of a value: what the text means, what is live in canonical form, what an export writes.
#[derive(Clone, Copy)]
struct Sides<'v> {
    local: &'v Value,
    live: &'v Value,
    exported: &'v Value,
}

impl<'a> Merge<'a> {
    /// Begins with a text.
    pub(super) fn new(read: &'a Substituted, takes: Takes) -> Self {
        Self {
            edits: Edits::new(read),
            read,
            takes,
            left_out: 0,
            written: Vec::new(),
            texts: Vec::new(),
            problems: Vec::new(),
            address: String::new(),
            other_case: None,
            unread: None,
            stays: Stays::None,
        }
    }

    /// Leaves alone what could not be read: it is not known to be gone.
    pub(super) fn leaving(self, unread: &'a BTreeMap<String, Unreadable>) -> Self {
        Self { unread: Some(unread), ..self }
    }

    fn is_unread(&self, kind: &Kind, field: &str) -> bool {
        self.unread.is_some_and(|unread| unread.contains_key(&format!("{}.{field}", kind.name)))
    }

    /// Gives the merged text.
    pub(super) fn text(self) -> String {
        self.edits.text()
    }

    /// Tries to edit within a value; where that can't be, nothing of it stays.
    fn tried(&mut self, edit: impl FnOnce(&mut Self) -> Result<(), Whole>) -> Result<(), Whole> {
        let counts = (self.edits.count(), self.problems.len(), self.written.len(), self.texts.len(), self.left_out);
        edit(self).inspect_err(|_| {
            self.edits.back_to(counts.0);
            self.problems.truncate(counts.1);
            self.written.truncate(counts.2);
            self.texts.truncate(counts.3);
            self.left_out = counts.4;
        })
    }

    /// Merges the list of a kind's objects. `is_gone` tells whether the tenant lacks the object of an address.
    fn objects(
        &mut self,
        kind: &Kind,
        node: &Node,
        locals: &[Object],
        theirs: &[Placed],
        is_gone: &dyn Fn(&Address) -> bool,
    ) -> Result<(), Whole> {
        let found = |local: &Object| {
            let is_pinned = |theirs: &&Placed| local.id.is_some() && local.id == theirs.live.id;
            let is_named = |theirs: &&Placed| local.id.is_none() && local.address == theirs.live.address;
            theirs.iter().find(is_pinned).or_else(|| theirs.iter().find(is_named))
        };
        let Data::List(items) = &*node.data else { return Err(Whole) };
        if items.len() != locals.len() || !Edits::is_written(node) {
            return Err(Whole);
        }
        let is_flow = self.edits.is_flow(node);
        let mut taken: Vec<&Address> = Vec::new();
        let mut removed = Vec::new();
        for (at, (item, local)) in items.iter().zip(locals).enumerate() {
            match found(local) {
                Some(theirs) => {
                    taken.push(&theirs.live.address);
                    if self.tried(|merge| merge.object(kind, item, local, theirs)).is_err() {
                        let value = theirs.in_main();
                        self.edits.set_item(item, &value, is_flow)?;
                        self.written.push(value);
                    }
                }
                None if is_gone(&local.address) => removed.push(at),
                None => {}
            }
        }
        let rest = theirs.iter().filter(|theirs| !taken.contains(&&theirs.live.address));
        let added: Vec<Value> = rest.map(Placed::in_main).collect();
        self.edits.change_items(node, &removed, &added)?;
        self.written.extend(added);
        Ok(())
    }

    /// Merges a text whose top-level keys are kinds.
    pub(super) fn kinds(
        &mut self,
        registry: &Registry,
        root: &Node,
        locals: &Tenant,
        theirs: &Laid<'_>,
        is_gone: &dyn Fn(&Address) -> bool,
    ) -> Result<(), Whole> {
        let Data::Map(entries) = &*root.data else { return Err(Whole) };
        for entry in entries {
            let found = registry.get(&entry.key).and_then(|kind| Some((kind, theirs.get(&kind.name)?)));
            let Some((kind, theirs)) = found else { continue };
            let locals = locals.objects(&kind.name);
            if self.tried(|merge| merge.kind(kind, entry, locals, theirs, is_gone)).is_err() {
                self.address.clone_from(&kind.name);
                if let Some(value) = whole(kind, theirs)
                    && self.may_replace(&self.edits.after_key(entry), &kind.name)
                {
                    self.edits.set_member(entry, &value, false)?;
                    self.written.push(value);
                }
            }
        }
        let is_news = |kind: &&Kind| !entries.iter().any(|entry| entry.key == kind.name);
        let added: Vec<(String, Value)> = registry
            .iter()
            .filter(is_news)
            .filter_map(|kind| {
                let theirs = theirs.get(&kind.name).filter(|theirs| !theirs.is_empty())?;
                Some((kind.name.clone(), whole(kind, theirs)?))
            })
            .collect();
        self.edits.change_members(root, &[], &added)?;
        self.written.extend(added.into_iter().map(|(_, value)| value));
        Ok(())
    }

    /// Merges what stands under the key of a kind.
    pub(super) fn kind(
        &mut self,
        kind: &Kind,
        entry: &Entry,
        locals: &[Object],
        theirs: &[Placed],
        is_gone: &dyn Fn(&Address) -> bool,
    ) -> Result<(), Whole> {
        if kind.singleton && !kind.listed {
            let (local, theirs) = locals.first().zip(theirs.first()).ok_or(Whole)?;
            return self.object(kind, &entry.value, local, theirs);
        }
        let Some((key, held)) = kind.keys.as_ref().and_then(|keys| Some((&keys.field, keys.holds.as_ref()?))) else {
            return self.objects(kind, &entry.value, locals, theirs, is_gone);
        };
        // A map from fixed names to one value of each.
        let by_name = |of: &dyn Fn(&Placed) -> Option<Value>| -> Map<String, Value> {
            theirs.iter().filter_map(|it| Some((it.value.get(key)?.as_str()?.to_owned(), of(it)?))).collect()
        };
        let exported = by_name(&|theirs| theirs.value.get(held).cloned());
        let live = by_name(&|theirs| canon::live(kind, &theirs.live.value).remove(held));
        let local =
            locals.iter().filter_map(|it| Some((it.value.get(key)?.as_str()?.to_owned(), it.value.get(held)?.clone())));
        self.address.clone_from(&kind.name);
        let field = kind.fields.get(held).ok_or(Whole)?;
        self.stays = if self.is_unread(kind, held) { Stays::All } else { Stays::None };
        self.members(Members::Each(field), &entry.value, [&local.collect(), &live, &exported], 1)
    }

    /// Merges one object.
    pub(super) fn object(&mut self, kind: &Kind, node: &Node, local: &Object, theirs: &Placed) -> Result<(), Whole> {
        self.address = local.address.to_string();
        let kind = kind.of(&theirs.live.value);
        let live = canon::live(kind, &theirs.live.value);
        let changed = kind.case_of.as_ref().filter(|(by, _)| local.value.get(by) != theirs.live.value.get(by));
        self.other_case = changed.map(|(_, member)| member.clone());
        let apart = kind.fields.iter().filter(|field| field.is_apart() && self.is_unread(kind, &field.name));
        self.stays = Stays::These(apart.map(|field| field.name.clone()).collect());
        // What names the file of the object has no more than it says already: the rest goes there.
        let written = match &*node.data {
            Data::Map(entries) if entries.iter().any(|entry| kind.body.as_ref() == Some(&entry.key)) => {
                let is_written = |name: &String| entries.iter().any(|entry| entry.key == *name);
                let said = theirs.value.iter().filter(|(name, _)| is_written(name));
                Cow::Owned(said.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            _ => Cow::Borrowed(&theirs.value),
        };
        self.members(Members::Fields(&kind.fields), node, [&local.value, &live, &written], 1)
    }

    /// Merges one field of an object, which has the text for itself; `node` is the object with that field alone.
    pub(super) fn field(
        &mut self,
        kind: &Kind,
        name: &str,
        node: &Node,
        local: &Object,
        theirs: &Placed,
    ) -> Result<(), Whole> {
        self.address = local.address.to_string();
        let live = canon::live(kind, &theirs.live.value);
        let Data::Map(entries) = &*node.data else { return Err(Whole) };
        let entry = entries.first().ok_or(Whole)?;
        let field = kind.fields.get(name);
        match (local.value.get(name), live.get(name), theirs.value.get(name)) {
            (Some(local), live, _) if is_same(field, local, live, 1) => Ok(()),
            (Some(local), Some(live), Some(exported)) => {
                self.within(field, &entry.value, Sides { local, live, exported }, 2)
            }
            _ => Ok(()),
        }
    }

    fn members(
        &mut self,
        declared: Members,
        node: &Node,
        [local, live, exported]: [&Map<String, Value>; 3],
        depth: usize,
    ) -> Result<(), Whole> {
        let Data::Map(entries) = &*node.data else { return Err(Whole) };
        if !Edits::is_written(node) && !entries.is_empty() {
            return Err(Whole);
        }
        let is_flow = self.edits.is_flow(node);
        let name_of = |entry: &Entry| {
            declared.find(&entry.key).map_or(entry.key.clone(), |field| match declared {
                Members::Fields(_) => field.name.clone(),
                _ => entry.key.clone(),
            })
        };
        let mut names = Vec::new();
        let mut removed = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let name = name_of(entry);
            let field = declared.find(&entry.key);
            // What was kept, pins, and what only the API sets have no value.
            let value = local.get(&name).filter(|_| !field.is_some_and(|field| field.secret || field.is_hidden()));
            names.push(name.clone());
            // What only another variant of the kind has, or what is no more where anything can stand.
            let is_free = matches!(declared, Members::Fields(_) | Members::Any);
            if depth > 1 && field.is_none() && is_free && !live.contains_key(&name) {
                removed.push(at);
                continue;
            }
            let Some(value) = value else { continue };
            // Its members were those of another case: what they hide says nothing now.
            if let (1, true, Some(exported)) = (depth, self.other_case.as_ref() == Some(&name), exported.get(&name)) {
                if self.may_replace(&self.edits.after_key(entry), &entry.key) {
                    self.edits.set_member(entry, exported, is_flow)?;
                    self.written.push(exported.clone());
                }
                continue;
            }
            if is_same(field, value, live.get(&name), depth) {
                continue;
            }
            match (live.get(&name), exported.get(&name)) {
                (Some(live), Some(exported)) => {
                    self.member(field, entry, Sides { local: value, live, exported }, (is_flow, depth))?;
                }
                (None, None) if depth == 1 && self.stays.has(&name) => {}
                (None, None) if field.is_some() => removed.push(at),
                _ => {}
            }
        }
        let is_news = |name: &String| {
            let field = declared.find(name);
            let is_default = |value: &Value| field.is_some_and(|field| canon::is_nothing(field, value, depth));
            !names.contains(name) && !live.get(name).is_some_and(is_default)
        };
        let is_left_out = matches!(declared, Members::Fields(_)) && !self.takes.all_fields;
        if is_left_out {
            self.left_out += exported.keys().filter(|name| is_news(name)).count();
        }
        let added: Vec<(String, Value)> = exported
            .iter()
            .filter(|(name, _)| !is_left_out && is_news(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        self.edits.change_members(node, &removed, &added)?;
        self.written.extend(added.into_iter().map(|(_, value)| value));
        Ok(())
    }

    /// Merges the value of a key that differs.
    fn member(
        &mut self,
        field: Option<&Field>,
        entry: &Entry,
        sides: Sides,
        (is_flow, depth): (bool, usize),
    ) -> Result<(), Whole> {
        let is_name = |text: &&str| sides.local.as_str() != Some(*text);
        // A text that looks like a marker can stand in the main file alone, with escapes.
        let is_fit = |text: &&str| !holds_marker(text);
        let (path, text) = (entry.value.as_text().filter(is_name), sides.live.as_str().filter(is_fit));
        if let (Some(file), Some(path), Some(text)) = (field.and_then(|field| field.file.as_ref()), path, text) {
            let below = if file.folder.is_empty() { String::new() } else { format!("{}/", file.folder) };
            self.texts.push((format!("{below}{path}"), text.to_owned()));
            return Ok(());
        }
        if self.tried(|merge| merge.within(field, &entry.value, sides, depth + 1)).is_ok() {
            return Ok(());
        }
        let range = self.edits.after_key(entry);
        if self.may_replace(&range, &entry.key) {
            self.edits.set_member(entry, sides.exported, is_flow)?;
            self.written.push(sides.exported.clone());
        }
        Ok(())
    }

    /// Merges the parts of a value.
    fn within(&mut self, field: Option<&Field>, node: &Node, sides: Sides, depth: usize) -> Result<(), Whole> {
        match (sides.local, sides.live, sides.exported) {
            (Value::Object(local), Value::Object(live), Value::Object(exported)) => {
                self.members(Members::of(field), node, [local, live, exported], depth)
            }
            (Value::Array(local), Value::Array(live), Value::Array(exported)) => {
                self.elements(field.ok_or(Whole)?, node, [local, live, exported], depth)
            }
            _ => Err(Whole),
        }
    }

    fn elements(
        &mut self,
        field: &Field,
        node: &Node,
        [local, live, exported]: [&[Value]; 3],
        depth: usize,
    ) -> Result<(), Whole> {
        let Data::List(items) = &*node.data else { return Err(Whole) };
        if items.len() != local.len() || !Edits::is_written(node) || live.len() != exported.len() {
            return Err(Whole);
        }
        let is_flow = self.edits.is_flow(node);
        let item = field.items.as_deref();
        let canonical = |value: &Value| item.map_or_else(|| value.clone(), |item| canon::value(item, value));
        let is_set = field.holds == Type::Set;
        // In a set by what tells elements apart, in a list by place.
        let key = |at: usize, value: &Value| {
            if is_set { canon::member_key(field, &canonical(value)) } else { at.to_string() }
        };
        let keyed = |values: &[Value]| -> BTreeMap<String, Value> {
            values.iter().enumerate().map(|(at, value)| (key(at, value), value.clone())).collect()
        };
        let (live_by, exported_by) = (keyed(live), keyed(exported));
        if live_by.len() != live.len() {
            return Err(Whole);
        }
        let mut seen = Vec::new();
        let mut removed = Vec::new();
        for (at, (node, value)) in items.iter().zip(local).enumerate() {
            let key = key(at, value);
            let found = live_by.get(&key).zip(exported_by.get(&key)).filter(|_| !seen.contains(&key));
            let Some((live, exported)) = found else {
                removed.push(at);
                continue;
            };
            seen.push(key);
            if is_same(item, value, Some(live), depth) {
                continue;
            }
            let sides = Sides { local: value, live, exported };
            if self.tried(|merge| merge.within(item, node, sides, depth + 1)).is_err() {
                let range = self.edits.item(node);
                if self.may_replace(&range, &field.name) {
                    self.edits.set_item(node, exported, is_flow)?;
                    self.written.push(exported.clone());
                }
            }
        }
        let added: Vec<Value> = exported
            .iter()
            .enumerate()
            .filter(|(at, value)| !seen.contains(&key(*at, value)))
            .map(|(_, value)| value.clone())
            .collect();
        for at in &removed {
            let range = self.edits.item(&items[*at]);
            if !self.may_replace(&range, &field.name) {
                return Ok(());
            }
        }
        self.edits.change_items(node, &removed, &added)?;
        self.written.extend(added);
        Ok(())
    }

    /// Tells whether a part of the text may be replaced, and says so where a marker is lost by that.
    fn may_replace(&mut self, range: &std::ops::Range<usize>, name: &str) -> bool {
        let Some(marker) = self.edits.marker(range) else { return true };
        let text = &self.read.text()[range.clone()];
        let range = &(range.start + text.len() - text.trim_start().len()..range.end);
        let (address, keeps) = (&self.address, self.takes.markers_first);
        let problem = if keeps {
            Problem::warning(format!("{address}: `{name}`: {marker} stays, though the tenant has another value"))
                .hint("change the keyword's value, or export without `--keep-markers`")
        } else {
            Problem::warning(format!("{address}: `{name}`: {marker} is lost: the tenant has another value"))
                .hint("change the keyword's value and put the marker back, or export with `--keep-markers`")
        };
        self.problems.push(problem.at(Some(self.read.origin(range))));
        !keeps
    }
}

/// Gives all objects of a kind as an export writes them; nothing where the one of a singleton is missing.
fn whole(kind: &Kind, theirs: &[Placed]) -> Option<Value> {
    together(kind, theirs.iter().map(Placed::in_main).collect())
}

/// Tells whether a value of the text says what is live; nothing and a default say the same.
fn is_same(field: Option<&Field>, local: &Value, live: Option<&Value>, depth: usize) -> bool {
    let canonical = field.map_or_else(|| local.clone(), |field| canon::value(field, local));
    match (live, field) {
        (Some(live), _) if canon::are_equal(&canonical, live) => true,
        (Some(live), Some(field)) => local.is_null() && canon::is_nothing(field, live, depth),
        (Some(_), None) => false,
        (None, Some(field)) => canon::is_nothing(field, local, depth),
        (None, None) => local.is_null(),
    }
}

#[cfg(test)]
mod tests;
