//! The one-file layout that the Deploy CLI reads and writes: `tenant.yaml` and companion files.
//!
//! Last room on the way from a live tenant to files. References are names already; kinds that could
//! not be read are not in the tenant's map, and so not in the file. The same tenant gives the same
//! bytes, whatever the order of the answers it was made from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::file_name::{Taken, sanitised};
use super::keep::{Keeper, LeftOut};
use super::yaml::{marker, yaml};
use crate::error::{Error, Problem};
use crate::kinds::Registry;
use crate::kinds::kind::{Companion, Field, Kind, remove_at};
use crate::tenant::{Address, Object, Tenant, fill};

/// The name of the file that holds all kinds.
const MAIN: &str = "tenant.yaml";

/// What an export is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Each object keeps the API's handle.
    pub with_ids: bool,
    /// The id of the application that tenantctl signs in with: it and its grants are left out.
    pub own_client: Option<String>,
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
    /// The main file first, then its companions by path.
    pub files: Vec<File>,
    /// Warnings: what is left out, and what can't be told apart by name.
    pub problems: Vec<Problem>,
}

/// Lays a tenant out as files.
///
/// # Errors
/// If a value can't be written as YAML; none is known.
pub fn files(registry: &Registry, tenant: &Tenant, options: &Options) -> Result<Exported, Error> {
    let mut export =
        Export { companions: Vec::new(), keywords: BTreeSet::new(), taken: Taken::default(), problems: Vec::new() };
    let mut document = BTreeMap::new();
    for kind in registry.iter().filter(|kind| !tenant.unreadable.contains_key(&kind.name)) {
        let Some(objects) = tenant.kinds.get(&kind.name) else { continue };
        let mut objects: Vec<&Object> = objects
            .iter()
            .filter(|object| !kind.system.iter().any(|condition| condition.fits(&object.value)))
            .filter(|object| !is_own(registry, tenant, kind, object, options.own_client.as_deref()))
            .collect();
        objects.sort_by_key(|object| (&object.address, &object.id));
        if let Some(value) = export.kind(kind, &objects, options) {
            document.insert(kind.name.clone(), value);
        }
    }
    if !export.keywords.is_empty() {
        let keywords: Vec<&str> = export.keywords.iter().map(String::as_str).collect();
        let message = format!("secrets are not exported; in their place stand the keywords {}", keywords.join(", "));
        let hint =
            "as long as they have no value, a tenant keeps what it has; define them to make the objects elsewhere";
        export.problems.push(Problem::warning(message).hint(hint));
    }
    let document = Value::Object(document.into_iter().collect());
    let text = yaml(document).map_err(|cause| Error::new("the tenant could not be written as YAML").because(cause))?;
    let mut files = export.companions;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.insert(0, File { path: PathBuf::from(MAIN), text });
    Ok(Exported { files, problems: export.problems })
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

struct Export {
    companions: Vec<File>,
    /// The keywords that stand for secrets.
    keywords: BTreeSet<String>,
    taken: Taken,
    problems: Vec<Problem>,
}

impl Export {
    /// Writes down the objects of a kind; nothing where the one object of a singleton is missing.
    fn kind(&mut self, kind: &Kind, objects: &[&Object], options: &Options) -> Option<Value> {
        let mut count: BTreeMap<&Address, usize> = BTreeMap::new();
        for object in objects {
            *count.entry(&object.address).or_default() += 1;
        }
        let mut unknown = LeftOut::default().unknown;
        let mut values = Vec::new();
        for object in objects {
            let is_pinned = options.with_ids || count[&object.address] > 1;
            let (value, left) = self.object(kind, object, kind.id.as_deref().filter(|_| is_pinned));
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
        match kind.keys.as_ref().and_then(|keys| Some((&keys.field, keys.holds.as_ref()?))) {
            _ if kind.singleton => values.into_iter().next(),
            Some((key, held)) => {
                Some(Value::Object(values.iter().filter_map(|value| by_name(value, key, held)).collect()))
            }
            None => Some(Value::Array(values)),
        }
    }

    /// Writes down one object.
    fn object(&mut self, kind: &Kind, object: &Object, pin: Option<&str>) -> (Map<String, Value>, LeftOut) {
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
        let mut companion = |companion: &Companion, text: &str| self.companion(companion, &object.value, text);
        let mut marker = |pattern: &str| {
            let text = |field: &str| object.value.get(field)?.as_str().map(str::to_owned);
            let keyword: String = fill(pattern, text)
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                .collect();
            keywords.push(keyword.clone());
            marker(&keyword)
        };
        let mut keeper = Keeper { pin, left: LeftOut::default(), companion: &mut companion, marker: &mut marker };
        let value = keeper.object(&kind.fields, &source);
        let left = keeper.left;
        self.keywords.extend(keywords);
        (value, left)
    }

    /// Puts a text into a file of its own, and gives the path that the field then holds.
    fn companion(&mut self, companion: &Companion, object: &Map<String, Value>, text: &str) -> Option<String> {
        // A companion file has no way to write such marks other than as they are, and they would be
        // replaced; the main file has escapes.
        if holds_marker(text) {
            return None;
        }
        let name = |suffix: &str| {
            fill(&companion.name, |field| {
                let text =
                    object.get(field).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                Some(sanitised(&text.unwrap_or_default()) + suffix)
            })
        };
        let folder = &companion.folder;
        let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let path = self.taken.free(|suffix| format!("{below}{}", name(suffix)));
        self.companions.push(File { path: PathBuf::from(&path), text: text.to_owned() });
        Some(format!("./{}", &path[below.len()..]))
    }
}

/// Tells whether the API hides a field that every object has.
fn is_hidden(field: &Field, object: &Object) -> bool {
    field.hidden_without.is_some() && !object.value.contains_key(&field.name)
}

/// Gives the entry of an object in a map from fixed names; nothing where the name has nothing.
fn by_name(value: &Value, key: &str, held: &str) -> Option<(String, Value)> {
    let held = value.get(held).filter(|held| held.as_array().is_none_or(|items| !items.is_empty()))?;
    Some((value.get(key)?.as_str()?.to_owned(), held.clone()))
}

/// Tells whether keyword replacement could find a marker in a text: two marks with something
/// between them on one line.
fn holds_marker(text: &str) -> bool {
    text.lines().any(|line| {
        ["##", "@@"].iter().any(|mark| {
            let first = line.find(mark).map(|at| at + mark.len());
            first.is_some_and(|from| line[from..].contains(mark))
        })
    })
}

#[cfg(test)]
mod tests;
