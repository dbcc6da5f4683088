//! The layouts that the Deploy CLI reads and writes: `tenant.yaml` and companion files, or a folder of
//! JSON files by kind.
//!
//! Last room on the way from a live tenant to files. References are names already; kinds that could
//! not be read are not in the tenant's map, and so not in the file. The same tenant gives the same
//! bytes, whatever the order of the answers it was made from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::directory::Names;
use super::file_name::{Taken, sanitised};
use super::json::json;
use super::keep::{Keeper, LeftOut};
use super::together::together;
use super::yaml::{marker, yaml};
use crate::error::{Error, Problem};
use crate::kinds::Registry;
use crate::kinds::kind::{Companion, Directory, Field, Kind, remove_at};
use crate::tenant::{Address, Object, Tenant, fill};

/// The name of the file that holds all kinds.
const MAIN: &str = "tenant.yaml";

/// How files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// One file, and texts in files of their own.
    #[default]
    Yaml,
    /// A folder for each kind.
    Directory,
}

/// What an export is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Each object keeps the API's handle.
    pub with_ids: bool,
    /// The id of the application that tenantctl signs in with: it and its grants are left out.
    pub own_client: Option<String>,
    /// How files are laid out.
    pub layout: Layout,
    /// Fields that are kept although the API sets them: kind, and JSON Pointer.
    pub keep: BTreeSet<(String, String)>,
}

/// One file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where, below the folder that the user named.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// The files, and what a user should know of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The main file first, if there is one, then the others by path.
    pub files: Vec<File>,
    /// Folders that say that there are no objects of a kind, and have no files.
    pub folders: Vec<PathBuf>,
    /// The keywords that stand for secrets.
    pub keywords: BTreeSet<String>,
    /// Warnings: what is left out, and what can't be told apart by name.
    pub problems: Vec<Problem>,
}

/// An object as an export writes it.
#[derive(Debug, Clone)]
pub(super) struct Placed<'a> {
    /// As it is live, with names in the place of ids.
    pub(super) live: &'a Object,
    /// As it is written.
    pub(super) value: Map<String, Value>,
    /// Its own file, if it has one.
    pub(super) path: Option<PathBuf>,
    /// What the file of all kinds has in its place, where its own file is named there.
    pub(super) entry: Option<Map<String, Value>>,
}

impl Placed<'_> {
    /// Gives what the file of all kinds has.
    pub(super) fn in_main(&self) -> Value {
        Value::Object(self.entry.as_ref().unwrap_or(&self.value).clone())
    }
}

/// The objects of each kind as an export writes them.
pub(super) type Laid<'a> = BTreeMap<String, Vec<Placed<'a>>>;

/// Lays a tenant out as files.
///
/// # Errors
/// If a value can't be written as YAML; none is known.
pub fn files(registry: &Registry, tenant: &Tenant, options: &Options) -> Result<Exported, Error> {
    let mut exported = laid(registry, tenant, options, None)?;
    exported.problems.extend(not_exported(exported.keywords.iter().map(String::as_str)));
    Ok(exported)
}

/// Says which keywords stand in the place of secrets, if some do.
pub(super) fn not_exported<'k>(keywords: impl Iterator<Item = &'k str>) -> Option<Problem> {
    let keywords: Vec<&str> = keywords.collect();
    let message = format!("secrets are not exported; in their place stand the keywords {}", keywords.join(", "));
    let hint = "as long as they have no value, a tenant keeps what it has; define them to make the objects elsewhere";
    (!keywords.is_empty()).then(|| Problem::warning(message).hint(hint))
}

/// Lays a tenant out as files, and notes the objects as they are written where that is asked for.
///
/// # Errors
/// As [`files`].
pub(super) fn laid<'a>(
    registry: &Registry,
    tenant: &'a Tenant,
    options: &Options,
    mut laid: Option<&mut Laid<'a>>,
) -> Result<Exported, Error> {
    let mut export = Export::default();
    let names = Names { registry, tenant };
    let mut document = BTreeMap::new();
    for kind in registry.iter().filter(|kind| !tenant.unreadable.contains_key(&kind.name)) {
        let Some(objects) = tenant.kinds.get(&kind.name) else { continue };
        let mut objects: Vec<&Object> = objects
            .iter()
            .filter(|object| !kind.system.iter().any(|condition| condition.fits(&object.value)))
            .filter(|object| !is_unset(kind, object))
            .filter(|object| !is_own(registry, tenant, kind, object, options.own_client.as_deref()))
            .collect();
        objects.sort_by_key(|object| (&object.address, &object.id));
        let mut entries = Vec::new();
        let (values, paths) = match (options.layout, &kind.directory) {
            (Layout::Directory, Some(directory)) => export.in_directory(&names, kind, directory, &objects, options),
            (Layout::Directory, None) => continue,
            (Layout::Yaml, Some(directory)) if kind.body.is_some() => {
                let (values, paths) = export.in_directory(&names, kind, directory, &objects, options);
                entries.extend(values.iter().zip(&paths).map(|(value, path)| entry(kind, value, path)));
                let value = together(kind, entries.iter().cloned().map(Value::Object).collect());
                document.extend(value.map(|value| (kind.name.clone(), value)));
                (values, paths)
            }
            (Layout::Yaml, _) => {
                let values = export.values(kind, &objects, options, &[]);
                let noted = if laid.is_some() { values.clone() } else { Vec::new() };
                document.extend(together(kind, values).map(|value| (kind.name.clone(), value)));
                (noted, Vec::new())
            }
        };
        let mut paths = paths.into_iter().map(PathBuf::from);
        let mut entries = entries.into_iter();
        let placed = |(live, value): (&&'a Object, Value)| match value {
            Value::Object(value) => Some(Placed { live, value, path: paths.next(), entry: entries.next() }),
            _ => None,
        };
        if let Some(laid) = &mut laid {
            laid.insert(kind.name.clone(), objects.iter().zip(values).filter_map(placed).collect());
        }
    }
    let mut files = export.files;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if options.layout == Layout::Yaml {
        let document = Value::Object(document.into_iter().collect());
        let text =
            yaml(document).map_err(|cause| Error::new("the tenant could not be written as YAML").because(cause))?;
        files.insert(0, File { path: PathBuf::from(MAIN), text });
    }
    let Export { folders, keywords, problems, .. } = export;
    Ok(Exported { files, folders, keywords, problems })
}

/// Gives what the file of all kinds has of an object with a file of its own: what it is recognised by, and the file.
fn entry(kind: &Kind, value: &Value, path: &str) -> Map<String, Value> {
    let names = kind.identity.first().into_iter().flat_map(|identity| &identity.fields);
    let known = names.filter_map(|name| Some((name.clone(), value.get(name)?.clone())));
    known.chain(kind.body.iter().map(|body| (body.clone(), Value::from(format!("./{path}"))))).collect()
}

/// Tells whether an object that is always there has nothing but its name.
fn is_unset(kind: &Kind, object: &Object) -> bool {
    let keys = kind.keys.as_ref().filter(|_| kind.is_fixed());
    keys.is_some_and(|keys| object.value.iter().all(|(name, value)| keys.is_in(name) || value.is_null()))
}

/// Tells whether an object is, or belongs to, the application that tenantctl signs in with.
fn is_own(registry: &Registry, tenant: &Tenant, kind: &Kind, object: &Object, own: Option<&str>) -> bool {
    let (Some(own), Some(name)) = (own, &kind.own) else { return false };
    let value = object.value.get(name).and_then(Value::as_str);
    if kind.id.as_ref() == Some(name) {
        return object.id.as_deref().or(value) == Some(own);
    }
    // References hold names by now, but for objects that share theirs.
    let referred = kind.fields.get(name).and_then(|field| registry.get(&field.reference.as_ref()?.kind));
    let named = referred.and_then(|kind| tenant.objects(&kind.name).iter().find(|it| it.id.as_deref() == Some(own)));
    value.is_some_and(|value| value == own || named.is_some_and(|named| named.address.name == value))
}

#[derive(Default)]
struct Export {
    files: Vec<File>,
    folders: Vec<PathBuf>,
    /// The keywords that stand for secrets.
    keywords: BTreeSet<String>,
    taken: Taken,
    problems: Vec<Problem>,
}

impl Export {
    /// Writes down the objects of a kind in files of their own, or in the one file that it has.
    fn in_directory(
        &mut self,
        names: &Names<'_>,
        kind: &Kind,
        directory: &Directory,
        objects: &[&Object],
        options: &Options,
    ) -> (Vec<Value>, Vec<String>) {
        let file = |path: &String, value: &Value| File { path: PathBuf::from(path), text: json(value) };
        if directory.is_whole() {
            let values = self.values(kind, objects, options, &[]);
            let mut whole = together(kind, values.clone());
            for (field, name) in &directory.fields {
                let value = whole.as_mut().and_then(|whole| whole.as_object_mut()?.shift_remove(field));
                self.files.extend(value.map(|value| file(&directory.path(name), &value)));
            }
            let whole = whole.filter(|_| !directory.file.is_empty());
            self.files.extend(whole.map(|value| file(&directory.path(&directory.file), &value)));
            return (values, Vec::new());
        }
        let taken = &mut self.taken;
        let paths: Vec<String> = objects.iter().map(|object| names.path(kind, directory, object, taken)).collect();
        let values = self.values(kind, objects, options, &paths);
        self.files.extend(paths.iter().zip(&values).map(|(path, value)| file(path, value)));
        if objects.is_empty() && options.layout == Layout::Directory {
            self.folders.push(PathBuf::from(&directory.folder));
        }
        (values, paths)
    }

    /// Writes down the objects of a kind, whose own files have these paths, if they have any.
    fn values(&mut self, kind: &Kind, objects: &[&Object], options: &Options, paths: &[String]) -> Vec<Value> {
        let mut count: BTreeMap<&Address, usize> = BTreeMap::new();
        for object in objects {
            *count.entry(&object.address).or_default() += 1;
        }
        let mut unknown = LeftOut::default().unknown;
        let mut values = Vec::new();
        for (at, object) in objects.iter().enumerate() {
            let is_asked = |id: &str| options.keep.contains(&(kind.name.clone(), format!("/{id}")));
            let is_pinned = options.with_ids || count[&object.address] > 1 || kind.id.as_deref().is_some_and(is_asked);
            let pin = kind.id.as_deref().filter(|_| is_pinned);
            let own = paths.get(at).map(String::as_str);
            let (value, left) = self.object(kind, object, pin, (own, &options.keep));
            values.push(Value::Object(value));
            unknown.extend(left.unknown);
            for pointer in left.incomplete {
                let field = pointer.trim_start_matches('/').replace('/', ".");
                self.problems.push(
                    Problem::warning(format!("{}: `{field}` is left out: it needs secrets", object.address))
                        .hint("secrets are never exported; add it to the file with markers in their place"),
                );
            }
        }
        for (address, count) in count.iter().filter(|(_, count)| **count > 1) {
            let id = kind.id.as_deref().unwrap_or("id");
            self.problems.push(
                Problem::warning(format!("{address}: {count} objects have this name"))
                    .hint(format!("each keeps its `{id}` in the file, which tells them apart")),
            );
        }
        for field in kind.fields.iter().filter(|field| objects.iter().any(|object| is_hidden(field, object))) {
            let scope = field.hidden_without.as_deref().unwrap_or_default();
            let message = format!("{}: `{}` is left out: the API does not show it", kind.name, field.name);
            let hint = format!("the token lacks the scope {scope}");
            self.problems.push(Problem::warning(message).hint(hint));
        }
        for pointer in unknown {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            self.problems
                .push(Problem::warning(format!("{}: `{field}` is left out: the field is not known", kind.name)));
        }
        values
    }

    /// Writes down one object.
    fn object(
        &mut self,
        kind: &Kind,
        object: &Object,
        pin: Option<&str>,
        (own, keep): (Option<&str>, &BTreeSet<(String, String)>),
    ) -> (Map<String, Value>, LeftOut) {
        let mut source = Cow::Borrowed(&object.value);
        if let (Some(pin), Some(id)) = (pin, &object.id) {
            source.to_mut().insert(pin.to_owned(), Value::from(id.clone()));
        }
        let kind = kind.of(&object.value);
        // What the API does not take beside the rest is left out: it says the same in another way.
        let rules = kind.rules.iter().filter(|rule| rule.holds(&object.value));
        for pointer in rules.flat_map(|rule| &rule.ignored) {
            remove_at(source.to_mut(), pointer);
        }
        let mut keywords = Vec::new();
        let mut companion = |companion: &Companion, text: &str| self.companion(companion, &object.value, text, own);
        let mut marker = |pattern: &str| {
            let text = |field: &str| object.value.get(field)?.as_str().map(str::to_owned);
            let keyword: String = fill(pattern, text)
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                .collect();
            keywords.push(keyword.clone());
            marker(&keyword)
        };
        let is_kept = |pointer: &str| keep.contains(&(kind.name.clone(), pointer.to_owned()));
        let mut keeper =
            Keeper { pin, is_kept: &is_kept, left: LeftOut::default(), companion: &mut companion, marker: &mut marker };
        let mut value = keeper.object(&kind.fields, &source);
        let left = keeper.left;
        if own.is_some() {
            // Without it a text is sought in a file, and the object is skipped where there is none.
            let sought = kind.fields.iter().filter(|field| field.file.as_ref().is_some_and(|file| file.sought));
            for field in sought.filter(|field| !value.contains_key(&field.name)).collect::<Vec<_>>() {
                value.insert(field.name.clone(), Value::Null);
            }
        }
        self.keywords.extend(keywords);
        (value, left)
    }

    /// Puts a text into a file of its own, and gives the path that the field then holds.
    fn companion(
        &mut self,
        companion: &Companion,
        object: &Map<String, Value>,
        text: &str,
        own: Option<&str>,
    ) -> Option<String> {
        // A companion file has no way to write such marks other than as they are, and they would be
        // replaced; the main file has escapes.
        if holds_marker(text) {
            return None;
        }
        let (folder, pattern) = match (own, &companion.beside) {
            (Some(own), Some(name)) => (own.rsplit_once('/').map_or("", |(folder, _)| folder), name),
            _ => (companion.folder.as_str(), &companion.name),
        };
        let name = |suffix: &str| {
            fill(pattern, |field| {
                let text =
                    object.get(field).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                Some(sanitised(&text.unwrap_or_default()) + suffix)
            })
        };
        let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let path = self.taken.free(|suffix| format!("{below}{}", name(suffix)));
        self.files.push(File { path: PathBuf::from(&path), text: text.to_owned() });
        Some(format!("./{}", &path[below.len()..]))
    }
}

/// Tells whether the API hides a field that every object has.
fn is_hidden(field: &Field, object: &Object) -> bool {
    field.hidden_without.is_some() && !object.value.contains_key(&field.name)
}

/// Tells whether keyword replacement could find a marker in a text: two marks with something
/// between them on one line.
pub(super) fn holds_marker(text: &str) -> bool {
    text.lines().any(|line| {
        ["##", "@@"].iter().any(|mark| {
            let first = line.find(mark).map(|at| at + mark.len());
            first.is_some_and(|from| line[from..].contains(mark))
        })
    })
}

#[cfg(test)]
mod tests;
