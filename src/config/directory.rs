//! The directory layout of the Deploy CLI: which files of a folder are definitions, and of what.
//!
//! Pure: what stands at a path comes in through a function. A folder that is missing leaves its kind
//! out, one without files says that there are none; what a file holds becomes a map of kinds, as the
//! one file of the other layout is, so that `parse` knows one shape.

use super::layout::{not_managed, other_places};
use super::yaml::{Data, Entry, Node};
use crate::error::{Problem, Problems};
use crate::kinds::Registry;
use crate::kinds::kind::{Directory, Kind};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A file.
    File,
    /// A folder, with the names of what stands in it, in order.
    Folder(Vec<String>),
}

/// Tells what stands at a path below the folder of the definitions.
pub type Look<'a> = dyn Fn(&str) -> Result<Found, Problem> + 'a;

/// The files of one kind.
#[derive(Debug, Clone)]
pub struct Part<'r> {
    /// The kind.
    pub kind: &'r Kind,
    /// Its files, by path below the folder of the definitions.
    pub files: Vec<String>,
}

/// Finds the files of all kinds that are there.
pub fn parts<'r>(registry: &'r Registry, look: &Look<'_>, problems: &mut Problems) -> Vec<Part<'r>> {
    let mut parts = Vec::new();
    for kind in registry {
        let Some(directory) = &kind.directory else { continue };
        match files(directory, look, problems) {
            Ok(files) => parts.extend(files.map(|files| Part { kind, files })),
            Err(problem) => problems.push(problem),
        }
    }
    for path in other_places(registry) {
        if look(path).is_ok_and(|found| found != Found::Nothing) {
            problems.push(not_managed(path));
        }
    }
    misspelt(registry, look, problems);
    parts
}

/// Finds the files of a kind; none where it is left out.
fn files(directory: &Directory, look: &Look<'_>, problems: &mut Problems) -> Result<Option<Vec<String>>, Problem> {
    let one = directory.path(&directory.file);
    if directory.folder.is_empty() {
        return Ok((look(&one)? == Found::File).then(|| vec![one]));
    }
    let names = match look(&directory.folder)? {
        Found::Nothing => return Ok(None),
        Found::File => {
            let message = format!("`{}` is a file, where the directory layout has a folder", directory.folder);
            return Err(Problem::error(message).hint("rename it, or move it elsewhere"));
        }
        Found::Folder(names) => names,
    };
    let mut files = Vec::new();
    if let Some(inside) = directory.name_inside() {
        for folder in names.iter().map(|name| directory.path(name)) {
            let path = format!("{folder}/{inside}");
            if look(&path)? == Found::File {
                files.push(path);
            } else if matches!(look(&folder)?, Found::Folder(_)) {
                problems.push(Problem::warning(format!("`{folder}` is skipped: it has no `{inside}`")));
            }
        }
        return Ok(Some(files));
    }
    let is_json = |name: &&String| name.strip_suffix(".json").is_some_and(|stem| !stem.is_empty());
    for name in names.iter().filter(is_json).filter(|name| !directory.except.contains(name)) {
        let path = directory.path(name);
        match look(&path)? {
            Found::File => files.push(path),
            Found::Folder(_) => {}
            Found::Nothing => {
                let message = format!("`{path}` is a link that leads nowhere");
                return Err(Problem::error(message).hint("remove it, or put back what it leads to"));
            }
        }
    }
    if directory.is_whole() {
        // One file says what there is: without it, nothing is said.
        let is_of_field = |path: &String| directory.field_of(path).is_some();
        files.retain(|path| directory.first || *path == one || is_of_field(path));
        if directory.first {
            files.truncate(1);
        }
        return Ok(Some(files).filter(|files| !files.is_empty()));
    }
    Ok(Some(files))
}

/// Warns of folders that are the folder of a kind but for letters' case, a dash or a plural: they
/// would be ignored unseen.
fn misspelt(registry: &Registry, look: &Look<'_>, problems: &mut Problems) {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "").trim_end_matches('s').to_owned();
    let Ok(Found::Folder(names)) = look("") else { return };
    let known: Vec<&str> = registry.iter().filter_map(|kind| Some(kind.directory.as_ref()?.folder.as_str())).collect();
    for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
        if let Some(near) = known.iter().find(|known| !known.is_empty() && plain(known) == plain(name))
            && matches!(look(name), Ok(Found::Folder(_)))
        {
            let message = format!("the folder `{name}` is ignored: it is of no kind");
            problems.push(Problem::warning(message).hint(format!("did you mean `{near}`?")));
        }
    }
}

/// Makes a map of kinds, as a file of the other layout has it, of what the file of a kind holds.
#[must_use]
pub fn as_kinds(kind: &Kind, path: &str, root: Node) -> Node {
    let span = root.span.clone();
    let directory = kind.directory.as_ref();
    let root = match directory.and_then(|directory| directory.field_of(path)) {
        Some(field) => {
            let entry = Entry { key: field.to_owned(), span: span.start..span.start, value: root };
            Node::of_entries(vec![entry], &span)
        }
        None => root,
    };
    let is_empty = matches!(&*root.data, Data::Map(entries) if entries.is_empty());
    let value = match directory {
        Some(directory) if !directory.is_whole() => {
            let is_skipped = is_empty && directory.skips_empty;
            Node::of_items(if is_skipped { Vec::new() } else { vec![root] }, &span)
        }
        _ => root,
    };
    let entry = Entry { key: kind.name.clone(), span: span.start..span.start, value };
    Node::of_entries(vec![entry], &span)
}

#[cfg(test)]
mod tests {
    use super::{Found, parts};
    use crate::error::Problems;
    use crate::kinds::Registry;

    /// Looks into a list of paths; one with a slash at its end is a folder.
    fn found(paths: &[&str], path: &str) -> Found {
        if paths.contains(&path) {
            return Found::File;
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let inside = paths.iter().filter_map(|there| there.strip_prefix(below.as_str()));
        let mut names: Vec<String> = inside
            .filter_map(|rest| rest.split('/').next())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        let is_there = paths.iter().any(|there| there.starts_with(&below));
        if is_there { Found::Folder(names) } else { Found::Nothing }
    }

    fn read(paths: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut problems = Problems::default();
        let found = parts(Registry::builtin(), &|path| Ok(found(paths, path)), &mut problems);
        let shown = found.iter().map(|part| format!("{}: {}", part.kind.name, part.files.join(", ")));
        (shown.collect(), problems.sorted().into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn each_kind_has_its_files_and_what_is_missing_is_left_out() {
        let (found, problems) = read(&[
            "tenant.json",
            "clients/B.json",
            "clients/A.json",
            "clients/A_custom_login_page.html",
            "clients/.json",
            "clients/deeper/C.json",
            "roles/",
            "custom-domains/other.json",
            "database-connections/users/database.json",
            "database-connections/users/login.js",
            "database-connections/readme.json",
            "emails/provider.json",
            "emails/verify_email.json",
            "triggers/any.json",
            "triggers/triggers.json",
            "pages/login.json",
            "node_modules/x/y.json",
        ]);
        assert_eq!(
            found,
            [
                "clients: clients/A.json, clients/B.json",
                "databases: database-connections/users/database.json",
                "emailProvider: emails/provider.json",
                "emailTemplates: emails/verify_email.json",
                "roles: ",
                "tenant: tenant.json",
                "triggers: triggers/any.json",
            ]
        );
        assert_eq!(problems, ["`pages` is not managed by this version: it is left alone"]);
    }

    #[test]
    fn what_would_be_ignored_unseen_is_told() {
        let (found, problems) =
            read(&["client/A.json", "resourceServers/", "grants", "pages/login.json", "database-connections/users/"]);
        assert_eq!(found, ["databases: "]);
        assert_eq!(
            problems,
            [
                "`database-connections/users` is skipped: it has no `database.json`",
                "`grants` is a file, where the directory layout has a folder",
                "`pages` is not managed by this version: it is left alone",
                "the folder `client` is ignored: it is of no kind",
                "the folder `resourceServers` is ignored: it is of no kind",
            ]
        );
    }
}
