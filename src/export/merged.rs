//! An export into files that are there: each is brought up to the tenant by `merge`, and what is new or gone
//! is written or removed.
//!
//! Pure, like all of this room but its door. It knows both layouts: a file that holds all kinds, or one of a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::edits::{Whole, lines};
use super::files::{self, Exported, File, Laid, Options, Placed, not_exported};
use super::merge::Merge;
pub use super::merge::Takes;
use crate::config::yaml::{Data, Node};
use crate::config::{AsWritten, Written};
use crate::error::{Error, Problem};
use crate::kinds::Registry;
use crate::kinds::kind::Kind;
use crate::tenant::unreadable::Unreadable;
use crate::tenant::{Address, Object, Tenant};

/// What a merge is asked for.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// How far the tenant goes before the text.
    pub takes: Takes,
    /// Tells whether the tenant lacks the object of an address, and the run is about it.
    pub is_gone: &'a dyn Fn(&Address) -> bool,
    /// Tells whether a kind is wanted that the files leave out.
    pub is_asked_for: &'a dyn Fn(&str) -> bool,
}

impl std::fmt::Debug for Wish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wish").field("takes", &self.takes).finish_non_exhaustive()
    }
}

/// What is to be done with the files that are there.
#[derive(Debug, Default)]
pub struct Merged {
    /// Files to write: those that change, and new ones.
    pub files: Vec<File>,
    /// Files to remove: their objects are gone.
    pub removed: Vec<PathBuf>,
    /// How many fields of the tenant's objects the files leave out.
    pub left_out: usize,
    /// Warnings: what is left out, and which markers are lost or stay.
    pub problems: Vec<Problem>,
}

/// Merges a tenant into files that are there.
///
/// # Errors
/// If a value can't be written as YAML; none is known.
pub fn merged(
    registry: &Registry,
    tenant: &Tenant,
    there: &AsWritten<'_>,
    options: &Options,
    wish: Wish<'_>,
) -> Result<Merged, Error> {
    let mut laid = Laid::new();
    let mut exported = files::laid(registry, tenant, options, Some(&mut laid))?;
    laid.retain(|kind, _| there.kinds.contains(kind) || (wish.is_asked_for)(kind));
    let written = &there.texts;
    keep_apart(&mut exported, &mut laid, written);
    let mut merging = Merging {
        registry,
        exported: &exported,
        laid: &laid,
        unread: &tenant.unreadable,
        wish,
        values: Vec::new(),
        seen: BTreeSet::new(),
        merged: Merged::default(),
    };
    for text in written {
        match (&text.root, text.kind) {
            (None, _) => {}
            (Some(root), None) => merging.all_kinds(text, root),
            (Some(root), Some(kind)) => merging.of_kind(text, root, kind),
        }
    }
    let is_there = |path: &Path| written.iter().any(|text| Path::new(&text.read.source.name) == path);
    let placed = |file: &File| laid.values().flatten().find(|placed| placed.path.as_ref() == Some(&file.path));
    // The files of new objects, which may name those of texts.
    for file in &exported.files {
        let is_named = |placed: &&Placed| placed.entry.is_some();
        if let Some(placed) =
            placed(file).filter(|placed| !is_named(placed) && !merging.seen.contains(&placed.live.address))
        {
            merging.values.push(Value::Object(placed.value.clone()));
            let path = merging.free(written, &file.path);
            merging.merged.files.push(File { path, ..file.clone() });
        }
    }
    let has_main = written.iter().any(|text| text.kind.is_none());
    for file in exported
        .files
        .iter()
        .skip(usize::from(has_main))
        .filter(|file| placed(file).is_none_or(|placed| placed.entry.is_some()))
    {
        let whole = whole_file(registry, &laid, &file.path).filter(|_| !is_there(&file.path));
        let is_wanted = |(kind, field): (&Kind, Option<&str>)| {
            field.is_none() || wish.takes.all_fields || !there.kinds.contains(&kind.name)
        };
        if merging.names(file) || whole.is_some_and(is_wanted) {
            merging.merged.files.push(file.clone());
        } else if whole.is_some() {
            merging.merged.left_out += 1;
        }
    }
    let mut merged = merging.merged;
    let again: BTreeSet<&PathBuf> = merged.files.iter().map(|file| &file.path).collect();
    merged.removed.retain(|path| !again.contains(path));
    let text_of = |path: &Path| {
        let text = written.iter().find(|text| Path::new(&text.read.source.name) == path);
        text.map_or("", |text| text.read.source.text.as_str())
    };
    let is_written = |keyword: &&String| {
        let marker = format!("##{keyword}##");
        merged.files.iter().any(|file| file.text.contains(&marker) && !text_of(&file.path).contains(&marker))
    };
    let keywords: Vec<&String> = exported.keywords.iter().filter(is_written).collect();
    let not_exported = not_exported(keywords.into_iter().map(String::as_str));
    merged.problems.splice(0..0, exported.problems.into_iter().chain(not_exported));
    Ok(merged)
}

/// Gives objects whose files are named in the file of all kinds other names where another object has theirs.
fn keep_apart(exported: &mut Exported, laid: &mut Laid<'_>, written: &[Written<'_>]) {
    for placed in laid.values_mut().flatten() {
        let (Some(path), Some(entry)) = (placed.path.clone(), &mut placed.entry) else { continue };
        let live = placed.live;
        let is_it = |local: &Object| local.address == live.address || local.id.is_some() && local.id == live.id;
        let is_of_another = |path: &Path| {
            let texts = written.iter().filter(|text| text.kind.is_some());
            let mut texts = texts.filter(|text| Path::new(&text.read.source.name).ends_with(path));
            texts.any(|text| !text.tenant.iter().any(is_it))
        };
        if !is_of_another(&path) {
            continue;
        }
        let is_new = |path: &Path| exported.files.iter().any(|file| file.path == path);
        let Some(free) = numbered(&path).find(|path| !is_of_another(path) && !is_new(path)) else { continue };
        let (was, is) = (format!("./{}", path.display()), format!("./{}", free.display()));
        entry.values_mut().filter(|value| **value == was).for_each(|value| *value = Value::from(is.clone()));
        exported.files.iter_mut().filter(|file| file.path == path).for_each(|file| file.path.clone_from(&free));
        placed.path = Some(free);
    }
}

/// Goes through further names of a file, with a number.
fn numbered(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map_or(String::new(), |ending| format!(".{}", ending.to_string_lossy()));
    (2..).map(move |number| path.with_file_name(format!("{stem}-{number}{ending}")))
}

/// Finds the kind whose one file a path is that of, or the field of its object.
fn whole_file<'r>(registry: &'r Registry, laid: &Laid<'_>, path: &Path) -> Option<(&'r Kind, Option<&'r str>)> {
    let path = path.to_str()?;
    let mut kinds = registry.iter().filter(|kind| laid.get(&kind.name).is_some_and(|objects| !objects.is_empty()));
    kinds.find_map(|kind| {
        let directory = kind.directory.as_ref().filter(|directory| directory.is_whole())?;
        let field = directory.field_of(path);
        (field.is_some() || path == directory.path(&directory.file)).then_some((kind, field))
    })
}

struct Merging<'a> {
    registry: &'a Registry,
    exported: &'a Exported,
    laid: &'a Laid<'a>,
    /// What could not be read.
    unread: &'a BTreeMap<String, Unreadable>,
    wish: Wish<'a>,
    /// What was written anew, which may name files.
    values: Vec<Value>,
    /// Objects that have a file.
    seen: BTreeSet<Address>,
    merged: Merged,
}

impl Merging<'_> {
    /// Merges into the file that holds all kinds.
    fn all_kinds(&mut self, text: &Written<'_>, root: &Node) {
        let mut merge = Merge::new(&text.read, self.wish.takes).leaving(self.unread);
        let done = merge.kinds(self.registry, root, &text.tenant, self.laid, self.wish.is_gone);
        self.finish(text, merge, done, self.exported.files.first().map(|file| file.text.clone()));
    }

    /// Merges into a file of one kind: of one object, or of all that there are.
    fn of_kind(&mut self, text: &Written<'_>, root: &Node, kind: &Kind) {
        let (Some(theirs), Some(directory)) = (self.laid.get(&kind.name), &kind.directory) else { return };
        let Data::Map(entries) = &*root.data else { return };
        let Some(entry) = entries.first() else { return };
        let locals = text.tenant.objects(&kind.name);
        let mut merge = Merge::new(&text.read, self.wish.takes).leaving(self.unread);
        if directory.is_whole() {
            let field = directory.field_of(&text.read.source.name);
            let name = field.map_or(&directory.file, |field| &directory.fields[field]);
            let path = PathBuf::from(directory.path(name));
            let done = match (field, locals.first(), theirs.first()) {
                (Some(field), Some(local), Some(theirs)) => merge.field(kind, field, &entry.value, local, theirs),
                _ => merge.kind(kind, entry, locals, theirs, self.wish.is_gone),
            };
            let anew = self.exported.files.iter().find(|file| file.path == path).map(|file| file.text.clone());
            return self.finish(text, merge, done, anew);
        }
        let (Some(local), Data::List(items)) = (locals.first(), &*entry.value.data) else { return };
        let Some(item) = items.first() else { return };
        let is_it = |live: &crate::tenant::Object| match &local.id {
            Some(id) => live.id.as_ref() == Some(id),
            None => live.address == local.address,
        };
        let Some(placed) = theirs.iter().find(|placed| is_it(placed.live)) else {
            if (self.wish.is_gone)(&local.address) {
                let texts = text.companions.iter().map(|companion| companion.source.name.as_str());
                let paths = std::iter::once(text.read.source.name.as_str()).chain(texts);
                self.merged.removed.extend(paths.map(PathBuf::from));
            }
            return;
        };
        self.seen.insert(placed.live.address.clone());
        let done = merge.object(kind, item, local, placed);
        let anew = placed.path.as_ref().and_then(|path| self.exported.files.iter().find(|file| file.path == *path));
        self.finish(text, merge, done, anew.map(|file| file.text.clone()));
    }

    /// Takes the merged text and those that it names, where they change.
    fn finish(&mut self, text: &Written<'_>, mut merge: Merge<'_>, done: Result<(), Whole>, anew: Option<String>) {
        self.merged.left_out += merge.left_out;
        self.values.append(&mut merge.written);
        self.merged.problems.append(&mut merge.problems);
        for (path, live) in std::mem::take(&mut merge.texts) {
            self.companion(text, &path, &live);
        }
        let merged = match (done, anew) {
            (Ok(()), _) => merge.text(),
            (Err(Whole), Some(anew)) => anew,
            (Err(Whole), None) => return,
        };
        if merged != text.read.source.text {
            self.merged.files.push(File { path: PathBuf::from(&text.read.source.name), text: merged });
        }
    }

    /// Brings a text in a file of its own up to the tenant.
    fn companion(&mut self, text: &Written<'_>, path: &str, live: &str) {
        let plain = |path: &str| path.replace("./", "");
        let is_it = |name: &str| plain(name) == plain(path) || plain(name).ends_with(&format!("/{}", plain(path)));
        let Some(read) = text.companions.iter().find(|companion| is_it(&companion.source.name)) else { return };
        let (merged, lost) = lines(read, live);
        if !lost.is_empty() && self.wish.takes.markers_first {
            let problem =
                Problem::warning(format!("{}: a marker stays, though the tenant has another text", read.source.name));
            self.merged.problems.push(problem.at(Some(read.origin(&lost[0]))));
            return;
        }
        for range in lost {
            let problem =
                Problem::warning(format!("{}: a marker is lost: the tenant has another text", read.source.name));
            self.merged.problems.push(problem.at(Some(read.origin(&range))));
        }
        self.merged.files.push(File { path: PathBuf::from(&read.source.name), text: merged });
    }

    /// Gives a path for a new file that no file has which stays.
    fn free(&self, written: &[Written<'_>], path: &Path) -> PathBuf {
        let is_there = |path: &Path| {
            let is_it = |text: &Written<'_>| Path::new(&text.read.source.name) == path;
            let is_removed = self.merged.removed.iter().any(|removed| removed == path);
            let is_new = self.merged.files.iter().any(|file| file.path == path);
            is_new || (written.iter().any(is_it) && !is_removed)
        };
        std::iter::once(path.to_path_buf()).chain(numbered(path)).find(|path| !is_there(path)).unwrap_or_default()
    }

    /// Tells whether something that was written anew names a file.
    fn names(&self, file: &File) -> bool {
        let path = file.path.to_string_lossy();
        let is_it = |text: &str| {
            text.strip_prefix("./").is_some_and(|rest| path == rest || path.ends_with(&format!("/{rest}")))
        };
        self.values.iter().any(|value| any_text(value, &is_it))
    }
}

fn any_text(value: &Value, is: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, is)),
        Value::Object(map) => map.values().any(|value| any_text(value, is)),
        _ => false,
    }
}
